"""What the agent knows of a session, and how it is loaded and saved.

Left out of the interface this keeps: the playback queue and the flags of an interrupted speaker.
They belong to media streaming, where one process holds the audio of a call; here calls are
turn-based, ACS owns playback, and what was asked of it is in the outbox. Saving in the background
is left out too: nothing on this platform is sure to run after the answer has been given.
"""

from typing import Any, Self

from shared.redis.manager import AzureRedisManager
from shared.state.changes import Changes
from shared.state.codec import (
    CONTEXT,
    DEFAULT_TTL_S,
    check_name,
    check_session_id,
    new_token,
    session_key,
)
from shared.state.facts import LATENCY_THREAD, MAX_LATENCY_NOTES, Facts
from shared.state.history import ThreadLimits
from shared.state.record import Record
from shared.state.session_ids import new_session_id
from shared.state.wire import RawSession, load_call, read_session, read_written, save_call
from shared.types import SessionId

_OWN_LIMITS = {LATENCY_THREAD: ThreadLimits(max_messages=2 * MAX_LATENCY_NOTES)}


class MemoManager(Facts):
    """The memory of a session: plain data that knows what of it is not saved yet.

    Nothing is stored before ``persist``. Two holders of one session both keep what they changed:
    messages are appended, and every context key is written by itself. A manager given on
    construction or loading is kept for later calls.
    """

    def __init__(
        self,
        session_id: str | None = None,
        redis_mgr: AzureRedisManager | None = None,
        *,
        raw: RawSession | None = None,
        ttl_s: int = DEFAULT_TTL_S,
        limits: ThreadLimits | None = None,
    ) -> None:
        name = new_session_id() if session_id is None else check_session_id(session_id)
        super().__init__(name, raw.fields if raw else None, raw.threads if raw else None)
        self._redis = redis_mgr
        self._ttl_s = ttl_s
        self._limits = limits or ThreadLimits()

    @classmethod
    def from_redis(cls, session_id: str, redis_mgr: AzureRedisManager) -> Self:
        """Load a session, or begin it.

        Blocks the thread for a round trip; asynchronous code uses ``from_redis_async``.
        """
        call = load_call(check_session_id(session_id))
        reply = redis_mgr.run_script_blocking(call.script, call.keys, call.args)
        return cls(session_id, redis_mgr, raw=read_session(reply))

    @classmethod
    async def from_redis_async(cls, session_id: str, redis_mgr: AzureRedisManager) -> Self:
        """Load a session, or begin it; one round trip."""
        return cls(session_id, redis_mgr, raw=await _read(redis_mgr, check_session_id(session_id)))

    async def persist_to_redis_async(
        self, redis_mgr: AzureRedisManager | None = None, ttl_seconds: int | None = None
    ) -> None:
        """Save what changed, in one round trip; no change, no round trip.

        The session then lives ``ttl_seconds`` (a day) from now. After an error everything counts
        as unsaved, and saving again stores nothing twice.

        Raises:
            UpstreamError: It could not be saved.
        """
        redis = self._manager(redis_mgr)
        if not self.has_changes:
            return
        ttl_s = self._ttl_s if ttl_seconds is None else ttl_seconds
        envelopes = self.envelopes(new_token())
        calls = [save_call(self.session_id, t, c, ttl_s) for t, c in envelopes.items()]
        replies = await redis.pipeline(calls, may_repeat=True)
        for token, reply in zip(envelopes, replies, strict=True):
            read_written(reply)
            self.mark_saved(token)

    async def persist(
        self, redis_mgr: AzureRedisManager | None = None, ttl_seconds: int | None = None
    ) -> None:
        """The same as ``persist_to_redis_async``."""
        await self.persist_to_redis_async(redis_mgr, ttl_seconds)

    async def refresh_from_redis_async(self, redis_mgr: AzureRedisManager | None = None) -> bool:
        """Load again and keep what is unsaved; true if the session exists."""
        raw = await _read(self._manager(redis_mgr), self.session_id)
        self.rebase(Record(self.session_id, raw.fields, raw.threads))
        return bool(raw.fields)

    async def check_for_changes(
        self, redis_mgr: AzureRedisManager | None = None
    ) -> dict[str, bool]:
        """Whether someone else has changed the ``corememory`` or the ``chat_history`` since."""
        raw = await _read(self._manager(redis_mgr), self.session_id)
        theirs = Record(self.session_id, raw.fields, raw.threads)
        return {
            "corememory": theirs.base_fields() != self.base_fields(),
            "chat_history": theirs.base_threads() != self.base_threads(),
        }

    async def get_live_context_value(
        self, redis_mgr: AzureRedisManager | None, key: str, default: Any = None
    ) -> Any:
        """What is stored under a context key right now; this memory stays as it is."""
        name = CONTEXT + check_name(key, kind="context key")
        memo_key = session_key(self.session_id, "memo")
        text = await self._manager(redis_mgr).hash_get_async(memo_key, name)
        fields = {} if text is None else {name: text}
        return Record(self.session_id, fields).get_field(name, default)

    async def set_live_context_value(
        self, redis_mgr: AzureRedisManager | None, key: str, value: object
    ) -> None:
        """Store one context key right now; other unsaved changes stay unsaved.

        Raises:
            UpstreamError: It could not be stored; the key keeps its value here.
        """
        alone = MemoManager(self.session_id, self._manager(redis_mgr), ttl_s=self._ttl_s)
        alone.set_context(key, value)
        await alone.persist()
        self.adopt_field(CONTEXT + key, value, label=key)

    def envelopes(self, token: str) -> dict[str, Changes]:
        """What has to be sent to save this memory, by token, in order; see ``Record.seal``."""
        self.cut_threads(_OWN_LIMITS, self._limits)
        return self.seal(token)

    def _manager(self, given: AzureRedisManager | None) -> AzureRedisManager:
        self._redis = given or self._redis
        if self._redis is None:
            raise ValueError("no Redis manager: give one here or on construction")
        return self._redis


async def _read(redis: AzureRedisManager, session_id: SessionId) -> RawSession:
    call = load_call(session_id)
    return read_session(await redis.run_script(call.script, call.keys, call.args))
