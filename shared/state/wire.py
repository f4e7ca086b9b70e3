"""Reading and writing a session with the scripts of `shared/redis/scripts`."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

from shared.redis.script import Argument, ScriptCall, load_script
from shared.state.changes import Changes
from shared.state.codec import SCHEMA, DamagedStateError, SchemaTooNewError, session_key
from shared.types import CommandId, EventId, SessionId


@dataclass(frozen=True, slots=True)
class RawEntry:
    """An outbox entry as it is stored."""

    command_id: CommandId
    fence: int
    ends_ms: int
    owner: str
    command: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class RawSession:
    """Everything of a session, as text."""

    now_ms: int
    """The server's clock."""
    fields: dict[str, str] = field(repr=False)
    threads: dict[str, str] = field(repr=False)
    outbox: dict[str, str] = field(repr=False)
    is_seen: bool

    def entries(self) -> Iterator[tuple[CommandId, RawEntry | None]]:
        """The outbox in the order of fences; None stands for an entry that cannot be read."""
        read = [(CommandId(name), _read_entry(name, raw)) for name, raw in self.outbox.items()]
        yield from sorted(read, key=lambda pair: pair[1].fence if pair[1] else -1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One run of ``commit.lua``; the defaults are those of a plain save."""

    session_id: SessionId
    token: str
    ttl_s: int
    event_id: EventId | None = None
    expected_version: int | None = None
    instance_id: str = ""
    lease_ms: int = 0
    owner: tuple[CommandId, int] | None = None
    call: str = field(default="", repr=False)
    journal: str = field(default="", repr=False)
    operations: tuple[str | int, ...] = field(default=(), repr=False)

    def call_of_script(self) -> ScriptCall:
        """The script with its arguments."""
        args: tuple[Argument, ...] = (
            self.token,
            self.event_id or "",
            "" if self.expected_version is None else self.expected_version,
            self.ttl_s,
            SCHEMA,
            self.instance_id,
            self.lease_ms,
            *(self.owner or ("", "")),
            self.call,
            self.journal,
        )
        key = session_key(self.session_id, "memo")
        return ScriptCall(load_script("commit"), (key,), args + self.operations)


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a ``Write``."""

    outcome: str
    version: int
    fences: dict[CommandId, int]


def load_call(session_id: SessionId, event_id: EventId | None = None) -> ScriptCall:
    """The script that reads everything of a session."""
    return ScriptCall(load_script("load"), (session_key(session_id, "memo"),), (event_id or "",))


def save_call(session_id: SessionId, token: str, changes: Changes, ttl_s: int) -> ScriptCall:
    """The script that saves *changes* whatever the version."""
    write = Write(
        session_id=session_id, token=token, ttl_s=ttl_s, operations=tuple(changes.operations())
    )
    return write.call_of_script()


def read_session(reply: object) -> RawSession:
    """Read the answer of ``load.lua``.

    Raises:
        SchemaTooNewError: Newer code wrote the session.
        DamagedStateError: The number of the schema cannot be read.
    """
    now_ms, memo, threads, outbox, is_seen = cast(
        tuple[str, list[str], list[str], list[str], int], reply
    )
    fields = _pairs(memo)
    schema = fields.get("schema", "0")
    if not schema.isdecimal():
        raise DamagedStateError("session state: schema is damaged")
    if int(schema) > SCHEMA:
        raise SchemaTooNewError("session state was written by a newer version")
    return RawSession(
        now_ms=int(now_ms),
        fields=fields,
        threads=_pairs(threads),
        outbox=_pairs(outbox),
        is_seen=is_seen == 1,
    )


def read_written(reply: object) -> Written:
    """Read the answer of ``commit.lua``.

    Raises:
        SchemaTooNewError: Newer code wrote the session; nothing was written.
    """
    outcome, version, *rest = cast(list[str], reply)
    if outcome == "schema":
        raise SchemaTooNewError("session state was written by a newer version")
    fences = {CommandId(name): int(fence) for name, fence in _pairs(rest).items()}
    return Written(outcome=outcome, version=int(version), fences=fences)


def _pairs(flat: list[str]) -> dict[str, str]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _read_entry(name: str, raw: str) -> RawEntry | None:
    parts = raw.split(":", 3)
    if len(parts) != 4 or not parts[0].isdecimal() or not parts[1].isdecimal():
        return None
    return RawEntry(CommandId(name), int(parts[0]), int(parts[1]), parts[2], parts[3])
