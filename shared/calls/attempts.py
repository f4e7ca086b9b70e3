"""One operation of the telephone service: bounded, repeated where that is harmless, translated."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import datetime
from email.utils import format_datetime
from typing import TypeVar
from uuid import UUID, uuid5

from aiohttp import ClientConnectorError
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ServiceRequestError,
    ServiceRequestTimeoutError,
)

from shared.calls.commands import Command
from shared.calls.events import CommandFailure
from shared.calls.failures import TelephonyError, classify
from shared.clock import Clock

_NAMESPACE = UUID("6f6e0f0c-5b0e-5c5e-9d5b-2f3a5d0e7a11")
_ATTEMPTS = 3
_FIRST_PAUSE_S = 0.1

T = TypeVar("T")


def repeatability(scope: str, command: Command, now: datetime) -> dict[str, str]:
    """Headers by which the service recognises *command* when it is sent again.

    Args:
        scope: Within which the id of the command is unique: a session or a call.
        command: What is sent; any instance derives the same request id from it.
        now: UTC, of the first attempt. Not derived from the command: elsewhere in ACS a first
            sending more than five minutes ago is refused.
    """
    return {
        "Repeatability-Request-ID": str(uuid5(_NAMESPACE, f"{scope}/{command.id}")),
        "Repeatability-First-Sent": format_datetime(now, usegmt=True),
    }


async def attempt(
    request: Callable[[], Awaitable[T]],
    *,
    operation: str,
    is_repeatable: bool,
    timeout_s: float,
    clock: Clock,
) -> T:
    """Send *request*, up to three times if it may be repeated.

    Args:
        request: Sends it once, without any retry of its own.
        operation: Its name, for the error.
        is_repeatable: Whether the service recognises a repetition. If not, only a request that
            certainly did nothing is sent again: one that never connected, or met a 429.
        timeout_s: For all attempts and pauses together.
        clock: Waits between the attempts.

    Raises:
        TelephonyError: The only failure there is; its outcome is unknown if UNAVAILABLE.
    """
    try:
        async with asyncio.timeout(timeout_s) as deadline:
            for number in range(1, _ATTEMPTS):
                try:
                    return await request()
                except AzureError as err:
                    pause_s = _pause_s(err, number)
                    if not _may_repeat(err, is_repeatable) or not _fits(pause_s, deadline):
                        raise
                await clock.sleep(pause_s)
            return await request()
    except TimeoutError as err:
        raise TelephonyError(operation, CommandFailure.UNAVAILABLE) from err
    except HttpResponseError as err:
        # The service's own words can hold numbers and call contexts: they go no further.
        raise _translate(operation, err) from None
    except AzureError as err:
        raise TelephonyError(operation, CommandFailure.UNAVAILABLE) from err


def _may_repeat(err: AzureError, is_repeatable: bool) -> bool:
    if isinstance(err, HttpResponseError):
        status = err.status_code or 0
        is_passing = classify(status, _sub_code(err), err.message) is CommandFailure.UNAVAILABLE
        return is_passing and (is_repeatable or status == 429)
    return is_repeatable or _never_connected(err)


def _never_connected(err: AzureError) -> bool:
    # A ServiceRequestError alone proves nothing: the SDK makes one of a lost connection too.
    return isinstance(err, ServiceRequestTimeoutError) or (
        isinstance(err, ServiceRequestError)
        and isinstance(err.inner_exception, ClientConnectorError)
    )


def _fits(pause_s: float, deadline: asyncio.Timeout) -> bool:
    ends_at = deadline.when()
    return ends_at is None or asyncio.get_running_loop().time() + pause_s < ends_at


def _pause_s(err: AzureError, number: int) -> float:
    pause_s = _FIRST_PAUSE_S * 2 ** (number - 1)
    jittered_s = random.uniform(pause_s / 2, pause_s)  # noqa: S311 - spreads load, no secret
    headers: dict[str, str] = getattr(getattr(err, "response", None), "headers", {})
    asked_s = headers.get("Retry-After", "")
    return max(jittered_s, float(asked_s)) if asked_s.isdecimal() else jittered_s


def _translate(operation: str, err: HttpResponseError) -> TelephonyError:
    status, sub_code = err.status_code or 0, _sub_code(err)
    failure = classify(status, sub_code, err.message)
    return TelephonyError(operation, failure, status=status, sub_code=sub_code)


def _sub_code(err: HttpResponseError) -> int:
    code = getattr(err.error, "code", None)
    return int(code) if isinstance(code, str) and code.isdecimal() else 0
