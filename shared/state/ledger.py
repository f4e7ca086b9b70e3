"""What side-effecting tools have done, so that nothing is done twice."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import cast

from shared.errors import InvalidRequestError
from shared.redis.manager import AzureRedisManager
from shared.redis.script import load_script
from shared.state.codec import DamagedStateError, dumps, loads, new_token, session_key
from shared.types import Json, SessionId


class BeginState(StrEnum):
    """What is known of an idempotency key."""

    FRESH = "fresh"
    """Nothing was known: the key is the caller's, who must finish or forget it."""
    DONE = "done"
    IN_PROGRESS = "in_progress"
    """Someone began not long ago."""
    UNKNOWN = "unknown"
    """Someone began long ago and never said how it ended. It may have happened."""
    MISMATCH = "mismatch"
    """The key was used for something else."""


@dataclass(frozen=True, slots=True)
class Begin:
    """The answer to ``begin``."""

    state: BeginState
    result: Json | None = field(default=None, repr=False)
    """Of ``DONE`` only."""


class RedisLedger:
    """Idempotency keys of a session, or of nobody's (``session_id`` None).

    Entries end with their session, or after ``ttl_s``. Every call may raise ``UpstreamError``;
    after one from ``begin``, whether the key is claimed is unknown.
    """

    def __init__(
        self, redis: AzureRedisManager, ttl_s: int, *, unknown_after_s: float = 60.0
    ) -> None:
        self._redis = redis
        self._ttl_s = ttl_s
        self._unknown_after_ms = round(unknown_after_s * 1000)

    async def begin(self, session_id: SessionId | None, key: str, fingerprint: str) -> Begin:
        """Claim a key; of many callers at once one hears ``FRESH``.

        Args:
            session_id: Whose key it is.
            key: What is done.
            fingerprint: A digest of the arguments, one line.
        """
        if "\n" in fingerprint:
            raise InvalidRequestError("fingerprint: must be one line")
        redis_key, name = _place(session_id, key)
        reply = await self._redis.run_script(
            load_script("ledger_begin"),
            (redis_key,),
            (name, fingerprint, new_token(), self._ttl_s, self._unknown_after_ms),
        )
        state, *rest = cast(list[str], reply)
        if not rest:
            return Begin(BeginState(state))
        try:
            return Begin(BeginState.DONE, cast(Json, loads(rest[0])))
        except ValueError:
            raise DamagedStateError("ledger: a stored result is damaged") from None

    async def finish(self, session_id: SessionId | None, key: str, result: Json) -> None:
        """Store the result; the first one stays."""
        await self._end(session_id, key, "finish", dumps(result, name="result"))

    async def forget(self, session_id: SessionId | None, key: str) -> None:
        """Give the key back, because certainly nothing was done; a stored result stays."""
        await self._end(session_id, key, "forget", "")

    async def _end(self, session_id: SessionId | None, key: str, how: str, result: str) -> None:
        redis_key, name = _place(session_id, key)
        await self._redis.run_script(
            load_script("ledger_end"),
            (redis_key,),
            (name, how, self._ttl_s, result),
            # A late second "forget" could forget the claim of whoever came next.
            may_repeat=how == "finish",
        )


def _place(session_id: SessionId | None, key: str) -> tuple[str, str]:
    if not key:
        raise InvalidRequestError("idempotency key: must not be empty")
    if session_id is None:
        return f"va:ledger:{key}", ""
    return session_key(session_id, "ledger"), key
