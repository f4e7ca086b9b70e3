"""Handoffs: they say why and what goes along, and switch nothing themselves."""

import pytest

from shared.tools.handoff_context import HandoffContext
from shared.tools.handoffs import HANDOFFS, Handoff
from shared.tools.people import DESKS, PeopleDesk
from shared.tools.registry import build_registry
from tests.unit.tool_fakes import EMILY, context, emily, services

REGISTRY = build_registry()


async def test_handoff_carries_what_the_next_agent_needs() -> None:
    """The caller must not have to say it again."""
    result = await REGISTRY.execute(
        "handoff_fraud_agent",
        {"fraud_type": "unknown charge", "issue_summary": "489.99 in Tallinn"},
        emily(),
    )
    assert result["success"] is True
    assert result["handoff"] is True
    assert result["handoff_summary"] == "489.99 in Tallinn"
    assert "target_agent" not in result
    assert result["handoff_context"] == {
        "reason": "unknown charge",
        "summary": "489.99 in Tallinn",
        "client_id": EMILY,
        "caller_name": "Emily Rivera",
        "previous_agent": "concierge",
        "handoff_timestamp": "2026-11-28T12:00:00+00:00",
        "details": {},
    }
    assert (
        HandoffContext.from_json(result["handoff_context"]).as_json() == (result["handoff_context"])
    )


@pytest.mark.parametrize("handoff", HANDOFFS, ids=lambda one: one.tool)
async def test_handoff_needs_nobody_to_be_verified(handoff: Handoff) -> None:
    """A stranger must reach the desk that verifies, and the one that blocks a stolen card."""
    result = await REGISTRY.execute(
        handoff.tool, dict.fromkeys(handoff.required, "fraud"), context()
    )
    assert result["success"] is True
    known = result["handoff_context"]
    assert "client_id" not in known
    assert "caller_name" not in known
    assert known["previous_agent"] == "concierge"


@pytest.mark.parametrize("named", [EMILY, ""])
async def test_handoff_takes_the_client_from_the_session_only(named: str) -> None:
    """An id that the model heard from the caller must not become a verified one."""
    result = await REGISTRY.execute("handoff_concierge", {"client_id": named}, context())
    assert result["success"] is True
    assert "client_id" not in result["handoff_context"]


async def test_handoff_keeps_empty_words() -> None:
    """Only what is absent is dropped; an empty value is one."""
    arguments = {"compliance_issue": "", "urgency": "expedited"}
    result = await REGISTRY.execute("handoff_compliance_desk", arguments, context())
    assert result["handoff_context"]["reason"] == ""
    assert result["handoff_context"]["details"] == {"urgency": "expedited"}
    assert "summary" not in result["handoff_context"]


async def test_handoff_checks_its_choices() -> None:
    """An urgency that nobody knows is told to the model, not carried along."""
    result = await REGISTRY.execute("handoff_compliance_desk", {"urgency": "mega"}, context())
    assert result["error"] == "invalid_arguments"


async def test_handoff_is_for_agents_only() -> None:
    """Over HTTP there is no conversation to switch."""
    result = await REGISTRY.execute("handoff_concierge", {}, context(channel="http"))
    assert result["error"] == "refused:caller"


def test_handoff_tools_are_those_that_pass_the_caller_to_an_agent() -> None:
    """A desk of people is reached by a transfer or a callback, and takes no turn over."""
    agents = {handoff.tool for handoff in HANDOFFS}
    people = {*(desk.tool for desk in DESKS), "handoff_bank_advisor"}
    named = {tool for tool in REGISTRY.list_tools() if tool.startswith("handoff_")}
    assert named == agents | people
    assert len(named) == 14
    assert set(REGISTRY.list_tools(handoffs_only=True)) == agents


@pytest.mark.parametrize("desk", DESKS, ids=lambda one: one.tool)
async def test_desk_of_people_is_reached_by_a_transfer(desk: PeopleDesk) -> None:
    """Its own queue where there is one, else the general one; and never a dead end."""
    own = services(targets={"general": "+15550001111", desk.queue: "+15550007777"})
    arguments = dict.fromkeys(desk.required, "x")
    result = await REGISTRY.execute(desk.tool, arguments, context(using=own))
    assert result["success"] is True
    assert "handoff" not in result
    assert result["transfer"]["target"] == "+15550007777"
    result = await REGISTRY.execute(desk.tool, arguments, context())
    assert result["queue_id"] == "general"


async def test_desk_of_people_without_a_phone_offers_a_callback() -> None:
    """Where nobody can be connected, the model is told what it can offer instead."""
    result = await REGISTRY.execute("handoff_to_trading", {}, context(using=services(targets={})))
    assert result["success"] is False
    assert "schedule_callback" in result["message"]


async def test_bank_advisor_calls_back() -> None:
    """Nobody takes the call over: the callback is noted, and the result claims nothing else."""
    using = services()
    arguments = {"reason": "a new job", "context": "wants to move the old plan"}
    result = await REGISTRY.execute("handoff_bank_advisor", arguments, emily(using=using))
    assert result["success"] is True
    assert result["callback_scheduled"] is True
    assert result["department"] == "investments"
    assert "handoff" not in result


async def test_bank_advisor_needs_a_number_to_call() -> None:
    """A callback to nobody is not noted."""
    result = await REGISTRY.execute("handoff_bank_advisor", {"reason": "r"}, context())
    assert result["success"] is False
    assert "phone_number" in result["message"]
    arguments = {"reason": "r", "phone_number": "+15551230000"}
    result = await REGISTRY.execute("handoff_bank_advisor", arguments, context())
    assert result["success"] is True
