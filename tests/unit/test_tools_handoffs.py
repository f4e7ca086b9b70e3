"""Handoffs: they say who takes over and what they need to know, and switch nothing themselves."""

import pytest

from shared.agent.loader import DEFINITIONS, load_agents
from shared.tools.handoffs import HANDOFFS
from shared.tools.registry import build_registry
from tests.unit.tool_fakes import EMILY, context, emily

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
    assert result["target_agent"] == "fraud"
    assert result["handoff_context"] == {
        "fraud_type": "unknown charge",
        "issue_summary": "489.99 in Tallinn",
        "reason": "unknown charge",
        "summary": "489.99 in Tallinn",
        "client_id": EMILY,
        "caller_name": "Emily Rivera",
        "previous_agent": "concierge",
        "handoff_timestamp": "2025-03-05T12:00:00+00:00",
    }


async def test_handoff_needs_nothing_and_drops_what_is_not_there() -> None:
    """A stranger with a stolen card must reach the fraud desk before anybody is verified."""
    result = await REGISTRY.execute("handoff_fraud_agent", {}, context())
    assert result["success"] is True
    assert set(result["handoff_context"]) == {"previous_agent", "handoff_timestamp"}


@pytest.mark.parametrize("named", [EMILY, ""])
async def test_handoff_takes_the_client_from_the_session_only(named: str) -> None:
    """An id that the model heard from the caller must not become a verified one."""
    result = await REGISTRY.execute("handoff_concierge", {"client_id": named}, context())
    assert result["success"] is True
    assert "client_id" not in result["handoff_context"]


async def test_handoff_keeps_empty_words() -> None:
    """Only what is absent is dropped; an empty value is one."""
    result = await REGISTRY.execute("handoff_concierge", {"previous_topic": ""}, context())
    assert result["handoff_context"]["previous_topic"] == ""


async def test_handoff_is_for_agents_only() -> None:
    """Over HTTP there is no conversation to switch."""
    result = await REGISTRY.execute("handoff_concierge", {}, context(channel="http"))
    assert result["error"] == "refused:caller"


def test_handoffs_lead_where_the_definitions_say() -> None:
    """A tool that names an agent nobody defined ends the turn in trouble."""
    agents = load_agents(DEFINITIONS, REGISTRY.list_tools())
    leads = {(edge.tool, edge.to) for agent in agents.values() for edge in agent.handoffs}
    assert leads == {(handoff.tool, handoff.target_agent) for handoff in HANDOFFS}
    assert all(REGISTRY.is_handoff_tool(handoff.tool) for handoff in HANDOFFS)
