"""Names for sessions: UUIDv7 (RFC 9562), drawn at random or derived from what they are made for."""

import hashlib
import secrets
from datetime import UTC, datetime
from uuid import UUID

from shared.types import SessionId

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_session_id(now: datetime | None = None) -> SessionId:
    """A name that nothing else has; it sorts by the time it was made."""
    return _uuid7(now or datetime.now(UTC), secrets.token_bytes(10))


def session_id_for(name: str, *, at: datetime | None = None) -> SessionId:
    """The same name for the same *name* and time, on every instance and without asking anyone.

    An event that is delivered again, to whichever instance, finds the session it began; so does a
    request that is sent again with the same ``Idempotency-Key``.

    Args:
        name: What the session is made for, for example the correlation id of a call.
        at: When, if every delivery says the same; else the id does not tell its age.
    """
    return _uuid7(at or _EPOCH, hashlib.sha256(name.encode()).digest()[:10])


def _uuid7(at: datetime, randomness: bytes) -> SessionId:
    milliseconds = int(at.timestamp() * 1000) & (2**48 - 1)
    number = milliseconds << 80 | int.from_bytes(randomness)
    number = number & ~(0xF << 76) | 0x7 << 76  # version 7
    number = number & ~(0x3 << 62) | 0x2 << 62  # variant of RFC 9562
    return SessionId(str(UUID(int=number)))
