"""One-time codes and counted tries, kept so that all instances see the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from shared.redis.manager import AzureRedisManager
from shared.redis.script import load_script
from shared.state.codec import check_name, session_key
from shared.types import SessionId


@dataclass(frozen=True, slots=True)
class CodeAttempt:
    """What became of a try: ``right``, ``wrong``, ``exhausted`` or ``none``."""

    state: str
    tries_left: int


class RedisCodes:
    """Digests of the codes that were sent in a session. Every call may raise ``UpstreamError``."""

    def __init__(self, redis: AzureRedisManager) -> None:
        self._redis = redis

    async def put(
        self, session_id: SessionId, name: str, digest: str, *, tries: int, ttl_s: int
    ) -> None:
        """Expect a code for *ttl_s*; what was expected under *name* before is forgotten."""
        await self._redis.run_script(
            load_script("code_put"), (_key(session_id, name),), (digest, tries, ttl_s)
        )

    async def attempt(
        self, session_id: SessionId, name: str, digests: Sequence[str], *, by: str
    ) -> CodeAttempt:
        """Try a code: any of *digests* is right, once, or again for the same *by*."""
        reply = await self._redis.run_script(
            load_script("code_attempt"),
            (_key(session_id, name),),
            (by, *digests),
            # A second run would cost a second try.
            may_repeat=False,
        )
        state, left = cast(tuple[str, int], reply)
        return CodeAttempt(str(state), int(left))

    async def drop(self, session_id: SessionId, name: str) -> None:
        """Expect no code any more."""
        await self._redis.delete_async(_key(session_id, name))


class RedisLimits:
    """Counts tries by scope. Every call may raise ``UpstreamError``; it may have counted then."""

    def __init__(self, redis: AzureRedisManager) -> None:
        self._redis = redis

    async def take(self, scope: str, *, limit: int, ttl_s: int) -> bool:
        """Count one try; False if *limit* were counted since the first, *ttl_s* ago at most."""
        reply = await self._redis.run_script(
            load_script("limit_take"), (_counter(scope),), (limit, ttl_s), may_repeat=False
        )
        return reply == 1

    async def give_back(self, scope: str) -> None:
        """Uncount one try."""
        await self._redis.run_script(
            load_script("limit_give_back"), (_counter(scope),), may_repeat=False
        )


def _key(session_id: SessionId, name: str) -> str:
    return session_key(session_id, f"code:{check_name(name, kind='code')}")


def _counter(scope: str) -> str:
    return f"va:limit:{check_name(scope, kind='scope')}"
