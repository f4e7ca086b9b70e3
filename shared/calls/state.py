"""What the flow knows of a session: the whole input of a decision, beside the event."""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.agent.turn import After, CueKind
from shared.calls.events import Party
from shared.calls.meter import Meter
from shared.types import AgentName, CallConnectionId, CommandId, SessionId

NO_CALL = CallConnectionId("")
NO_COMMAND = CommandId("")


class Channel(StrEnum):
    """How the other side talks to us."""

    CALL = "call"
    CHAT = "chat"


class Phase(StrEnum):
    """Where a session stands."""

    NEW = "new"
    RINGING = "ringing"
    """An Answer or a Dial is out; nobody hears anything yet."""
    THINKING = "thinking"
    """A turn runs; some of its sentences may already be heard."""
    LISTENING = "listening"
    """The caller has the floor (or still hears the prompt they may interrupt)."""
    PARTING = "parting"
    """Our last words are being said; ``after`` follows them."""
    TRANSFERRING = "transferring"
    RECORDING = "recording"
    """The caller leaves a message."""
    HANGING_UP = "hanging_up"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallState:
    """One session. Never changed in place; `flow.advance` makes the next one."""

    session_id: SessionId
    agent: AgentName
    """Who talks now."""
    phase: Phase = Phase.NEW
    channel: Channel = Channel.CALL
    is_outbound: bool = False
    reason: str = ""
    """Why we called, for an outbound call."""
    is_recorded: bool = False
    """The call is to be recorded: from the greeting on, or for a message."""

    caller: Party | None = None
    """The person on the line, whoever dialled."""
    callee: Party | None = None
    """Our own number."""
    call_connection_id: CallConnectionId = NO_CALL
    server_call_id: str = ""
    correlation_id: str = ""

    turn: int = 0
    cue: CueKind | None = None
    """What the current turn responds to."""
    prompt: CommandId = NO_COMMAND
    """What we wait for: the Listen, the last Speak, the Transfer or StartRecording. Else empty."""
    after: After = After.LISTEN
    transfer_to: Party | None = None
    transfer_next: tuple[Party, ...] = ()
    """Whom to try if that fails, in this order."""

    silences: int = 0
    """Listens in a row in which nobody spoke."""
    misses: int = 0
    """Listens in a row that made no sense."""
    failures: int = 0
    """Failures of our own side in a row."""

    meter: Meter = field(default_factory=Meter)
    """What has been used; kept by the runner, of no concern to the flow."""
    serial: int = 0
    """Numbers commands and messages; grows, never restarts."""
    trace_parent: str = ""
    """Of the session's first invocation: every later one links to it."""
    open: tuple[CommandId, ...] = ()
    """Commands decided and not known to be done: what the outbox must hold."""
    summary_tries: int = 0
    outcome: str = ""
    """How the session ended: ``transferred``, ``voicemail``, ``completed``, ``caller_left``,
    ``not_connected``, ``failed``; empty while it goes on."""
