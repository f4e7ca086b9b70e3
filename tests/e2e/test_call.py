"""Whole calls over HTTP: the clean one, the chaotic one, and the one whose instance dies."""

import asyncio
from dataclasses import replace

import pytest

from simulator.acs import Chaos, HangUp, Heard, PhoneCall, Press, Say, Stay, Step
from simulator.app_client import AppClient
from simulator.demo import run as run_demo
from simulator.event_grid import Chaos as GridChaos
from simulator.model import Fault, Timing
from simulator.stack import CALLEE, CALLER, FRAUD_DESK, GENERAL_DESK, Plan, Stack
from tests.e2e.calls import (
    LIMIT_S,
    QUICK,
    SCENARIOS,
    look,
    play,
    reason_of,
    recordings_of,
    ring,
    spoken,
    tool_results,
    words,
)

PLAN = Plan(pace=QUICK)
REFUND = replace(PLAN, scenario=SCENARIOS / "refund.yaml")


async def test_call_of_the_demo_goes_well() -> None:
    """What a newcomer sees first: greeted, verified, helped, handed over, transferred."""
    async with Stack(PLAN) as stack:
        assert await run_demo(stack) == []


async def test_call_survives_duplicated_reordered_and_delayed_deliveries_on_three_instances() -> (
    None
):
    """The same words, the same history, every tool with side effects once (G1, G2, G3)."""
    async with Stack(REFUND) as stack, AppClient(stack) as app:
        clean_call = await play(stack)
        clean = await look(stack, app, clean_call)
    chaos = Chaos(seed=7, duplicate=0.7, duplicate_copies=4, reorder=0.3, delay_ms=(0, 60))
    chaos.late_rest_ms = 30
    plan = replace(
        REFUND, instances=3, chaos=chaos, grid_chaos=GridChaos(duplicates=4, late_redeliveries=1)
    )
    async with Stack(plan) as stack, AppClient(stack) as app:
        call = await play(stack)
        session = await look(stack, app, call)
        answers = [one for one in stack.acs.requests if one.operation == "answer"]
    assert spoken(call) == spoken(clean_call)
    assert words(session) == words(clean)
    assert (session["phase"], session["outcome"]) == (clean["phase"], clean["outcome"])
    assert len(answers) == 1
    refunds = [one for one in tool_results(session) if '"refunded":true' in one]
    assert len(refunds) == 1
    assert len(tool_results(session)) == len(tool_results(clean))


async def test_call_is_recorded_and_its_sound_becomes_text_in_the_session() -> None:
    """From the flow's decision over the file's announcement to what the session knows of it."""
    plan = replace(REFUND, settings={"RECORD_CALLS": "true"})
    async with Stack(plan) as stack, AppClient(stack) as app:
        stack.speech.hear("please refund my fee")
        call = await play(stack)
        session = await look(stack, app, call)
        async with asyncio.timeout(LIMIT_S):
            while not (texts := recordings_of(session)):
                session = await look(stack, app, call)
        states = [one.state for one in stack.acs.recordings]
    assert texts == ["please refund my fee"]
    assert states == ["inactive"]
    assert session["outcome"] == "caller_left"


@pytest.mark.parametrize("killed_at", ["while the model thinks", "after the first sentence"])
async def test_call_goes_on_when_the_instance_that_holds_the_turn_is_killed(killed_at: str) -> None:
    """SIGKILL delays the call and never ends it: another instance takes over in time (G5)."""
    lease_s = 5.0  # a turn must be possible within it on a slow machine, too
    settings = {
        "LEASE_S": str(lease_s),
        "TURN_TIMEOUT_S": "4.9",
        "SWEEP_SCHEDULE": "* * * * * *",
        "SWEEP_PERIOD_S": "1",
        "FILLER_AFTER_S": "60",
    }
    plan = replace(PLAN, instances=2, settings=settings)
    async with Stack(plan) as stack:
        clean = spoken(await play(stack))
    # The 2nd answer of the scenario calls two tools, then says two sentences.
    plan = replace(plan, timing=Timing(5, 25) if "sentence" in killed_at else Timing(5, 1))
    async with Stack(plan) as stack, AppClient(stack) as app:
        first, second = stack.hosts
        stack.front_door.backends[:] = [first.url]
        call = await ring(stack)
        if "sentence" in killed_at:
            await heard(call, "Your checking account")
        else:
            await heard(call, "Please tell me your full name")
            stack.model.inject(Fault("hang"))
            await stack.model.wait_for_requests(len(stack.model.requests) + 1)
        first.kill()
        stack.front_door.backends[:] = [second.url]
        await call.ended(LIMIT_S)
        session = await look(stack, app, call)
    assert spoken(call) == clean
    assert reason_of(call) == "transferred"
    assert session["outcome"] == "transferred"
    assert max(call.silences_ms) < (lease_s + 1.5) * 1000


async def heard(call: PhoneCall, beginning: str) -> None:
    """Wait until the caller hears something that begins so."""
    async for entry in call:
        if isinstance(entry, Heard) and entry.text.startswith(beginning):
            return


async def test_call_is_answered_once_by_two_subscriptions() -> None:
    """Two Event Grid subscriptions deliver the same call: one answer, one session."""
    plan = replace(PLAN, instances=2, chaos=Chaos(duplicate_incoming=1))
    async with Stack(plan) as stack:
        call = await play(stack, ("What is your fee refund policy?",))
        assert [one.operation for one in stack.acs.requests].count("answer") == 1
        assert call.said


async def test_call_reprompts_a_silent_caller_and_says_goodbye() -> None:
    """Three reprompts, goodbye, hang up: the words are in the history like any others."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        script = [Stay(), Stay(), Stay(), Stay()]
        call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=script)
        await call.ended(LIMIT_S)
        session = await look(stack, app, call)
    assert reason_of(call) == "agent_hung_up"
    assert len(call.heard) == 5
    assert call.heard[-1].text.endswith("Goodbye.")
    assert [text for _, text in words(session)] == spoken(call)
    assert session["outcome"] == "completed"


async def test_call_takes_digits_and_an_interruption() -> None:
    """Keys are input like words, and the caller may interrupt the prompt that listens."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        script: list[Step] = [
            Say("Hi, I'd like to know my balance.", interrupts=True),
            Press("1234#"),
            HangUp(),
        ]
        call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=script)
        await call.ended(LIMIT_S)
        session = await look(stack, app, call)
    assert call.heard[0].interrupted
    assert ("user", "(typed) 1234") in words(session)
    assert session["outcome"] == "caller_left"


async def test_call_comes_back_when_the_person_is_busy() -> None:
    """A failed transfer is told, and the conversation goes on (G6)."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        stack.acs.phones[FRAUD_DESK].outcome = "busy"
        stack.acs.phones[GENERAL_DESK].outcome = "declined"
        lines = stack.script.caller[:5]
        call = await play(stack, lines)
        session = await look(stack, app, call)
    assert any("couldn't reach anyone" in text for text in spoken(call))
    assert reason_of(call) == "caller_hung_up"
    assert session["outcome"] == "caller_left"


async def test_call_reaches_the_general_desk_when_the_specialist_is_busy() -> None:
    """Somebody else may help as well; the caller is told whom we try."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        stack.acs.phones[FRAUD_DESK].outcome = "busy"
        call = await play(stack)
        session = await look(stack, app, call)
    assert any("trying our general desk" in text for text in spoken(call))
    assert reason_of(call) == "transferred"
    assert session["outcome"] == "transferred"


MESSAGE = (Say("I want to leave a message."), Say("Call me about my mortgage."))


@pytest.mark.parametrize("end", [Press("#"), HangUp()], ids=["key", "hang-up"])
async def test_call_leaves_a_message_that_becomes_text_in_the_session(end: Step) -> None:
    """From the agent's tool over the recording to the words that somebody will read."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        stack.speech.hear("call me about my mortgage")
        call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=[*MESSAGE, end])
        await call.ended(LIMIT_S)
        session = await look(stack, app, call)
        async with asyncio.timeout(LIMIT_S):
            while not (texts := recordings_of(session)):
                session = await look(stack, app, call)
    assert any("Please leave your message" in text for text in spoken(call))
    assert "call me about my mortgage" in texts[0]  # our own prompt is on the tape as well
    assert session["outcome"] == "voicemail"
    assert ("Goodbye." in spoken(call)[-1]) == (end == Press("#"))


@pytest.mark.parametrize(
    "faults",
    [
        (Fault("error"),) * 2,  # tried once more before anything was said
        (Fault("cut"),) * 2,
        (Fault("throttle"),) * 2,
        (Fault("malformed"),),
        (Fault("empty"),),
    ],
    ids=lambda faults: faults[0].kind,
)
async def test_call_apologises_when_the_model_fails(faults: tuple[Fault, ...]) -> None:
    """A model that fails costs one turn: an apology, never silence or an invention (G6)."""
    async with Stack(PLAN) as stack:
        call = await ring(stack, ("What is your fee refund policy?",) * 2)
        stack.model.inject(*faults)
        await call.ended(LIMIT_S)
    assert any("something went wrong on our side" in text for text in spoken(call))
    assert any("overdraft fee" in text for text in spoken(call))


async def test_call_is_found_again_when_a_callback_is_lost() -> None:
    """The recognition never arrived: the sweeper asks ACS and goes on with a reprompt."""
    settings = {"SILENT_CALL_S": "1", "SWEEP_SCHEDULE": "* * * * * *", "SWEEP_PERIOD_S": "1"}
    async with Stack(replace(PLAN, settings=settings)) as stack:
        stack.acs.chaos.drop_types = {"RecognizeCompleted"}
        call = await ring(stack, ("What is your fee refund policy?",) * 2)
        await heard(call, "I didn't hear anything")
        stack.acs.chaos.drop_types = set()
        await call.ended(LIMIT_S)
    assert any("overdraft fee" in text for text in spoken(call))


async def test_call_ends_in_the_app_when_its_end_was_lost() -> None:
    """CallDisconnected never arrived: the reaper asks ACS, and the session does not stay open."""
    settings = {"SILENT_CALL_S": "1", "SWEEP_SCHEDULE": "* * * * * *", "SWEEP_PERIOD_S": "1"}
    async with Stack(replace(PLAN, settings=settings)) as stack, AppClient(stack) as app:
        stack.acs.chaos.drop_types = {"CallDisconnected"}
        call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=[HangUp()])
        await call.ended(LIMIT_S)
        assert call.call_connection_id is not None
        path = f"/api/calls/{app.session_of(call.call_connection_id)}"
        async with asyncio.timeout(LIMIT_S):
            while (await app.get(path))["phase"] != "ended":
                pass  # every look goes to another process and back: this does not spin


async def test_call_goes_on_through_an_outage_of_the_key_server() -> None:
    """Keys that are known stay good: the callbacks of a running call are still accepted."""
    async with Stack(PLAN) as stack:
        call = await ring(stack, ("What is your fee refund policy?",))
        await heard(call, "Thank you for calling")
        stack.acs.chaos.jwks_down = True
        await call.ended(LIMIT_S)
    assert any("overdraft fee" in text for text in spoken(call))
