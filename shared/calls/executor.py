"""Does what the flow decided: on the phone, or by running a turn. Results come back as events."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

from shared.agent.turn import (
    CueKind,
    Finished,
    Handoff,
    Sentence,
    ToolFinished,
    ToolsRecorded,
    TurnItem,
    TurnRequest,
)
from shared.calls.commands import (
    Answer,
    Command,
    Dial,
    HangUp,
    Listen,
    RunTurn,
    Speak,
    StartRecording,
    Transfer,
)
from shared.calls.events import (
    AgentSwitched,
    CallAccepted,
    CommandDone,
    CommandEvent,
    CommandFailed,
    CommandFailure,
    Party,
    SentenceReady,
    ToolsRan,
    TurnFinished,
)
from shared.calls.failures import TelephonyError
from shared.calls.visit import Owned, Visit
from shared.latency.stages import Stages
from shared.speech.rendition import Rendition
from shared.speech.voices import Voice
from shared.telemetry.logs import get_logger
from shared.telemetry.metrics import CHARACTERS, record
from shared.types import AgentName, CallConnectionId, EventId, SessionId

logger = get_logger(__name__)


class Leg(Protocol):
    """The names ACS gave to a call."""

    @property
    def call_connection_id(self) -> CallConnectionId:
        """Names it in every later request."""
        ...

    @property
    def server_call_id(self) -> str:
        """Names it for recording; empty while it is being dialled."""
        ...


class Telephony(Protocol):
    """The phone; `shared.calls.telephony` is one. Every method raises `TelephonyError`."""

    async def answer(self, session_id: SessionId, command: Answer) -> Leg:
        """Take a ringing call."""
        ...

    async def dial(self, session_id: SessionId, command: Dial) -> Leg:
        """Call someone."""
        ...

    async def speak(
        self, call: CallConnectionId, command: Speak, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a sentence; from a sound file where there is one."""
        ...

    async def listen(
        self, call: CallConnectionId, command: Listen, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Queue a prompt and listen."""
        ...

    async def transfer(self, call: CallConnectionId, command: Transfer) -> None:
        """Connect the caller with somebody else."""
        ...

    async def start_recording(self, call: CallConnectionId, command: StartRecording) -> None:
        """Record the call until it ends."""
        ...

    async def hang_up(self, call: CallConnectionId, command: HangUp) -> None:
        """End the call."""
        ...


class Turns(Protocol):
    """Runs turns; `shared.agent.conversation` is one."""

    def run(self, request: TurnRequest, stages: Stages) -> AsyncGenerator[TurnItem, None]:
        """Run one turn."""
        ...


class Renderer(Protocol):
    """Makes sound files of texts; `shared.speech.prompts` is one."""

    async def render(self, text: str, voice: Voice, *, session_id: str) -> Rendition | None:
        """The file that says *text*; None if ACS shall say it. Soon, and without an `AppError`."""
        ...

    def distrust(self) -> None:
        """A caller did not hear us: leave it to ACS for a while."""
        ...


class CommandExecutor:
    """Does commands. Keeps nothing between them."""

    def __init__(
        self,
        *,
        telephony: Telephony,
        turns: Turns,
        voice_of: Callable[[AgentName], Voice],
        renderer: Renderer | None = None,
    ) -> None:
        """Do commands on that phone and with those turns.

        Args:
            telephony: The phone.
            turns: Runs turns.
            voice_of: Says how an agent sounds.
            renderer: Makes sound files; None: ACS says everything.
        """
        self._telephony = telephony
        self._turns = turns
        self._voice_of = voice_of
        self._renderer = renderer

    async def execute(self, visit: Visit, owned: Owned) -> AsyncGenerator[CommandEvent, None]:
        """Do a command; yield what came of it as it comes.

        An event's id names command, fence and position: the commit of a result may be retried, and
        a second owner's results are not taken for the first one's.
        """
        command = owned.command
        if not isinstance(command, RunTurn):
            yield await self._telephone(visit, command, _event_id(owned, 0))
            return
        async with aclosing(self._run_turn(visit, command, owned)) as events:
            async for event in events:
                yield event

    async def _telephone(self, visit: Visit, command: Command, event_id: EventId) -> CommandEvent:
        session_id, call = visit.session_id, visit.state.call_connection_id
        url: str | None = None
        try:
            match command:
                case Answer():
                    leg = await self._telephony.answer(session_id, command)
                    return _accepted(event_id, command, leg)
                case Dial():
                    leg = await self._telephony.dial(session_id, command)
                    return _accepted(event_id, command, leg)
                case Speak():
                    voice = self._voice_of(command.agent)
                    url = await self._rendered(visit, command.text, voice)
                    await self._telephony.speak(call, command, voice, url)
                case Listen():
                    voice = self._voice_of(command.agent)
                    url = await self._rendered(visit, command.text, voice)
                    await self._telephony.listen(call, command, voice, url)
                case Transfer():
                    await self._telephony.transfer(call, command)
                case StartRecording():
                    await self._telephony.start_recording(call, command)
                case HangUp():
                    await self._telephony.hang_up(call, command)
                case _:
                    raise AssertionError(type(command).__name__)
        except TelephonyError as error:
            facts = {"command": command.id, "failure": error.failure, "detail": error.detail}
            logger.warning("command failed", extra=facts)
            return CommandFailed(event_id, command.id, error.failure, error.detail)
        if isinstance(command, Speak | Listen):
            visit.first_words_accepted()
            record(CHARACTERS, len(command.text), {"renderer": "speech" if url else "acs"})
        return CommandDone(event_id, command.id)

    async def _rendered(self, visit: Visit, text: str, voice: Voice) -> str | None:
        """Where ACS finds *text* as sound; None: it says it itself."""
        if self._renderer is None or not text:
            return None
        if visit.state.cue is CueKind.TROUBLE:
            # The last prompt was not heard, perhaps because ACS could not fetch it.
            self._renderer.distrust()
            return None
        rendition = await self._renderer.render(text, voice, session_id=visit.session_id)
        if rendition is None:
            return None
        if rendition.allocation is not None:
            visit.spoke(rendition.allocation)
        return rendition.url

    async def _run_turn(
        self, visit: Visit, command: RunTurn, owned: Owned
    ) -> AsyncGenerator[CommandEvent, None]:
        state, number = visit.state, 0
        request = TurnRequest(
            session_id=visit.session_id,
            turn=command.turn,
            agent=state.agent,  # not the command's: a turn taken over may have handed off before
            cue=command.cue,
            channel=state.channel,
            failures=command.failures,
            memory=visit.memo,
            facts={"reason": state.reason},
        )
        if state.caller is not None and state.caller.raw_id.startswith("4:+"):
            visit.memo.set_context("caller_number", state.caller.raw_id.removeprefix("4:"))
        record = visit.begin_turn(command)
        try:
            async with aclosing(self._turns.run(request, visit.stages)) as items:
                async for item in items:
                    event = _event_of(item, _event_id(owned, number), command)
                    if isinstance(item, ToolFinished):
                        record.tool_finished(item)
                    elif isinstance(item, Finished):
                        record.finished(item)
                        visit.note_turn()
                    if event is not None:
                        number += 1
                        yield event
        except Exception:  # a bug must not be taken over and run again every 20 s
            logger.exception("turn crashed", extra={"turn": command.turn})
            failed = CommandFailure.UNAVAILABLE
            yield CommandFailed(_event_id(owned, number), command.id, failed, "crashed")


def _accepted(event_id: EventId, command: Command, leg: Leg) -> CallAccepted:
    return CallAccepted(event_id, command.id, leg.call_connection_id, leg.server_call_id)


def _event_id(owned: Owned, number: int) -> EventId:
    return EventId(f"{owned.command.id}#{owned.fence}.{number}")


def _event_of(item: TurnItem, event_id: EventId, command: RunTurn) -> CommandEvent | None:
    """The event that reports *item*; None for what only concerns the clock."""
    match item:
        case Sentence(text):
            return SentenceReady(event_id, command.id, text)
        case ToolsRecorded(messages):
            return ToolsRan(event_id, command.id, messages)
        case Handoff(agent):
            return AgentSwitched(event_id, command.id, agent)
        case Finished():
            return TurnFinished(
                event_id,
                command.id,
                item.text,
                item.after,
                transfer_to=Party(item.transfer_to) if item.transfer_to else None,
                transfer_next=tuple(Party(one) for one in item.transfer_next),
                is_degraded=item.is_degraded,
            )
        case _:
            return None
