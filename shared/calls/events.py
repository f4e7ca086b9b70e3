"""What can happen to a session, normalised and frozen.

Every event carries an ``id`` that is the same on every redelivery; a session applies an id once.
Events from the outside are made by `callbacks.py` and by the functions; events that report on one
of our own commands name it in ``command_id`` and are made by the runner.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from shared.agent.turn import After
from shared.types import AgentName, CallConnectionId, CommandId, EventId, Json


@dataclass(frozen=True, slots=True)
class Party:
    """One end of a call, as ACS names it."""

    raw_id: str
    """For example ``4:+15551230000`` (phone), ``8:acs:…`` (ACS user), ``4:anonymous``."""


@dataclass(frozen=True, slots=True)
class Result:
    """ACS ``resultInformation``: 0 where ACS sent none."""

    code: int = 0
    sub_code: int = 0


class RecognizeFailure(StrEnum):
    """Why nothing was recognized, in the terms the flow decides by."""

    SILENCE = "silence"
    """Nobody spoke (8510)."""
    NOT_UNDERSTOOD = "not_understood"
    """Someone spoke or typed, and it made no sense (8532, 8534, 8547, 8563)."""
    SERVICE = "service"
    """Speech or prompt failed on their side (8511, 8564, 8565, 8570, 9999 and the rest)."""


class TransferFailure(StrEnum):
    """Why a person could not be reached."""

    BUSY = "busy"
    DECLINED = "declined"
    NO_ANSWER = "no_answer"
    FAILED = "failed"


class CommandFailure(StrEnum):
    """Why a command could not be carried out."""

    CALL_GONE = "call_gone"
    """The call is over or unknown: nothing more can be done on it."""
    REJECTED = "rejected"
    """The request itself is wrong; sending it again will not help."""
    UNAVAILABLE = "unavailable"
    """The service failed or did not answer in time, retries included."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    id: EventId


# --- from the outside -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CallOffered(Event):
    """A phone is ringing for us."""

    caller: Party
    callee: Party
    incoming_call_context: str = field(repr=False)
    correlation_id: str
    server_call_id: str = ""


@dataclass(frozen=True, slots=True)
class CallPlaced(Event):
    """A client asked us to call someone."""

    target: Party
    reason: str = ""
    """What the call is about, for the agent; free text of the client's."""


@dataclass(frozen=True, slots=True)
class CallConnected(Event):
    """Both ends can hear each other."""

    call_connection_id: CallConnectionId
    server_call_id: str = ""


@dataclass(frozen=True, slots=True)
class SpeechRecognized(Event):
    """The caller said something."""

    operation_context: str
    text: str = field(repr=False)
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class TonesCollected(Event):
    """The caller typed digits."""

    operation_context: str
    tones: str = field(repr=False)
    """Characters ``0``-``9``, ``A``-``D``, ``*`` and ``#``."""


@dataclass(frozen=True, slots=True)
class RecognizeFailed(Event):
    """A Listen ended without input."""

    operation_context: str
    reason: RecognizeFailure
    result: Result = Result()


@dataclass(frozen=True, slots=True)
class RecognizeCanceled(Event):
    """A Listen was called off before it ended."""

    operation_context: str


@dataclass(frozen=True, slots=True)
class PromptStarted(Event):
    """The caller begins to hear a prompt (a Speak, or the prompt of a Listen)."""

    operation_context: str


@dataclass(frozen=True, slots=True)
class PromptFinished(Event):
    """A Speak was heard to its end, or called off."""

    operation_context: str


@dataclass(frozen=True, slots=True)
class PromptFailed(Event):
    """A Speak could not be heard."""

    operation_context: str
    result: Result = Result()


@dataclass(frozen=True, slots=True)
class TransferAccepted(Event):
    """The person took the call."""

    operation_context: str


@dataclass(frozen=True, slots=True)
class TransferFailed(Event):
    """The person did not take the call; the caller is still with us."""

    operation_context: str
    reason: TransferFailure
    result: Result = Result()


@dataclass(frozen=True, slots=True)
class CallEnded(Event):
    """The call is over, for whatever reason, also when it never connected."""

    result: Result = Result()


@dataclass(frozen=True, slots=True)
class CallFoundSilent(Event):
    """Nothing came for minutes, yet ACS says that the call is alive: a callback was lost."""


@dataclass(frozen=True, slots=True)
class HangUpRequested(Event):
    """A client asked us to end the call."""


@dataclass(frozen=True, slots=True)
class ChatOpened(Event):
    """A text session begins."""

    agent: AgentName | None = None


@dataclass(frozen=True, slots=True)
class TextReceived(Event):
    """The other side of a text session wrote something."""

    text: str = field(repr=False)


def called_number(event: Event | None, our_number: str | None) -> str | None:
    """The number of ours that a session begins with, as ``+15551230000``; None if with none.

    Args:
        event: The first event of the session.
        our_number: The number that we call people from.
    """
    if isinstance(event, CallPlaced):
        return our_number
    if isinstance(event, CallOffered) and event.callee.raw_id.startswith("4:+"):
        return event.callee.raw_id.removeprefix("4:")
    return None


# --- results of our own commands --------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CommandEvent(Event):
    """What became of one of our commands."""

    command_id: CommandId


@dataclass(frozen=True, slots=True)
class CommandDone(CommandEvent):
    """ACS accepted it."""

    spoken_chars: int = 0
    """Characters that were made into sound for it, by ACS or by us; 0 from a file we had."""


@dataclass(frozen=True, slots=True)
class CallAccepted(CommandEvent):
    """ACS accepted an Answer or a Dial and gave the call its name."""

    call_connection_id: CallConnectionId
    server_call_id: str = ""


@dataclass(frozen=True, slots=True)
class CommandFailed(CommandEvent):
    """It could not be carried out."""

    failure: CommandFailure
    detail: str = ""
    """Code and subcode, for the journal."""


@dataclass(frozen=True, slots=True)
class TurnEvent(CommandEvent):
    """What a turn brings."""


@dataclass(frozen=True, slots=True)
class SentenceReady(TurnEvent):
    """The turn has a sentence to say, and another one will follow."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolsRan(TurnEvent):
    """The model called tools and they have ended."""

    messages: tuple[Json, ...] = field(repr=False)
    """The assistant message with its ``tool_calls``, then one ``tool`` message for each."""


@dataclass(frozen=True, slots=True)
class AgentSwitched(TurnEvent):
    """Another agent takes over within the turn."""

    agent: AgentName


@dataclass(frozen=True, slots=True)
class SummaryTried(CommandEvent):
    """The model was asked to sum the session up; what it gave is in the session's memory."""

    tokens: dict[str, dict[str, int]] = field(default_factory=dict)
    """What the model has read and written for it: by model ``input``, ``cached``, ``output``."""


@dataclass(frozen=True, slots=True)
class TurnFinished(TurnEvent):
    """The turn is over."""

    text: str = field(repr=False)
    """The last sentence; empty if there is nothing (more) to say."""
    after: After = After.LISTEN
    transfer_to: Party | None = None
    transfer_next: tuple[Party, ...] = ()
    """Whom to try if that fails, in this order."""
    is_degraded: bool = False
    """The turn failed and a canned sentence stands in for the answer."""
    tokens: dict[str, dict[str, int]] = field(default_factory=dict)
    """What the models have read and written: by model ``input``, ``cached`` and ``output``."""
