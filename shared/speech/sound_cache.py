"""Sound files in Redis, by the hash of what they say."""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Sequence
from typing import Protocol

from shared.errors import UpstreamError
from shared.redis.script import Command

Reply = object


class Store(Protocol):
    """What is needed of Redis; `shared.redis.manager` has it."""

    async def get_value_async(self, key: str) -> str | None:
        """What is stored."""
        ...

    async def set_value_async(self, key: str, value: object, expire: float | None = None) -> None:
        """Store *value* for *expire* seconds."""
        ...

    async def pipeline(
        self, commands: Sequence[Command], *, may_repeat: bool = False
    ) -> Sequence[Reply]:
        """Run commands in one round trip."""
        ...


class RedisSoundCache:
    """Keeps sound files; each method is one round trip and may raise `UpstreamError`."""

    def __init__(self, redis: Store) -> None:
        self._redis = redis

    async def get(self, prompt_id: str) -> bytes | None:
        """The file; None if there is none (any more)."""
        text = await self._redis.get_value_async(_key(prompt_id))
        if text is None:
            return None
        try:
            return b64decode(text, validate=True)
        except binascii.Error as err:
            raise UpstreamError("session store: a stored sound is damaged") from err

    async def put(self, prompt_id: str, wav: bytes, ttl_s: float) -> None:
        """Keep a file for *ttl_s*; again renews it."""
        # As text: the connection decodes all answers, and sound is not UTF-8.
        await self._redis.set_value_async(_key(prompt_id), b64encode(wav), ttl_s)

    async def renew(self, prompt_ids: Sequence[str], ttl_s: float) -> list[bool]:
        """Keep those that are there for *ttl_s* from now; which of them are, in order."""
        if not prompt_ids:
            return []
        milliseconds = str(round(ttl_s * 1000))
        commands = [("PEXPIRE", _key(one), milliseconds) for one in prompt_ids]
        return [reply == 1 for reply in await self._redis.pipeline(commands, may_repeat=True)]


def _key(prompt_id: str) -> str:
    return f"va:prompt:{prompt_id}"
