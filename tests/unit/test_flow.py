"""The rules of a call, one by one and over arbitrary sequences of events."""

import itertools
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agent.turn import After, CueKind
from shared.calls import events as ev
from shared.calls.codec import (
    decode_command,
    decode_event,
    decode_state,
    encode,
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
from shared.calls.draft import kind_of
from shared.calls.flow import MAX_FAILURES, Step, advance
from shared.calls.state import CallState, Channel, Phase
from shared.types import AgentName, CallConnectionId, CommandId, EventId
from tests.unit.flow_walks import CALLER, FRESH, PERSON, any_event


class Walk:
    """A session that is led from event to event; keeps the last step."""

    def __init__(self, state: CallState = FRESH) -> None:
        self.state = state
        self.step = Step(state)
        self._numbers = itertools.count(1)

    def on(self, kind: type[ev.Event], *details: Any, **more: Any) -> "Walk":
        """Apply an event of *kind* with a new id."""
        event = kind(EventId(f"e{next(self._numbers)}"), *details, **more)
        self.step = advance(self.state, event)
        self.state = self.step.state
        return self

    def command(self, kind: type[Command]) -> Any:
        """The one command of *kind* that the last step decided."""
        (found,) = [one for one in self.step.commands if isinstance(one, kind)]
        return found

    def answered(self) -> "Walk":
        """Ring, answer, connect: the greeting turn runs."""
        self.on(ev.CallOffered, CALLER, PERSON, "ctx", "corr")
        return self.on(ev.CallConnected, CallConnectionId("cc"), "server")

    def turn_ends(self, text: str = "Done.", **details: Any) -> "Walk":
        """Finish the turn that runs."""
        (turn,) = [one for one in self.state.open if one.startswith("runturn")]
        return self.on(ev.TurnFinished, turn, text, **details)

    def listening(self) -> "Walk":
        """Greeted; the caller has the floor."""
        return self.answered().turn_ends("Hello, how can I help?")

    def says(self, text: str = "my balance") -> "Walk":
        """The caller speaks."""
        return self.on(ev.SpeechRecognized, self.state.prompt, text)


def test_flow_answers_an_offered_call_once() -> None:
    """A second offer of the same call decides nothing: the phone is answered once."""
    walk = Walk().on(ev.CallOffered, CALLER, PERSON, "ctx", "corr")
    assert walk.command(Answer).incoming_call_context == "ctx"
    assert walk.state.phase is Phase.RINGING
    before = walk.state
    walk.on(ev.CallOffered, CALLER, PERSON, "ctx-2", "corr")
    assert walk.step == Step(before)


def test_flow_records_from_the_greeting_on_only_where_it_is_wanted() -> None:
    """The greeting comes first, so that nobody waits for the recording to start."""
    assert [type(one) for one in Walk().answered().step.commands] == [RunTurn]
    walk = Walk(replace(FRESH, is_recorded=True)).answered()
    assert [type(one) for one in walk.step.commands] == [RunTurn, StartRecording]
    walk.on(ev.CallConnected, CallConnectionId("cc"), "server")
    assert walk.step.commands == ()


def test_flow_records_also_when_nobody_told_that_the_call_is_connected() -> None:
    """The callback is lost and ACS says that the call lives: it begins like any other."""
    walk = Walk(replace(FRESH, is_recorded=True)).on(ev.CallOffered, CALLER, PERSON, "ctx", "corr")
    (answer,) = walk.state.open
    walk.on(ev.CallAccepted, answer, CallConnectionId("cc"), "server").on(ev.CallFoundSilent)
    assert [type(one) for one in walk.step.commands] == [RunTurn, StartRecording]


def test_flow_goes_on_when_a_recording_cannot_be_started() -> None:
    """A call without its recording is better than no call; the failure is no trouble of a turn."""
    walk = Walk(replace(FRESH, is_recorded=True)).answered()
    recording = walk.command(StartRecording)
    walk.on(ev.CommandFailed, recording.id, ev.CommandFailure.REJECTED)
    assert (walk.state.phase, walk.state.failures) == (Phase.THINKING, 0)
    assert recording.id not in walk.state.open


def test_flow_dials_and_greets_when_the_other_side_answers() -> None:
    """An outbound call greets like an inbound one and remembers why it was made."""
    walk = Walk().on(ev.CallPlaced, CALLER, "a reminder")
    assert walk.command(Dial).target == CALLER
    walk.on(ev.CallConnected, CallConnectionId("cc"))
    assert walk.command(RunTurn).cue.kind is CueKind.GREETING
    assert (walk.state.is_outbound, walk.state.reason) == (True, "a reminder")


def test_flow_greets_whatever_comes_first_answer_result_or_connected() -> None:
    """ACS may call back before it answers the request: both orders end alike."""
    first = Walk().on(ev.CallOffered, CALLER, PERSON, "ctx", "corr")
    first.on(ev.CallAccepted, CommandId("answer-1"), CallConnectionId("cc"), "server")
    first.on(ev.CallConnected, CallConnectionId("cc"), "server")
    second = Walk().on(ev.CallOffered, CALLER, PERSON, "ctx", "corr")
    second.on(ev.CallConnected, CallConnectionId("cc"), "server")
    second.on(ev.CallAccepted, CommandId("answer-1"), CallConnectionId("cc"), "server")
    assert first.state == second.state


def test_flow_listens_with_the_last_sentence_as_prompt() -> None:
    """Only a recognize prompt can be interrupted, so the last sentence is one."""
    listen = Walk().listening().command(Listen)
    assert (listen.text, listen.target) == ("Hello, how can I help?", CALLER)


def test_flow_records_words_before_it_has_them_spoken() -> None:
    """The step that decides a Speak carries the sentence for the history (G3)."""
    walk = Walk().listening().says()
    turn = walk.command(RunTurn)
    assert walk.step.messages[0][1]["content"] == "my balance"
    walk.on(ev.SentenceReady, turn.id, "Let me see.")
    assert walk.command(Speak).text == "Let me see."
    assert walk.step.messages == (
        (
            AgentName("concierge"),
            {"role": "assistant", "content": "Let me see.", "turn": 2, "n": 7},
        ),
    )


def test_flow_ignores_an_answer_to_an_older_prompt() -> None:
    """A late recognition must not begin a second turn."""
    walk = Walk().listening()
    old = walk.state.prompt
    walk.says().turn_ends("Your balance is fine.")
    before = walk.state
    assert walk.on(ev.SpeechRecognized, old, "again").step == Step(before)


def test_flow_reprompts_three_times_then_says_goodbye_and_hangs_up() -> None:
    """A silent line is asked three times and then left politely."""
    walk = Walk().listening()
    for count in (1, 2, 3):
        walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SILENCE)
        cue = walk.command(RunTurn).cue
        assert (cue.kind, cue.count) == (CueKind.SILENCE, count)
        walk.turn_ends("Are you still there?")
    walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SILENCE)
    assert walk.command(RunTurn).cue.kind is CueKind.GOODBYE
    walk.turn_ends("Goodbye.")
    assert walk.state.phase is Phase.PARTING
    walk.on(ev.PromptFinished, walk.state.prompt)
    assert isinstance(walk.command(HangUp), HangUp)


def test_flow_counts_silences_only_in_a_row() -> None:
    """Who has spoken in between is not silent: the count starts again."""
    walk = Walk().listening()
    walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SILENCE).turn_ends()
    walk.says().turn_ends()
    walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SILENCE)
    assert walk.command(RunTurn).cue.count == 1


@pytest.mark.parametrize("event", [ev.SpeechRecognized, ev.TonesCollected])
def test_flow_takes_empty_input_for_not_understood(event: type[ev.Event]) -> None:
    """Nothing recognized is not an utterance: the model is not asked about silence."""
    walk = Walk().listening()
    walk.on(event, walk.state.prompt, "")
    assert walk.command(RunTurn).cue.kind is CueKind.NOT_UNDERSTOOD


def test_flow_takes_digits_as_input() -> None:
    """What the caller types begins a turn like what they say."""
    walk = Walk().listening()
    walk.on(ev.TonesCollected, walk.state.prompt, "1234")
    assert walk.command(RunTurn).cue.kind is CueKind.TONES
    assert walk.step.messages[0][1]["content"] == "(typed) 1234"


def test_flow_listens_again_when_its_listen_is_called_off_but_not_for_ever() -> None:
    """A listen that somebody else cancels is asked for again, without turning round endlessly."""
    walk = Walk().listening()
    for _ in range(MAX_FAILURES - 1):
        walk.on(ev.RecognizeCanceled, walk.state.prompt)
        assert walk.command(Listen).text == ""
    assert walk.on(ev.RecognizeCanceled, walk.state.prompt).command(HangUp)


def test_flow_hangs_up_when_it_cannot_be_heard() -> None:
    """Speech that fails again and again would leave the caller in silence for ever (G6)."""
    walk = Walk().listening()
    for _ in range(MAX_FAILURES - 1):
        walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SERVICE)
        assert walk.command(RunTurn).cue.kind is CueKind.TROUBLE
        walk.turn_ends("Sorry.")
    walk.on(ev.RecognizeFailed, walk.state.prompt, ev.RecognizeFailure.SERVICE)
    assert walk.command(HangUp)


def test_flow_leaves_after_three_turns_without_an_answer() -> None:
    """The ladder ends: apology, offer of a person, goodbye (G6)."""
    walk = Walk().listening()
    for failures in range(MAX_FAILURES - 1):
        assert walk.says().command(RunTurn).failures == failures
        walk.turn_ends("Sorry.", is_degraded=True)
        assert walk.state.phase is Phase.LISTENING
    walk.says().turn_ends("Goodbye.", is_degraded=True)
    assert (walk.state.phase, walk.state.after) == (Phase.PARTING, After.HANG_UP)


def test_flow_forgives_failures_after_an_answer() -> None:
    """One bad turn must not count against a call that went on well."""
    walk = Walk().listening().says().turn_ends("Sorry.", is_degraded=True).says().turn_ends("Yes.")
    assert walk.state.failures == 0


def test_flow_transfers_after_the_last_words_were_heard() -> None:
    """A transfer at once would cut off the sentence that announces it."""
    walk = Walk().listening().says("a person, please")
    walk.turn_ends("I connect you.", after=After.TRANSFER, transfer_to=PERSON)
    speak = walk.command(Speak)
    assert (walk.state.phase, walk.state.prompt) == (Phase.PARTING, speak.id)
    transfer = walk.on(ev.PromptFinished, speak.id).command(Transfer)
    assert transfer.target == PERSON
    walk.on(ev.TransferAccepted, transfer.id).on(ev.CallEnded)
    assert (walk.state.phase, walk.state.outcome) == (Phase.ENDED, "transferred")


def test_flow_ends_alike_whether_accepted_or_ended_comes_first() -> None:
    """ACS promises no order of CallTransferAccepted and CallDisconnected."""
    walk = Walk().listening().says()
    walk.turn_ends("I connect you.", after=After.TRANSFER, transfer_to=PERSON)
    walk.on(ev.PromptFinished, walk.state.prompt)
    transferring = walk.state
    one = Walk(transferring).on(ev.TransferAccepted, transferring.prompt).on(ev.CallEnded)
    other = Walk(transferring).on(ev.CallEnded).on(ev.TransferAccepted, transferring.prompt)
    assert one.state == other.state


def test_flow_tells_the_caller_when_the_person_does_not_answer() -> None:
    """A failed transfer goes back to the conversation instead of into silence (G6)."""
    walk = Walk().listening().says()
    walk.turn_ends("I connect you.", after=After.TRANSFER, transfer_to=PERSON)
    walk.on(ev.PromptFinished, walk.state.prompt)
    walk.on(ev.TransferFailed, walk.state.prompt, ev.TransferFailure.BUSY)
    cue = walk.command(RunTurn).cue
    assert (cue.kind, cue.text) == (CueKind.TRANSFER_FAILED, "busy")


def test_flow_transfers_also_when_we_have_failed_too_often() -> None:
    """A person is what such a caller needs; to hang up instead would be the worst answer."""
    walk = Walk().listening()
    for _ in range(MAX_FAILURES - 1):
        walk.says().turn_ends("Sorry.", is_degraded=True)
    walk.says().turn_ends("One moment.", after=After.TRANSFER, transfer_to=PERSON, is_degraded=True)
    assert walk.on(ev.PromptFinished, walk.state.prompt).command(Transfer).target == PERSON


def test_flow_tries_the_next_person_before_it_gives_up() -> None:
    """The specialist is busy: the general desk may still help, and the caller is told."""
    walk = Walk().listening().says()
    desk = ev.Party("4:+15550007777")
    walk.turn_ends("I try.", after=After.TRANSFER, transfer_to=PERSON, transfer_next=(desk,))
    walk.on(ev.PromptFinished, walk.state.prompt)
    walk.on(ev.TransferFailed, walk.state.prompt, ev.TransferFailure.BUSY)
    assert walk.command(RunTurn).cue.kind is CueKind.TRANSFER_NEXT
    walk.turn_ends("I try the desk.", after=After.TRANSFER)
    transfer = walk.on(ev.PromptFinished, walk.state.prompt).command(Transfer)
    assert transfer.target == desk
    walk.on(ev.TransferFailed, transfer.id, ev.TransferFailure.NO_ANSWER)
    assert walk.command(RunTurn).cue.kind is CueKind.TRANSFER_FAILED


def test_flow_forgets_whom_an_earlier_transfer_was_to_try() -> None:
    """What was to follow the first attempt must not follow the second."""
    walk = Walk().listening().says()
    walk.turn_ends("I try.", after=After.TRANSFER, transfer_to=PERSON, transfer_next=(CALLER,))
    walk.on(ev.PromptFinished, walk.state.prompt)
    walk.on(ev.TransferFailed, walk.state.prompt, ev.TransferFailure.BUSY)
    walk.turn_ends("Sorry.", after=After.LISTEN).says()
    walk.turn_ends("I try again.", after=After.TRANSFER, transfer_to=PERSON)
    walk.on(ev.PromptFinished, walk.state.prompt)
    walk.on(ev.TransferFailed, walk.state.prompt, ev.TransferFailure.BUSY)
    assert walk.command(RunTurn).cue.kind is CueKind.TRANSFER_FAILED


def asked_for_voicemail() -> Walk:
    """The agent has announced it, and the recording is to begin."""
    walk = Walk().listening().says("a message, please")
    walk.turn_ends("I get it ready.", after=After.VOICEMAIL)
    return walk.on(ev.PromptFinished, walk.state.prompt)


def leaving_message() -> Walk:
    """The recording runs and the caller has been told to speak."""
    walk = asked_for_voicemail()
    walk.on(ev.CommandDone, walk.command(StartRecording).id)
    return walk.turn_ends("Please speak now.")


def test_flow_lets_the_caller_speak_when_the_recording_runs() -> None:
    """Not before: what is said before it runs would be lost."""
    walk = asked_for_voicemail()
    assert walk.state.is_recorded
    assert [type(one) for one in walk.step.commands] == [StartRecording]
    walk.on(ev.CommandDone, walk.command(StartRecording).id)
    assert walk.command(RunTurn).cue.kind is CueKind.VOICEMAIL
    listen = walk.turn_ends("Please speak now.").command(Listen)
    assert (listen.text, listen.is_message) == ("Please speak now.", True)
    assert (walk.state.phase, walk.state.outcome) == (Phase.RECORDING, "voicemail")


@pytest.mark.parametrize(
    "end",
    [
        lambda about: (ev.TonesCollected, about, "#"),
        lambda about: (ev.TonesCollected, about, ""),
        lambda about: (ev.RecognizeFailed, about, ev.RecognizeFailure.SILENCE),
        lambda about: (ev.RecognizeCanceled, about),
        lambda _: (ev.CallFoundSilent,),
    ],
)
def test_flow_says_goodbye_when_a_message_is_over(end: Any) -> None:
    """However it ends: a key, two minutes, or a callback that never came."""
    walk = leaving_message()
    listen = walk.state.prompt
    walk.on(*end(listen))
    assert walk.command(RunTurn).cue.kind is CueKind.GOODBYE
    walk.turn_ends("Goodbye.").on(ev.PromptFinished, walk.state.prompt)
    assert walk.command(HangUp)
    walk.on(ev.CallEnded)
    assert walk.state.outcome == "voicemail"
    assert listen not in walk.state.open


def test_flow_keeps_the_message_of_a_caller_who_hangs_up() -> None:
    """The usual end of a message."""
    assert leaving_message().on(ev.CallEnded).state.outcome == "voicemail"


def test_flow_promises_no_message_that_is_not_recorded() -> None:
    """The recording cannot be started: the caller is told, and may ask for something else."""
    walk = asked_for_voicemail()
    recording = walk.command(StartRecording)
    walk.on(ev.CommandFailed, recording.id, ev.CommandFailure.REJECTED)
    assert walk.command(RunTurn).cue.kind is CueKind.VOICEMAIL_FAILED
    walk.turn_ends("Sorry, no message.")
    assert (walk.state.phase, walk.state.outcome) == (Phase.LISTENING, "")


def test_flow_claims_no_message_that_the_caller_was_never_told_to_leave() -> None:
    """The turn that says when to speak breaks: the call goes on, and is none with a voicemail."""
    walk = asked_for_voicemail()
    walk.on(ev.CommandDone, walk.command(StartRecording).id)
    walk.on(ev.CommandFailed, walk.command(RunTurn).id, ev.CommandFailure.UNAVAILABLE)
    assert walk.command(RunTurn).cue.kind is CueKind.VOICEMAIL_FAILED
    assert walk.state.outcome == ""


def test_flow_tells_the_caller_when_a_message_could_not_be_asked_for() -> None:
    """ACS could not play the prompt: the caller does not know that it is their turn."""
    for failed in (ev.CommandFailed, ev.RecognizeFailed):
        walk, reason = leaving_message(), ev.RecognizeFailure.SERVICE
        what = ev.CommandFailure.UNAVAILABLE if failed is ev.CommandFailed else reason
        walk.on(failed, walk.state.prompt, what)
        assert walk.command(RunTurn).cue.kind is CueKind.VOICEMAIL_FAILED
        assert walk.state.outcome == ""


def test_flow_takes_no_message_in_a_chat() -> None:
    """Whoever writes has left a message already."""
    walk = Walk().on(ev.ChatOpened).turn_ends().on(ev.TextReceived, "a message")
    walk.turn_ends("I get it ready.", after=After.VOICEMAIL)
    assert walk.state.phase is Phase.LISTENING


def test_flow_calls_everything_off_when_the_caller_hangs_up() -> None:
    """Nothing is done on a call that is over."""
    walk = Walk().listening().says()
    assert walk.state.open
    walk.on(ev.CallEnded)
    assert walk.step.done
    assert (walk.state.open, walk.state.outcome) == ((walk.command(Archive).id,), "caller_left")


def test_flow_archives_a_session_that_is_over_once() -> None:
    """Whoever says again that it is over changes nothing; the attempts to sum it up count."""
    walk = Walk().listening().on(ev.CallEnded)
    archive = walk.command(Archive).id
    assert walk.on(ev.CallEnded).step.commands == ()
    walk.on(ev.SummaryTried, archive).on(ev.SummaryTried, archive)
    assert walk.state.summary_tries == 2
    walk.on(ev.CommandDone, archive)
    assert walk.state.open == ()
    assert walk.on(ev.SummaryTried, archive).state.summary_tries == 2


def test_flow_ends_when_the_call_is_gone() -> None:
    """A command that finds no call any more ends the session like a hang-up."""
    walk = Walk().listening()
    walk.on(ev.CommandFailed, walk.state.prompt, ev.CommandFailure.CALL_GONE)
    assert walk.state.phase is Phase.ENDED


def test_flow_takes_a_started_prompt_as_proof_that_it_was_requested() -> None:
    """The instance died between request and commit: the prompt is not said twice."""
    walk = Walk().listening()
    listen = walk.state.prompt
    assert listen in walk.state.open
    walk.on(ev.PromptStarted, listen)
    assert walk.step.done == (listen,)
    assert walk.state.phase is Phase.LISTENING


def test_flow_refuses_the_late_result_of_a_closed_command() -> None:
    """A sentence of a turn that was called off is not said."""
    walk = Walk().listening().says()
    (turn,) = walk.state.open[-1:]
    walk.on(ev.CallEnded)
    before = walk.state
    assert walk.on(ev.SentenceReady, turn, "too late").step == Step(before)


def test_flow_hangs_up_an_unnamed_call_as_soon_as_it_has_a_name() -> None:
    """A client may cancel an outbound call before ACS has named it."""
    walk = Walk().on(ev.CallPlaced, CALLER).on(ev.HangUpRequested)
    assert not walk.step.commands
    walk.on(ev.CallAccepted, CommandId("dial-1"), CallConnectionId("cc"))
    assert walk.command(HangUp)


def test_flow_goes_on_when_a_callback_was_lost() -> None:
    """The reaper finds the call alive: whatever was awaited is taken for silence or done."""
    walk = Walk().listening().on(ev.CallFoundSilent)
    assert walk.command(RunTurn).cue.kind is CueKind.SILENCE
    parting = Walk().listening().says().turn_ends("Bye.", after=After.HANG_UP)
    assert parting.on(ev.CallFoundSilent).command(HangUp)


def test_flow_runs_a_chat_without_a_phone() -> None:
    """The same rules serve text: no Speak and no Listen, and one turn at a time."""
    walk = Walk().on(ev.ChatOpened, AgentName("fraud"))
    assert (walk.state.channel, walk.state.agent) == (Channel.CHAT, "fraud")
    before = walk.state
    assert walk.on(ev.TextReceived, "hello?").step == Step(before)
    walk.turn_ends("Hello.")
    assert walk.state.phase is Phase.LISTENING
    assert not walk.step.commands
    assert walk.on(ev.TextReceived, "hi").command(RunTurn).cue.text == "hi"


@settings(max_examples=400, deadline=None)
@given(st.integers(0))
def test_flow_is_total_and_keeps_its_books_over_any_events(seed: int) -> None:
    """Any event in any state gives a step, and the open commands are exactly those not yet done."""
    state, random = FRESH, Random(seed)
    outbox: set[CommandId] = set()
    for _ in range(40):
        event = any_event(state, random)
        step = advance(state, event)
        assert set(step.done) <= outbox | {one.id for one in step.commands}
        outbox |= {one.id for one in step.commands}
        outbox -= set(step.done)
        assert outbox == set(step.state.open)
        assert len(step.state.open) == len(outbox)
        assert step.state.serial >= state.serial
        assert step.state.turn in (state.turn, state.turn + 1)
        if step.state.phase is Phase.ENDED:
            assert {kind_of(one) for one in outbox} <= {"archive"}
        if state.phase is Phase.ENDED:
            assert not step.commands
        assert decode_state(encode(step.state)) == step.state
        assert decode_event(encode(event)) == event
        assert [decode_command(encode(one)) for one in step.commands] == list(step.commands)
        state = step.state


@settings(max_examples=400, deadline=None)
@given(st.integers(0))
def test_flow_changes_once_for_an_outside_event_that_comes_twice(seed: int) -> None:
    """Even without the list of seen events a callback that comes again changes nothing (G1)."""
    state, random = FRESH, Random(seed)
    for _ in range(40):
        event = any_event(state, random)
        once = advance(state, event).state
        # A text, or a silence found, is not told from a new one by what it says: its id does that.
        is_told_apart = isinstance(event, ev.CommandEvent | ev.TextReceived | ev.CallFoundSilent)
        if not is_told_apart:
            assert advance(once, event) == Step(once)
        state = once
