"""The telephony port and the callback reader on a simulated call: the words, the keys, the ends."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from shared.auth.fetch import fetch_json
from shared.auth.tokens import AcsTokenVerifier, JwksCache
from shared.auth.websocket import ACS_ISSUER
from shared.calls import events as ev
from shared.calls.callbacks import parse_callbacks, parse_incoming_call
from shared.calls.commands import Answer, Dial, HangUp, Listen, Speak, StartRecording, Transfer
from shared.calls.failures import TelephonyError
from shared.calls.telephony import CallLeg, Telephony, TelephonyOptions
from shared.clock import SystemClock
from shared.speech.voices import Voice
from shared.types import AgentName, CallConnectionId, CommandId, SessionId
from simulator.acs import Chaos, Heard, Mumble, Pace, Person, Press, RestFault, Say, Stay, Step
from simulator.acs import HangUp as CallerHangsUp
from tests.contract.acs_simulator_stage import (
    ACCESS_KEY,
    AGENT,
    AUDIENCE,
    CALLER,
    COGNITIVE,
    WAIT_S,
    Stage,
    build_stage,
)

SESSION = SessionId("0190a1b2-0000-7000-8000-000000000001")
CONCIERGE = AgentName("concierge")
CALLER_PARTY = ev.Party(f"4:{CALLER}")
PERSON = "+15554560000"
VOICE = Voice("en-US-AvaMultilingualNeural", "en-US")
LISTEN = Listen(CommandId("listen-1"), CONCIERGE, "How can I help?", CALLER_PARTY)
TRANSFER = Transfer(CommandId("transfer-1"), ev.Party(f"4:{PERSON}"))

E = TypeVar("E", bound=ev.Event)


def connect(stage: Stage) -> Telephony:
    """A port to the simulator."""
    return Telephony.connect(
        endpoint=stage.sim.endpoint,
        credential=ACCESS_KEY,
        callback_url=lambda _: stage.app.url,
        options=TelephonyOptions(cognitive_services_endpoint=COGNITIVE, caller_id_number=AGENT),
    )


@asynccontextmanager
async def open_port(stage: Stage) -> AsyncIterator[Telephony]:
    """A port that is closed in the end."""
    port = connect(stage)
    try:
        yield port
    finally:
        await port.aclose()


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """The simulator and an app that takes its callbacks."""
    async with build_stage() as built:
        yield built


@pytest.fixture
async def port(stage: Stage) -> AsyncIterator[Telephony]:
    """The port under test."""
    async with open_port(stage) as opened:
        yield opened


async def next_event(stage: Stage, kind: type[E], context: str | None = None) -> E:
    """Wait until a callback meant an event of *kind*."""

    def found() -> E | None:
        for post in stage.app.posts:
            for callback in parse_callbacks(json.dumps(post).encode()):
                is_it = context in (None, callback.operation_context)
                if isinstance(callback.event, kind) and is_it:
                    return callback.event
        return None

    async with asyncio.timeout(WAIT_S), stage.app.changed:
        await stage.app.changed.wait_for(lambda: found() is not None)
    event = found()
    assert event is not None
    return event


async def ring(stage: Stage, script: Sequence[Step]) -> Answer:
    """Let a phone ring, and answer what the event says."""
    await stage.sim.ring(caller=CALLER, callee=AGENT, script=script)
    offer = stage.app.offers[-1]
    offered = parse_incoming_call(offer["id"], offer["data"])
    assert (offered.caller, offered.callee) == (CALLER_PARTY, ev.Party(f"4:{AGENT}"))
    return Answer(CommandId("answer-1"), offered.incoming_call_context)


async def pick_up(stage: Stage, port: Telephony, script: Sequence[Step]) -> CallLeg:
    """A call that is connected."""
    leg = await port.answer(SESSION, await ring(stage, script))
    connected = await next_event(stage, ev.CallConnected)
    assert connected.call_connection_id == leg.call_connection_id
    return leg


@pytest.mark.parametrize(
    ("step", "kind", "value"),
    [
        (Say("I lost my card."), ev.SpeechRecognized, "I lost my card."),
        (Say("Stop.", interrupts=True), ev.SpeechRecognized, "Stop."),
        (Press("42#"), ev.TonesCollected, "42"),
        (Stay(), ev.RecognizeFailed, ev.RecognizeFailure.SILENCE),
        (Mumble(), ev.RecognizeFailed, ev.RecognizeFailure.NOT_UNDERSTOOD),
    ],
)
async def test_call_hears_what_the_caller_does(
    stage: Stage, port: Telephony, step: Step, kind: type[ev.Event], value: object
) -> None:
    """What goes out is understood by ACS, and what comes back by us."""
    leg = await pick_up(stage, port, [step])
    speak = Speak(CommandId("speak-1"), CONCIERGE, "Welcome <to> the bank.")
    await port.speak(leg.call_connection_id, speak, VOICE)
    await port.listen(leg.call_connection_id, LISTEN, VOICE)
    assert await next_event(stage, ev.PromptFinished, "speak-1")
    assert await next_event(stage, ev.PromptStarted, "listen-1")
    event = await next_event(stage, kind, "listen-1")
    heard = [getattr(event, name, None) for name in ("text", "tones", "reason")]
    assert value in heard
    (phone,) = stage.sim.phone_calls.values()
    prompts = [entry.text for entry in phone.transcript if isinstance(entry, Heard)]
    assert prompts == ["Welcome <to> the bank.", "How can I help?"]


async def test_call_that_the_caller_ends_is_gone(stage: Stage, port: Telephony) -> None:
    """Whatever is asked of it afterwards, the answer is the same."""
    leg = await pick_up(stage, port, [CallerHangsUp()])
    call = leg.call_connection_id
    assert await port.is_alive(call)
    await port.listen(call, LISTEN, VOICE)
    assert await next_event(stage, ev.CallEnded)
    assert not await port.is_alive(call)
    await port.hang_up(call, HangUp(CommandId("hangup-1")))
    for operation in (port.listen(call, LISTEN, VOICE), port.transfer(call, TRANSFER)):
        with pytest.raises(TelephonyError) as caught:
            await operation
        assert caught.value.failure is ev.CommandFailure.CALL_GONE


async def test_call_that_we_end_is_ended_once(stage: Stage, port: Telephony) -> None:
    """A hang-up that is sent again is no error."""
    leg = await pick_up(stage, port, [])
    for _ in range(2):
        await port.hang_up(leg.call_connection_id, HangUp(CommandId("hangup-1")))
    assert (await next_event(stage, ev.CallEnded)).result == ev.Result(200, 7000)


async def test_call_answered_by_two_instances_is_one(stage: Stage, port: Telephony) -> None:
    """Two deliveries of one event must not make two calls, nor an error of the second."""
    answer = await ring(stage, [])
    async with open_port(stage) as other:
        legs = await asyncio.gather(port.answer(SESSION, answer), other.answer(SESSION, answer))
    assert legs[0] == legs[1]
    assert len(stage.sim.calls) == 1


async def test_call_whose_answer_was_lost_on_the_way_is_answered() -> None:
    """The line is cut after ACS has answered: sent again, the same call comes back."""
    faults = [RestFault("answer", None, after_effect=True)]
    async with build_stage(chaos=Chaos(rest_faults=faults)) as stage, open_port(stage) as port:
        leg = await pick_up(stage, port, [])
        assert list(stage.sim.calls) == [leg.call_connection_id]


async def test_sentence_whose_acceptance_was_lost_is_heard_once() -> None:
    """ACS queued it and then failed: sent again, it would be heard twice."""
    faults = [RestFault("play", 503, retry_after=0, after_effect=True)]
    async with build_stage(chaos=Chaos(rest_faults=faults)) as stage, open_port(stage) as port:
        leg = await pick_up(stage, port, [])
        with pytest.raises(TelephonyError) as caught:
            speak = Speak(CommandId("speak-1"), CONCIERGE, "Only once.")
            await port.speak(leg.call_connection_id, speak, VOICE)
        assert caught.value.failure is ev.CommandFailure.UNAVAILABLE
        assert await next_event(stage, ev.PromptFinished, "speak-1")
        (phone,) = stage.sim.phone_calls.values()
        assert [e.text for e in phone.transcript if isinstance(e, Heard)] == ["Only once."]


async def test_transfer_ordered_by_two_instances_happens_once(
    stage: Stage, port: Telephony
) -> None:
    """The person's phone must not ring twice."""
    stage.sim.phones[PERSON] = Person("accepted")
    leg = await pick_up(stage, port, [])
    async with open_port(stage) as other:
        for one in (port, other):
            await one.transfer(leg.call_connection_id, TRANSFER)
    assert await next_event(stage, ev.TransferAccepted, "transfer-1")
    assert await next_event(stage, ev.CallEnded)
    assert len(stage.app.of("CallTransferAccepted")) == 1


@pytest.mark.parametrize(
    ("person", "reason"),
    [
        (Person("busy"), ev.TransferFailure.BUSY),
        (Person("declined"), ev.TransferFailure.DECLINED),
        (Person("no_answer"), ev.TransferFailure.NO_ANSWER),
        (Person("failed"), ev.TransferFailure.FAILED),
    ],
)
async def test_transfer_that_fails_says_why(person: Person, reason: ev.TransferFailure) -> None:
    """The caller is still there and has to be told."""
    pace = Pace(speed=50, ring_s=100)
    async with build_stage(pace=pace) as stage, open_port(stage) as port:
        stage.sim.phones[PERSON] = person
        leg = await pick_up(stage, port, [])
        await port.transfer(leg.call_connection_id, TRANSFER)
        failed = await next_event(stage, ev.TransferFailed, "transfer-1")
        assert failed.reason is reason
        assert await port.is_alive(leg.call_connection_id)


@pytest.mark.parametrize(
    ("person", "kind"), [(Person("accepted"), ev.CallConnected), (Person("busy"), ev.CallEnded)]
)
async def test_dial_is_accepted_before_anybody_answers(
    stage: Stage, port: Telephony, person: Person, kind: type[ev.Event]
) -> None:
    """Whether somebody answered comes later, as an event."""
    stage.sim.phones[PERSON] = person
    dial = Dial(CommandId("dial-1"), ev.Party(f"4:{PERSON}"))
    leg = await port.dial(SESSION, dial)
    assert leg == await port.dial(SESSION, dial)
    assert await next_event(stage, kind)


async def test_recording_runs_once_however_often_it_is_asked_for(
    stage: Stage, port: Telephony
) -> None:
    """A second request, also by another command, finds the call recorded and is content."""
    leg = await pick_up(stage, port, [])
    await port.start_recording(
        leg.call_connection_id, StartRecording(CommandId("startrecording-1"))
    )
    await port.start_recording(
        leg.call_connection_id, StartRecording(CommandId("startrecording-2"))
    )
    assert [one.state for one in stage.sim.recordings] == ["active"]


async def test_recording_of_a_call_that_is_over_fails(stage: Stage, port: Telephony) -> None:
    """The flow hears that the call is gone."""
    command = StartRecording(CommandId("startrecording-1"))
    with pytest.raises(TelephonyError) as caught:
        await port.start_recording(CallConnectionId("no-such-call"), command)
    assert caught.value.failure is ev.CommandFailure.CALL_GONE


async def test_warm_finds_the_simulator(stage: Stage, port: Telephony) -> None:
    """Asking for a call that is not there is answered as expected."""
    await port.warm()
    assert [one.operation for one in stage.sim.requests] == ["getCallProperties"]


async def test_callback_tokens_are_verified(stage: Stage, port: Telephony) -> None:
    """The tokens that come with callbacks pass, also across a rotation; forged ones do not."""
    keys = JwksCache(stage.sim.jwks_url, fetch=fetch_json, clock=SystemClock(), cooldown_s=0)
    verifier = AcsTokenVerifier(keys, issuer=ACS_ISSUER, audience=AUDIENCE)
    leg = await pick_up(stage, port, [])
    await stage.app.wait_for("ParticipantsUpdated")
    for token in stage.app.tokens:
        assert (await verifier.verify(f"Bearer {token}"))["aud"] == AUDIENCE
    count = len(stage.app.tokens)
    stage.sim.rotate_keys()
    stage.sim.chaos.forged_tokens = 1
    speak = Speak(CommandId("speak-1"), CONCIERGE, "Hello.")
    await port.speak(leg.call_connection_id, speak, VOICE)
    # In either order: the stand-in makes the forger's key first, which takes a while.
    await next_event(stage, ev.PromptFinished, "speak-1")
    await next_event(stage, ev.PromptStarted, "speak-1")
    checks = [verifier.verify(f"Bearer {token}") for token in stage.app.tokens[count:]]
    results = await asyncio.gather(*checks, return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["UnauthorizedError", "dict"]
