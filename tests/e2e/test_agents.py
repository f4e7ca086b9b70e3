"""Agents at work in whole calls: who answers, who goes on, and what each of them is told."""

from collections import Counter
from typing import Any

from simulator.acs import Chaos, PhoneCall, Say
from simulator.app_client import AppClient
from simulator.stack import CALLER, Plan, Stack
from tests.e2e.calls import LIMIT_S, QUICK, SCENARIOS, look, play, spoken

FRAUD_NUMBER = "+15559990001"
CHAOS = Chaos(seed=11, duplicate=0.7, duplicate_copies=3, reorder=0.3, delay_ms=(0, 60))
PLAN = Plan(pace=QUICK, scenario=SCENARIOS / "desks.yaml", instances=2, chaos=CHAOS)


async def test_calls_are_answered_by_number_and_passed_from_desk_to_desk() -> None:
    """One call through four agents, and one that begins at a desk with a number of its own.

    On two instances, with events that come twice and out of order: every word is said once.
    """
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        call = await play(stack)
        session = await look(stack, app, call)
        direct = await stack.acs.ring(
            caller=CALLER, callee=FRAUD_NUMBER, script=[Say("My card was stolen.")]
        )
        await direct.ended(LIMIT_S)
        other = await look(stack, app, direct)
        chat = await app.request("POST", "/api/sessions", {})
    assert spoken(call) == [
        "Thank you for calling Contoso Bank. How can I help you today?",
        "Thank you, Emily Rivera.",
        "What can I do for you?",
        "This is the fraud desk of Contoso Bank.",
        "I have found it.",
        "Did you make it?",
        "You are back with the front desk.",
        "You are with the card desk of Contoso Bank.",
        "Do you also shop abroad?",
        "You are back with the front desk.",
        "This is the compliance desk of Contoso Bank. Which payment or which question is it about?",
        "I will look at the wire to Oslo.",
        "You are welcome.",
        "Have a good day.",
    ]
    assert session["agent"] == "compliance"
    assert_recorded_once(call, session)
    assert spoken(direct)[0] == "This is the fraud desk of Contoso Bank. What happened?"
    assert "I am sorry to hear that." in spoken(direct)
    assert {one["agent"] for one in other["history"]} == {"fraud"}
    assert chat[1]["agent"] == "concierge"


def assert_recorded_once(call: PhoneCall, session: dict[str, Any]) -> None:
    """Every word once, in order, with the agent that said or heard it."""
    history = session["history"]
    said = [one["content"] for one in history if one["role"] == "assistant" and one["content"]]
    assert said == spoken(call)
    heard = Counter(one["content"] for one in history if one["role"] == "user")
    assert heard == Counter(one.text for one in call.said)
    agents = [one["agent"] for one in history]
    assert list(dict.fromkeys(agents)) == [
        "concierge",
        "fraud",
        "card_recommendation",
        "compliance",
    ]
    compliance = [one["content"] for one in history if one["agent"] == "compliance"]
    assert not any("held" in one for one in compliance)
