"""Does what the flow decided: on the phone, or by running a turn. Results come back as events."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass

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
    Archive,
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
    SummaryTried,
    ToolsRan,
    TurnFinished,
)
from shared.calls.failures import TelephonyError
from shared.calls.ports import Archivist, Leg, Renderer, Telephony, Turns
from shared.calls.report import SUMMARY
from shared.calls.visit import Owned, Visit
from shared.errors import UpstreamError
from shared.speech.voices import Voice
from shared.telemetry.logs import get_logger
from shared.telemetry.metrics import CHARACTERS, record
from shared.types import AgentName, EventId

logger = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sound:
    """How a text is heard."""

    url: str | None = None
    """Where ACS finds it; None: it says it itself."""
    made_chars: int = 0
    """Characters that were made into sound for it."""


class CommandExecutor:
    """Does commands. Keeps nothing between them."""

    def __init__(
        self,
        *,
        telephony: Telephony,
        turns: Turns,
        voice_of: Callable[[AgentName], Voice],
        renderer: Renderer | None = None,
        archivist: Archivist | None = None,
    ) -> None:
        """Do commands on that phone and with those turns.

        Args:
            telephony: The phone.
            turns: Runs turns.
            voice_of: Says how an agent sounds.
            renderer: Makes sound files; None: ACS says everything.
            archivist: Keeps sessions that are over; None: they end with Redis.
        """
        self._telephony = telephony
        self._turns = turns
        self._voice_of = voice_of
        self._renderer = renderer
        self._archivist = archivist

    async def execute(self, visit: Visit, owned: Owned) -> AsyncGenerator[CommandEvent, None]:
        """Do a command; yield what came of it as it comes.

        An event's id names command, fence and position: the commit of a result may be retried, and
        a second owner's results are not taken for the first one's.
        """
        command = owned.command
        if isinstance(command, RunTurn):
            results = self._run_turn(visit, command, owned)
        elif isinstance(command, Archive):
            results = self._archive(visit, command, owned)
        else:
            yield await self._telephone(visit, command, _event_id(owned, 0))
            return
        async with aclosing(results) as events:
            async for event in events:
                yield event

    async def _archive(
        self, visit: Visit, command: Archive, owned: Owned
    ) -> AsyncGenerator[CommandEvent, None]:
        if self._archivist is not None:
            if visit.memo.get_context(SUMMARY) is None:
                has_summary = await self._archivist.sum_up(visit)
                usage = (visit.memo.get_context(SUMMARY) or {}).get("usage", {})
                tokens = usage.get("tokens", {})
                yield SummaryTried(_event_id(owned, 0), command.id, tokens)
                if not has_summary:
                    raise UpstreamError("no summary yet")  # the sweeper comes back to it
            await self._archivist.keep(visit)
        yield CommandDone(_event_id(owned, 1), command.id)

    async def _telephone(self, visit: Visit, command: Command, event_id: EventId) -> CommandEvent:
        session_id, call = visit.session_id, visit.state.call_connection_id
        sound = _Sound()
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
                    sound = await self._rendered(visit, command.text, voice)
                    await self._telephony.speak(call, command, voice, sound.url)
                case Listen():
                    voice = self._voice_of(command.agent)
                    sound = await self._rendered(visit, command.text, voice)
                    await self._telephony.listen(call, command, voice, sound.url)
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
            record(CHARACTERS, len(command.text), {"renderer": "speech" if sound.url else "acs"})
        return CommandDone(event_id, command.id, sound.made_chars)

    async def _rendered(self, visit: Visit, text: str, voice: Voice) -> _Sound:
        """Where ACS finds *text* as sound, or that it says it itself."""
        by_acs = _Sound(made_chars=len(text))
        if self._renderer is None or not text:
            return by_acs
        if visit.state.cue is CueKind.TROUBLE:
            # The last prompt was not heard, perhaps because ACS could not fetch it.
            self._renderer.distrust()
            return by_acs
        rendition = await self._renderer.render(text, voice, session_id=visit.session_id)
        if rendition is None:
            return by_acs
        if rendition.allocation is None:
            return _Sound(rendition.url)
        visit.spoke(rendition.allocation)
        return _Sound(rendition.url, len(text))

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
                tokens=item.usage.get("tokens", {}),
            )
        case _:
            return None
