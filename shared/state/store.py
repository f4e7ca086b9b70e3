"""Sessions in Redis: loaded in one round trip, changed in one, completely or not at all."""

from typing import cast

from shared.clock import Clock
from shared.errors import InvalidRequestError
from shared.redis.manager import AzureRedisManager
from shared.redis.script import Command, ScriptCall, load_script
from shared.state.codec import (
    DUE_KEY,
    DamagedStateError,
    call_key,
    check_session_id,
    dumps,
    loads,
    server_call_key,
    session_key,
)
from shared.state.commits import Commit, Committed, Loaded, Outcome, Pending
from shared.state.history import ThreadLimits
from shared.state.memo import MemoManager
from shared.state.tally import LatencyTally
from shared.state.wire import RawSession, Write, load_call, read_session, read_written, save_call
from shared.telemetry.logs import get_logger
from shared.types import AgentName, CallConnectionId, EventId, Json, SessionId

__all__ = ["Commit", "Committed", "Loaded", "Outcome", "Pending", "SessionStore"]

logger = get_logger(__name__)


class SessionStore:
    """The sessions of the app. Every call may raise ``UpstreamError``."""

    def __init__(
        self,
        redis: AzureRedisManager,
        *,
        instance_id: str,
        lease_s: float,
        ttl_s: int,
        clock: Clock,
        limits: ThreadLimits | None = None,
    ) -> None:
        if ":" in instance_id or not instance_id:
            raise InvalidRequestError("instance_id: not empty, and without a colon")
        self._redis = redis
        self._instance_id = instance_id
        self._lease_ms = round(lease_s * 1000)
        self._ttl_s = ttl_s
        self._clock = clock
        self._limits = limits
        self.tally = LatencyTally(redis, clock)
        """What it has counted is sent along with the commits."""

    async def load(self, session_id: SessionId, event_id: EventId | None = None) -> Loaded:
        """Read everything of a session in one round trip; a new one is empty, version 0.

        Raises:
            SchemaTooNewError: Newer code wrote the session.
            DamagedStateError: The state of the call or its version cannot be read.
        """
        call = load_call(session_id, event_id)
        raw = read_session(await self._redis.run_script(call.script, call.keys, call.args))
        memo = MemoManager(session_id, self._redis, raw=raw, ttl_s=self._ttl_s, limits=self._limits)
        version = raw.fields.get("version", "0")
        if not version.isdecimal():
            raise DamagedStateError("session state: version is damaged")
        return Loaded(
            memo=memo,
            version=int(version),
            call=_read_call(raw),
            outbox=_read_outbox(raw, memo),
            is_seen=raw.is_seen,
        )

    async def commit(self, commit: Commit) -> Committed:
        """Write a change in one round trip.

        The memo counts as saved afterwards and has the commit's messages. When the commit was not
        applied, or on an error, its changes stay unsaved; committing the same object after an
        error finds out what became of it.

        Raises:
            InvalidRequestError: Something in it cannot be written as JSON.
        """
        if commit.memo is not None and commit.memo.session_id != commit.session_id:
            raise ValueError("the memory belongs to another session")
        messages = [(agent, dumps(message, name="message")) for agent, message in commit.messages]
        envelopes = commit.memo.envelopes(commit.token) if commit.memo is not None else {}
        operations: list[str | int] = []
        before: list[Command | ScriptCall] = self._listing(commit)
        for token, changes in envelopes.items():
            if token == commit.token:
                operations += changes.operations()
            else:
                # An earlier save whose answer was lost; repeating it is harmless.
                before.append(save_call(commit.session_id, token, changes, self._ttl_s))
        operations += self._operations(commit, messages)
        script = self._write(commit, operations)
        if rider := self.tally.rider():
            before.append(rider)
        replies = await self._redis.pipeline([*before, script], may_repeat=True)
        if rider:
            self.tally.delivered(rider)
        written = read_written(replies[-1])
        outcome = Outcome(written.outcome)
        if commit.memo is not None:
            self._settle_memo(commit.memo, commit, messages, outcome)
            for token in envelopes:
                if token != commit.token:
                    commit.memo.mark_saved(token)
        return Committed(outcome=outcome, version=written.version, fences=written.fences)

    async def exists(self, session_id: SessionId) -> bool:
        """True if something is stored of the session."""
        return await self._redis.exists_async(session_key(session_id, "memo"))

    async def session_for_call(self, call: CallConnectionId) -> SessionId | None:
        """The session of a call; None if no commit linked the two."""
        return await self._session_at(call_key(call))

    async def session_for_server_call(self, server_call_id: str) -> SessionId | None:
        """The session of a call that is recorded; None if no commit linked the two."""
        return await self._session_at(server_call_key(server_call_id))

    async def due(self, now: float, limit: int) -> list[tuple[SessionId, float]]:
        """Sessions that may have unfinished commands, with their score, the most overdue first.

        Args:
            now: Unix time in seconds.
            limit: At most so many.
        """
        flat = cast(
            list[str],
            await self._redis.execute(
                *("ZRANGE", DUE_KEY, "-inf", repr(now), "BYSCORE"),
                *("LIMIT", 0, limit, "WITHSCORES"),
                may_repeat=True,
            ),
        )
        return [
            (SessionId(name), float(score))
            for name, score in zip(flat[::2], flat[1::2], strict=True)
        ]

    async def due_at(self, session_id: SessionId) -> float | None:
        """When somebody should look at the session; None: no need."""
        score = await self._redis.execute(
            "ZSCORE", DUE_KEY, check_session_id(session_id), may_repeat=True
        )
        return None if score is None else float(cast(str, score))

    async def list_due(self, session_id: SessionId, due_in_s: float | None) -> None:
        """Put the session on the list of ``due`` anew; nothing if *due_in_s* is None."""
        if due_in_s is not None:
            await self._redis.execute(*self._due_command(session_id, due_in_s), may_repeat=True)

    async def settle(self, session_id: SessionId, score: float) -> None:
        """Take a session off the list of ``due``, unless a commit has listed it anew."""
        await self._redis.run_script(
            load_script("settle"), (DUE_KEY,), (check_session_id(session_id), repr(score))
        )

    async def journal(self, session_id: SessionId) -> list[Json]:
        """The journal of a session, the oldest entry first.

        Messages that left a thread that had become too long are entries of their own:
        ``{"kind": "compacted", "thread": …, "messages": […]}``.
        """
        reply = await self._redis.execute(
            "XRANGE", session_key(session_id, "journal"), "-", "+", may_repeat=True
        )
        entries = cast(list[tuple[str, list[str]]], reply)
        return [_read_journal(dict(zip(f[::2], f[1::2], strict=True))) for _, f in entries]

    async def _session_at(self, key: str) -> SessionId | None:
        found = await self._redis.get_value_async(key)
        return None if found is None else SessionId(found)

    def _due_command(self, session_id: SessionId, due_in_s: float) -> Command:
        score = self._clock.now().timestamp() + due_in_s
        return ("ZADD", DUE_KEY, repr(score), check_session_id(session_id))

    def _listing(self, commit: Commit) -> list[Command | ScriptCall]:
        """What is written before the commit, so that it can be there in vain but never missing."""
        commands: list[Command | ScriptCall] = []
        if commit.due_in_s is not None:
            commands.append(self._due_command(commit.session_id, commit.due_in_s))
        link = commit.link_call or (commit.memo.linked_call if commit.memo is not None else None)
        keys = [call_key(CallConnectionId(link))] if link else []
        if commit.link_server_call:
            keys.append(server_call_key(commit.link_server_call))
        # Repeated by every commit, so that they live as long as the session.
        name = check_session_id(commit.session_id)
        commands += [("SET", key, name, "EX", self._ttl_s) for key in keys]
        return commands

    def _operations(self, commit: Commit, messages: list[tuple[AgentName, str]]) -> list[str | int]:
        operations: list[str | int] = []
        for agent, text in messages:
            operations += ("A", agent, 1, text)
        if commit.link_call:
            operations += ("S", "link", commit.link_call)
        for name in commit.done:
            operations += ("-", name)
        for name, fence in commit.claim:
            operations += ("!", name, fence)
        for name, command in commit.add:
            operations += ("+", name, dumps(command, name="command"))
        return operations

    def _write(self, commit: Commit, operations: list[str | int]) -> ScriptCall:
        write = Write(
            session_id=commit.session_id,
            token=commit.token,
            ttl_s=self._ttl_s,
            event_id=commit.event_id,
            expected_version=commit.expected_version,
            instance_id=self._instance_id,
            lease_ms=self._lease_ms,
            owner=commit.owner,
            call="" if commit.call is None else dumps(commit.call, name="call"),
            journal="" if commit.journal is None else dumps(commit.journal, name="journal"),
            operations=tuple(operations),
        )
        return write.call_of_script()

    @staticmethod
    def _settle_memo(
        memo: MemoManager, commit: Commit, messages: list[tuple[AgentName, str]], outcome: Outcome
    ) -> None:
        if outcome is not Outcome.APPLIED:
            memo.unseal(commit.token)
        elif memo.mark_saved(commit.token):
            for agent, text in messages:
                memo.adopt_message(agent, text)
            if commit.link_call:
                memo.linked_call = commit.link_call


def _read_call(raw: RawSession) -> Json | None:
    text = raw.fields.get("call")
    if text is None:
        return None
    try:
        call = loads(text)
    except ValueError:
        call = None
    if not isinstance(call, dict):
        raise DamagedStateError("session state: call is damaged")
    return call


def _read_outbox(raw: RawSession, memo: MemoManager) -> tuple[Pending, ...]:
    outbox = []
    for name, entry in raw.entries():
        try:
            command = loads(entry.command) if entry is not None else None
        except ValueError:
            command = None
        if entry is None or not isinstance(command, dict):
            memo.report_damage(f"outbox:{name}")
            continue
        left_s = (entry.ends_ms - raw.now_ms) / 1000
        outbox.append(Pending(name, command, entry.owner, entry.fence, left_s))
    return tuple(outbox)


def _read_journal(fields: dict[str, str]) -> Json:
    try:
        if "entry" in fields:
            return cast(Json, loads(fields["entry"]))
        messages = loads(f"[{fields['messages']}]")
        return {"kind": "compacted", "thread": fields["thread"], "messages": messages}
    except (KeyError, ValueError):
        logger.error("journal entry is damaged")
        return {"kind": "damaged"}
