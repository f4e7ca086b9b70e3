"""Where the platform ends: access, errors, and what the worker forces on every function.

A decorator of this module sits directly above the function and below the route.
"""

import asyncio
import functools
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

import azure.functions as func

from functions.wire import problem_response
from shared import errors
from shared.auth.access import Access
from shared.pools.failures import PoolClosedError
from shared.resources import resources
from shared.settings import NotConfiguredError
from shared.telemetry.context import log_facts
from shared.telemetry.logs import get_logger
from shared.telemetry.metrics import REFUSALS, record
from shared.types import SessionId

logger = get_logger(__name__)

STATUS_OF: dict[type[errors.AppError], HTTPStatus] = {
    errors.InvalidRequestError: HTTPStatus.BAD_REQUEST,
    errors.UnauthorizedError: HTTPStatus.UNAUTHORIZED,
    errors.ForbiddenError: HTTPStatus.FORBIDDEN,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.ConflictError: HTTPStatus.CONFLICT,
    errors.PoolExhaustedError: HTTPStatus.SERVICE_UNAVAILABLE,
    PoolClosedError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.UpstreamTimeoutError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.UpstreamError: HTTPStatus.BAD_GATEWAY,
    NotConfiguredError: HTTPStatus.NOT_IMPLEMENTED,
    errors.AppError: HTTPStatus.INTERNAL_SERVER_ERROR,
}
"""The nearest listed ancestor wins."""

NEVER_SUCCEEDS = (errors.InvalidRequestError, errors.NotFoundError)
"""Events that fail so are acknowledged; everything else is delivered again."""

HttpFunction = Callable[[func.HttpRequest], Awaitable[func.HttpResponse]]

_running: set[asyncio.Task[Any]] = set()
"""The worker up to Python 3.12 keeps no reference to the task of an invocation, so the garbage
collector may take it while it waits; a reference here prevents that."""


def http_boundary(access: Access) -> Callable[[HttpFunction], HttpFunction]:
    """Guard an HTTP function: *access* is checked first, every failure becomes a problem."""

    def decorate(function: HttpFunction) -> HttpFunction:
        @functools.wraps(function)
        async def guarded(req: func.HttpRequest) -> func.HttpResponse:
            with _Kept(), log_facts(session_id=req.route_params.get("session_id", "")):
                try:
                    await _check(access, req)
                    return await function(req)
                except errors.AppError as error:
                    return _answer(error)
                except asyncio.CancelledError:
                    # The worker never answers one that leaves a function: the client would hang.
                    return _answer(errors.UpstreamTimeoutError("cancelled"))
                except Exception:
                    logger.exception("function crashed", extra={"function": function.__name__})
                    return _answer(errors.AppError())

        guarded.access = access  # type: ignore[attr-defined]
        return guarded

    return decorate


def event_boundary(function: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Guard an event function: what can never succeed is acknowledged, all else redelivered."""

    @functools.wraps(function)
    async def guarded(*args: Any, **kwargs: Any) -> None:
        with _Kept():
            try:
                await function(*args, **kwargs)
            except NEVER_SUCCEEDS as error:
                facts = {"function": function.__name__, "error": error.code}
                logger.warning("event dropped", extra=facts)
            except errors.AppError:
                raise
            except asyncio.CancelledError:
                raise errors.UpstreamTimeoutError("cancelled") from None
            except Exception:
                logger.exception("function crashed", extra={"function": function.__name__})
                # The host logs what it gets, and the text of a crash may hold what a caller said.
                raise errors.AppError("crashed") from None

    guarded.access = None  # type: ignore[attr-defined]
    return guarded


def status_of(error: errors.AppError) -> HTTPStatus:
    """The HTTP status that stands for *error*."""
    return next(STATUS_OF[kind] for kind in type(error).__mro__ if kind in STATUS_OF)


def _answer(error: errors.AppError) -> func.HttpResponse:
    status = status_of(error)
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        record(REFUSALS, 1, {"what": "request"})
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.warning("request failed", extra={"error": error.code})
    return problem_response(error, status)


async def _check(access: Access, req: func.HttpRequest) -> None:
    """Check what the host has not checked already."""
    if access is Access.ACS:
        session_id = SessionId(req.route_params["session_id"])
        signer = await resources().signer.get()
        # The signature first: it costs microseconds, and a stranger's request goes no further.
        signer.verify(session_id, req.params.get("sig", ""))
        verifier = await resources().acs_tokens.get()
        await verifier.verify(req.headers.get("authorization"))
    elif access is Access.SIGNED:
        file_signer = await resources().file_signer.get()
        file_signer.verify(req.route_params["file"], req.params.get("exp"), req.params.get("sig"))


class _Kept:
    """Keeps the running task alive for as long as it is within."""

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        if self._task is not None:
            _running.add(self._task)

    def __exit__(self, *_: object) -> None:
        if self._task is not None:
            _running.discard(self._task)
