"""What goes into a turn and what comes out of it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from shared.types import AgentName, Json, SessionId


class CueKind(StrEnum):
    """What the agent has to respond to."""

    GREETING = "greeting"
    UTTERANCE = "utterance"
    TONES = "tones"
    SILENCE = "silence"
    NOT_UNDERSTOOD = "not_understood"
    TROUBLE = "trouble"
    """Our own side failed (speech, prompt); the caller heard nothing useful."""
    TRANSFER_NEXT = "transfer_next"
    """A transfer failed, and the next person is going to be tried."""
    TRANSFER_FAILED = "transfer_failed"
    VOICEMAIL = "voicemail"
    """The recording runs: the caller may leave a message."""
    VOICEMAIL_FAILED = "voicemail_failed"
    GOODBYE = "goodbye"


@dataclass(frozen=True, slots=True)
class Cue:
    """What the agent has to respond to, with what came with it."""

    kind: CueKind
    text: str = field(default="", repr=False)
    """The caller's words or digits; the reason of a failed transfer."""
    count: int = 0
    """How often in a row this kind has come, from 1."""


class After(StrEnum):
    """What follows the last sentence of a turn."""

    LISTEN = "listen"
    HANG_UP = "hang_up"
    TRANSFER = "transfer"
    VOICEMAIL = "voicemail"


class Memory(Protocol):
    """What a turn reads and writes of the session; `MemoManager` is one."""

    def get_context(self, key: str, default: Any = None) -> Any:
        """The value kept under *key*."""
        ...

    def set_context(self, key: str, value: Any) -> None:
        """Keep *value* under *key*; saved with the next event of the turn."""
        ...

    def get_history(self, agent: str) -> list[Json]:
        """The agent's messages, oldest first; a copy."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRequest:
    """One turn to run."""

    session_id: SessionId
    turn: int
    """From 1; with the session it names the turn for ever."""
    agent: AgentName
    cue: Cue
    channel: str
    """``call`` or ``chat``."""
    failures: int
    """How many turns in a row have failed before this one."""
    memory: Memory
    facts: Json = field(default_factory=dict)
    """What the prompt may know beside the memory, for example why we called."""


@dataclass(frozen=True, slots=True)
class Sentence:
    """Say this; another sentence will follow."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolStarted:
    """A tool has begun."""

    name: str


@dataclass(frozen=True, slots=True)
class ToolFinished:
    """A tool has ended."""

    name: str
    is_success: bool
    duration_ms: float


@dataclass(frozen=True, slots=True)
class ToolsRecorded:
    """The tools of one model call have ended; to be kept before the model goes on."""

    messages: tuple[Json, ...] = field(repr=False)
    """The assistant message with its ``tool_calls``, then one ``tool`` message for each."""


@dataclass(frozen=True, slots=True)
class Handoff:
    """Another agent takes over and answers in this same turn."""

    to: AgentName


@dataclass(frozen=True, slots=True)
class Finished:
    """The turn is over."""

    text: str = field(repr=False)
    """The last sentence; empty if everything has been said."""
    after: After = After.LISTEN
    transfer_to: str = ""
    """Raw id of the person to connect to, for example ``4:+15551230000``."""
    transfer_next: tuple[str, ...] = ()
    """Whom to try if that fails, in this order."""
    is_degraded: bool = False
    """The turn failed; the text is a canned sentence that stands in for the answer."""
    usage: Json = field(default_factory=dict)
    """Model, ``input_tokens`` and ``output_tokens``, summed over the turn's model calls."""


TurnItem = Sentence | ToolStarted | ToolFinished | ToolsRecorded | Handoff | Finished
