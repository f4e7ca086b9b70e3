"""Every rule of a call, and nothing else: no I/O, no clock, no randomness.

``advance(state, event)`` is total: any event in any state gives a step, and never raises. An event
that does not fit (stale, late, twice) gives the state back unchanged. What is said is not decided
here: the flow hands the agent a `Cue`, and the agent's turn comes back as events.

    NEW -> RINGING -> THINKING <-> LISTENING
                         |  (goodbye, transfer, voicemail)
                         v
                      PARTING -> HANGING_UP | TRANSFERRING | RECORDING -> ENDED
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from shared.agent.turn import After, Cue, CueKind
from shared.calls import events as ev
from shared.calls import leg
from shared.calls.commands import Command, Speak
from shared.calls.draft import Draft, is_awaited, kind_of
from shared.calls.state import CallState, Channel, Phase
from shared.types import AgentName, CommandId, Json

MAX_SILENCES = 3
MAX_MISSES = 3
MAX_FAILURES = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What one event brings about."""

    state: CallState
    commands: tuple[Command, ...] = ()
    """New, in the order in which they are to be done."""
    done: tuple[CommandId, ...] = ()
    """Leave the outbox: done, proven done by the event, or called off."""
    messages: tuple[tuple[AgentName, Json], ...] = ()
    """To be added to the agents' histories."""


def advance(state: CallState, event: ev.Event) -> Step:
    """Decide what follows from *event*."""
    rule = _RULES.get(type(event))
    if rule is None or (isinstance(event, ev.CommandEvent) and not is_awaited(state, event)):
        return Step(state)
    draft = Draft(state)
    rule(draft, event)
    return Step(draft.state, tuple(draft.commands), tuple(draft.done), tuple(draft.messages))


# --- the conversation -------------------------------------------------------------------------


def _on_chat_opened(draft: Draft, event: ev.ChatOpened) -> None:
    if draft.state.phase is Phase.NEW:
        draft.set(channel=Channel.CHAT, agent=event.agent or draft.state.agent)
        draft.respond(Cue(CueKind.GREETING))


def _on_text_received(draft: Draft, event: ev.TextReceived) -> None:
    if draft.state.channel is Channel.CHAT and draft.state.phase is Phase.LISTENING:
        _take_input(draft, Cue(CueKind.UTTERANCE, event.text), event.text, event.id)


def _on_speech_recognized(draft: Draft, event: ev.SpeechRecognized) -> None:
    _on_input(draft, event, Cue(CueKind.UTTERANCE, event.text), event.text)


def _on_tones_collected(draft: Draft, event: ev.TonesCollected) -> None:
    _on_input(draft, event, Cue(CueKind.TONES, event.tones), f"(typed) {event.tones}")


def _on_input(
    draft: Draft, event: ev.SpeechRecognized | ev.TonesCollected, cue: Cue, words: str
) -> None:
    if not _has_floor(draft, event.operation_context):
        return
    if cue.text.strip():
        _take_input(draft, cue, words, event.id)
    else:
        _missed(draft)


def _on_recognize_failed(draft: Draft, event: ev.RecognizeFailed) -> None:
    is_service = event.reason is ev.RecognizeFailure.SERVICE
    if not _has_floor(draft, event.operation_context, is_trouble=is_service):
        return
    match event.reason:
        case ev.RecognizeFailure.SILENCE:
            _was_silent(draft)
        case ev.RecognizeFailure.NOT_UNDERSTOOD:
            _missed(draft)
        case ev.RecognizeFailure.SERVICE:
            _had_trouble(draft)


def _on_recognize_canceled(draft: Draft, event: ev.RecognizeCanceled) -> None:
    if not _has_floor(draft, event.operation_context):
        return
    draft.set(failures=draft.state.failures + 1)
    if draft.state.failures < MAX_FAILURES:
        draft.listen("")  # what was to be said was said, or called off with it
    else:
        draft.hang_up()  # somebody calls off every listen: without end this would go round


def _has_floor(draft: Draft, operation_context: str, *, is_trouble: bool = False) -> bool:
    """Close the Listen that has ended; False if there is nothing to respond to.

    The end of a message, by whatever means, is the end of the call.
    """
    is_message = draft.state.phase is Phase.RECORDING
    if not draft.heard(operation_context):
        return False
    if is_message and is_trouble:
        leg.voicemail_failed(draft)
    elif is_message:
        draft.goodbye()
    return not is_message


def _take_input(draft: Draft, cue: Cue, words: str, event_id: str) -> None:
    draft.set(silences=0, misses=0)
    draft.respond(cue, words, event_id)


def _was_silent(draft: Draft) -> None:
    count = draft.state.silences + 1
    draft.set(silences=count)
    if count <= MAX_SILENCES:
        draft.respond(Cue(CueKind.SILENCE, count=count))
    else:
        draft.goodbye()


def _missed(draft: Draft) -> None:
    count = draft.state.misses + 1
    draft.set(misses=count)
    if count <= MAX_MISSES:
        draft.respond(Cue(CueKind.NOT_UNDERSTOOD, count=count))
    else:
        draft.goodbye()


def _had_trouble(draft: Draft) -> None:
    count = draft.state.failures + 1
    draft.set(failures=count)
    if count < MAX_FAILURES:
        draft.respond(Cue(CueKind.TROUBLE, count=count))
    else:
        draft.hang_up()  # they cannot hear us: a goodbye would be silence as well


# --- what a turn brings -----------------------------------------------------------------------


def _on_sentence_ready(draft: Draft, event: ev.SentenceReady) -> None:
    draft.say("assistant", event.text)
    if draft.state.channel is Channel.CALL:
        draft.issue(Speak, agent=draft.state.agent, text=event.text)


def _on_tools_ran(draft: Draft, event: ev.ToolsRan) -> None:
    for message in event.messages:
        draft.record(message)


def _on_agent_switched(draft: Draft, event: ev.AgentSwitched) -> None:
    draft.set(agent=event.agent)


def _on_turn_finished(draft: Draft, event: ev.TurnFinished) -> None:
    draft.close(event.command_id)
    if event.is_degraded:
        draft.set(failures=draft.state.failures + 1)
    elif draft.state.cue in (CueKind.UTTERANCE, CueKind.TONES):
        draft.set(failures=0)  # only an answer to what the caller said proves that we are well
    if event.text:
        draft.say("assistant", event.text)
    # A person is what the caller needs most when we have failed too often.
    is_hopeless = draft.state.failures >= MAX_FAILURES and event.after is After.LISTEN
    is_leaving = draft.state.cue is CueKind.GOODBYE or is_hopeless
    _after_turn(draft, event, After.HANG_UP if is_leaving else event.after)


def _after_turn(draft: Draft, event: ev.TurnFinished, after: After) -> None:
    is_chat = draft.state.channel is Channel.CHAT
    if after is After.LISTEN or (is_chat and after is not After.HANG_UP):
        draft.listen(event.text)
    elif is_chat:
        draft.hang_up()
    else:
        draft.set(phase=Phase.PARTING, after=after)
        if draft.state.cue is not CueKind.TRANSFER_NEXT:  # for that one it is known
            draft.set(transfer_to=event.transfer_to, transfer_next=event.transfer_next)
        if event.text:
            speak = draft.issue(Speak, agent=draft.state.agent, text=event.text)
            draft.set(prompt=speak)
        else:
            draft.leave()


def _on_summary_tried(draft: Draft, _: ev.SummaryTried) -> None:
    draft.set(summary_tries=draft.state.summary_tries + 1)


# --- prompts and transfers --------------------------------------------------------------------


def _on_prompt_started(draft: Draft, event: ev.PromptStarted) -> None:
    # Proves that the request was carried out, even if its own answer got lost.
    draft.close(CommandId(event.operation_context))


def _on_prompt_over(draft: Draft, event: ev.PromptFinished | ev.PromptFailed) -> None:
    draft.close(CommandId(event.operation_context))
    if draft.is_parting_with("speak", event.operation_context):
        draft.leave()


# --- when a command or a callback is lost -----------------------------------------------------


def _on_command_done(draft: Draft, event: ev.CommandDone) -> None:
    draft.close(event.command_id)
    if draft.is_parting_with("startrecording", event.command_id):
        leg.recording_started(draft)


def _on_command_failed(draft: Draft, event: ev.CommandFailed) -> None:
    draft.close(event.command_id)
    kind = kind_of(event.command_id)
    if event.failure is ev.CommandFailure.CALL_GONE:
        leg.on_call_ended(draft, ev.CallEnded(event.id))
    elif kind in ("answer", "dial"):
        draft.end("failed")
    elif kind in ("listen", "runturn") and draft.state.cue is CueKind.VOICEMAIL:
        leg.voicemail_failed(draft)
    elif kind in ("listen", "runturn"):
        _had_trouble(draft)
    elif draft.is_parting_with("startrecording", event.command_id):
        leg.voicemail_failed(draft)
    elif kind == "transfer":
        leg.transfer_failed(draft, ev.TransferFailure.FAILED)
    elif kind == "speak":
        _on_prompt_over(draft, ev.PromptFailed(event.id, event.command_id))
    # A failed hang-up is left to the reaper: it asks ACS and comes back as CallFoundSilent.


def _on_call_found_silent(draft: Draft, event: ev.CallFoundSilent) -> None:
    state = draft.state
    if state.phase is Phase.RINGING and state.call_connection_id:
        leg.greet(draft)
    elif state.phase is Phase.LISTENING and state.channel is Channel.CALL:
        draft.close(state.prompt)
        _was_silent(draft)
    elif state.phase is Phase.RECORDING:
        draft.close(state.prompt)
        draft.goodbye()
    elif state.phase is Phase.PARTING:
        draft.close(state.prompt)
        draft.leave()
    elif state.phase is Phase.TRANSFERRING:
        leg.transfer_failed(draft, ev.TransferFailure.NO_ANSWER)
    elif state.phase is Phase.HANGING_UP and state.call_connection_id:
        draft.close_all()
        draft.hang_up()


_RULES: dict[type[ev.Event], Callable[[Draft, Any], None]] = {
    ev.CallOffered: leg.on_call_offered,
    ev.CallPlaced: leg.on_call_placed,
    ev.CallAccepted: leg.on_call_accepted,
    ev.CallConnected: leg.on_call_connected,
    ev.CallEnded: leg.on_call_ended,
    ev.HangUpRequested: leg.on_hang_up_requested,
    ev.ChatOpened: _on_chat_opened,
    ev.TextReceived: _on_text_received,
    ev.SpeechRecognized: _on_speech_recognized,
    ev.TonesCollected: _on_tones_collected,
    ev.RecognizeFailed: _on_recognize_failed,
    ev.RecognizeCanceled: _on_recognize_canceled,
    ev.SentenceReady: _on_sentence_ready,
    ev.ToolsRan: _on_tools_ran,
    ev.AgentSwitched: _on_agent_switched,
    ev.TurnFinished: _on_turn_finished,
    ev.SummaryTried: _on_summary_tried,
    ev.PromptStarted: _on_prompt_started,
    ev.PromptFinished: _on_prompt_over,
    ev.PromptFailed: _on_prompt_over,
    ev.TransferAccepted: leg.on_transfer_accepted,
    ev.TransferFailed: leg.on_transfer_failed,
    ev.CommandDone: _on_command_done,
    ev.CommandFailed: _on_command_failed,
    ev.CallFoundSilent: _on_call_found_silent,
}
