"""What is read of a session, what is written to it, and what became of that."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from shared.state.codec import new_token
from shared.state.memo import MemoManager
from shared.types import AgentName, CallConnectionId, CommandId, EventId, Json, SessionId


@dataclass(frozen=True, slots=True)
class Pending:
    """A command that was decided and is not known to be done."""

    command_id: CommandId
    command: Json = field(repr=False)
    owner: str
    fence: int
    lease_left_s: float
    """How long the owner's lease still runs, by the server's clock; negative when it has ended."""

    @property
    def is_expired(self) -> bool:
        """Anybody may claim the command."""
        return self.lease_left_s <= 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """A session as it was when it was read."""

    memo: MemoManager = field(repr=False)
    version: int
    call: Json | None = field(repr=False)
    """The state of the call; None if there is none."""
    outbox: tuple[Pending, ...]
    """In the order the commands were decided or last claimed."""
    is_seen: bool
    """The event was applied before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One change of a session. Committing the same object again changes nothing again."""

    session_id: SessionId
    event_id: EventId | None = None
    expected_version: int | None = None
    """The version that was loaded; None: any."""
    call: Json | None = field(default=None, repr=False)
    """The new state of the call, which makes a new version."""
    messages: tuple[tuple[AgentName, Json], ...] = field(default=(), repr=False)
    """Appended to the histories, behind the memo's own unsaved messages."""
    memo: MemoManager | None = field(default=None, repr=False)
    """Its unsaved changes are part of the commit."""
    add: tuple[tuple[CommandId, Json], ...] = field(default=(), repr=False)
    """New commands, leased to this instance. One that is there already is decided anew."""
    done: tuple[CommandId, ...] = ()
    claim: tuple[tuple[CommandId, int], ...] = ()
    """Commands to take over, with the fence they were seen with; one that cannot be is skipped."""
    owner: tuple[CommandId, int] | None = None
    """The event is a result of this command: refused unless it is in the outbox with this fence."""
    journal: Json | None = field(default=None, repr=False)
    due_in_s: float | None = None
    """When the sweeper should look: when the first lease runs out."""
    link_call: CallConnectionId | None = None
    """The call that leads to this session from now on."""
    link_server_call: str | None = None
    """The server's name of the call, by which recordings name it, likewise."""
    token: str = field(default_factory=new_token, repr=False)
    """Names this commit, so that a repetition of it is recognised."""


class Outcome(StrEnum):
    """What became of a commit. Everything but APPLIED means that nothing was written."""

    APPLIED = "applied"
    SEEN = "seen"
    """Someone else applied this event."""
    CONFLICT = "conflict"
    """The version has moved: load again and decide again."""
    REFUSED = "refused"
    """The owner's command is done, or somebody else's by now."""


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer to a commit."""

    outcome: Outcome
    version: int
    """The version that is stored now."""
    fences: Mapping[CommandId, int]
    """Of the commands that were added, and of those that were claimed successfully."""
