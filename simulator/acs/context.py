"""The ``incomingCallContext``: an unsigned token that answers one call once, for a while."""

import base64
import gzip
import json
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar

from simulator.acs.errors import ServiceError, call_not_found

_SIZE_BYTES = 8000
T = TypeVar("T")


@dataclass(slots=True)
class _Issued(Generic[T]):
    call: T
    expires_at: float
    is_used: bool = False


class ContextBook(Generic[T]):
    """Remembers which context stands for which ringing call."""

    def __init__(self, *, lifetime_s: float) -> None:
        self._lifetime_s = lifetime_s
        self._issued: dict[str, _Issued[T]] = {}

    def mint(self, call: T) -> str:
        """A new context for *call*."""
        secret = {"call": secrets.token_hex(16), "pad": secrets.token_hex(_SIZE_BYTES // 4)}
        payload = {
            "cc": base64.b64encode(gzip.compress(json.dumps(secret).encode())).decode(),
            "shrToken": secrets.token_urlsafe(_SIZE_BYTES // 4),
        }
        context = f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(payload)}."
        self._issued[context] = _Issued(call, time.time() + self._lifetime_s)
        return context

    def redeem(self, context: object) -> T:
        """The call *context* stands for; the context is used up.

        Raises:
            ServiceError: It is unknown, used or expired.
        """
        issued = self._issued.get(context) if isinstance(context, str) else None
        if issued is None or issued.is_used:
            raise call_not_found()
        if issued.expires_at < time.time():
            now, until = _utc(time.time()), _utc(issued.expires_at)
            raise ServiceError(
                400,
                "8523",
                "IDX23010: Lifetime validation of the signed http request failed. Current time: "
                f"'{now}' UTC, signed http request is valid until: '{until}' UTC.",
            )
        issued.is_used = True
        return issued.call


def _segment(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _utc(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).strftime("%m/%d/%Y %H:%M:%S")
