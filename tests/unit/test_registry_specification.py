"""The samples of the specification, in its own words; only import paths differ."""

from collections.abc import Iterator

import pytest

from shared.tools.registry import (
    execute_tool,
    get_tool_executor,
    get_tool_schema,
    get_tools_for_agent,
    initialize_tools,
    is_handoff_tool,
    list_tools,
    register_tool,
    reset_registry,
)
from shared.types import Json


@pytest.fixture(autouse=True)
def registry() -> Iterator[None]:
    """Start each sample from an empty registry."""
    reset_registry()
    yield
    reset_registry()


def test_register_tool_sample() -> None:
    """Whoever follows the document registers like this, and finds the tool by its tag."""
    schema = {
        "name": "search_knowledge_base",
        "description": "Search",
        "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
    }

    async def executor(args: Json) -> Json:
        return {"success": True}

    register_tool(
        "search_knowledge_base",
        schema,
        executor,
        tags={"rag"},
    )
    assert list_tools(tags={"rag"}) == ["search_knowledge_base"]
    assert get_tool_executor("search_knowledge_base") is executor
    assert get_tool_schema("search_knowledge_base")["name"] == "search_knowledge_base"
    assert get_tools_for_agent(["search_knowledge_base"])[0]["type"] == "function"


async def test_knowledge_base_sample() -> None:
    """The document's own call once returned another tool's result; it must be what it promises."""
    initialize_tools()
    result = await execute_tool(
        "search_knowledge_base",
        {
            "query": "What is the fee refund policy?",
            "collection": "policies",
            "top_k": 5,
        },
    )
    assert result["success"] is True
    assert result["results"][0]["title"] == "Fee Refund Policy"
    assert "refund" in result["results"][0]["content"]
    assert 0 < result["results"][0]["score"] <= 1
    assert result["source"] == "mock"


def test_tool_categories() -> None:
    """The document's table names these tools; agents and clients refer to them."""
    initialize_tools()
    named = {
        "get_account_summary",
        "refund_fee",
        "verify_client_identity",
        "handoff_concierge",
        "handoff_fraud_agent",
        "search_knowledge_base",
        "escalate_human",
        "transfer_call_to_call_center",
    }
    assert named <= set(list_tools())
    assert "search_knowledge_base" in list_tools(tags={"rag"})
    assert is_handoff_tool("handoff_concierge")
    assert {"handoff_concierge", "handoff_fraud_agent"} <= set(list_tools(handoffs_only=True))


def test_initialize_tools_is_idempotent_and_works_after_a_reset() -> None:
    """Both once left an app without tools: a second call, and a call after a reset."""
    count = initialize_tools()
    assert count == len(list_tools()) > 0
    assert initialize_tools() == count
    reset_registry()
    assert list_tools() == []
    assert initialize_tools() == count


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("get_account_summary", {"client_id": "CLT-1001"}),
        ("refund_fee", {"client_id": "CLT-1001", "amount": 35, "transaction_id": "TX-90008"}),
        ("verify_client_identity", {"full_name": "Emily Rivera", "ssn_last_4": "1234"}),
    ],
)
async def test_execute_tool_without_a_context_serves_nobody(name: str, arguments: Json) -> None:
    """Without a session nobody is identified, so no one's records are given out by naming them."""
    initialize_tools()
    result = await execute_tool(name, arguments)
    assert result["success"] is False
    assert result["error"].startswith("refused:")
