"""The tools through the protocol's own client, in both dialects, against the running app."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from simulator.stack import ROOT, Plan, Stack
from tests.e2e.calls import QUICK, SCENARIOS

PLAN = Plan(pace=QUICK, scenario=SCENARIOS / "refund.yaml", knowledge_folder=ROOT / ".run")


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """Everything up, one instance."""
    async with Stack(PLAN) as up:
        yield up


@asynccontextmanager
async def client_of(stack: Stack, mode: str) -> AsyncIterator[Client]:
    """The client as other agents use it, with the function key."""
    headers = {"x-functions-key": stack.function_key}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        transport = streamable_http_client(f"{stack.front_door.url}/api/mcp", http_client=http)
        async with Client(transport, mode=mode) as client:
            yield client


def callback(key: str) -> dict[str, Any]:
    """A call with a side effect."""
    return {
        "name": "schedule_callback",
        "arguments": {"reason": "a question", "phone_number": "+15551230000"},
        "meta": {"voice-agent/idempotencyKey": key},
    }


async def test_other_agents_use_the_tools_under_the_same_policy(stack: Stack) -> None:
    """Listed, searched, refused and done once, whichever dialect the client speaks."""
    references = set()
    for mode, version in (("legacy", "2025-11-25"), ("auto", "2026-07-28")):
        async with client_of(stack, mode) as client:
            assert client.protocol_version == version
            names = [tool.name for tool in (await client.list_tools()).tools]
            assert "search_knowledge_base" in names
            assert not any(name.startswith("handoff") for name in names)
            found = await client.call_tool(
                "search_knowledge_base", {"query": "fee refund policy", "collection": "policies"}
            )
            assert found.structured_content is not None
            assert found.structured_content["source"] == "cosmos_vector"
            assert found.structured_content["results"][0]["title"] == "Fee Refund Policy"
            refused = await client.call_tool("get_account_summary", {})
            assert refused.is_error
            assert refused.structured_content is not None
            assert refused.structured_content["error"] == "forbidden"
            done = await client.call_tool(**callback("same-key"))
            assert done.structured_content is not None
            assert not done.is_error, done.structured_content
            references.add(str(done.structured_content))
            with pytest.raises(MCPError, match="no such tool"):
                await client.call_tool("no_such_tool", {})
    assert len(references) == 1


async def test_endpoint_is_for_messages_with_a_key(stack: Stack) -> None:
    """There is no stream to listen to, and no door without a key or for a foreign page."""
    url, key = f"{stack.front_door.url}/api/mcp", {"x-functions-key": stack.function_key}
    ping = {"jsonrpc": "2.0", "id": 1, "method": "ping"}
    async with aiohttp.ClientSession() as http:
        async with http.post(url, json=ping) as response:
            assert response.status == 401
        async with http.get(url, headers=key) as response:
            assert (response.status, response.headers["Allow"]) == (405, "POST")
        foreign = {**key, "Origin": "https://evil.example"}
        async with http.post(url, json=ping, headers=foreign) as response:
            assert response.status == 403
        async with http.post(url, data=b"{", headers=key) as response:
            assert response.status == 400
            assert (await response.json())["error"]["code"] == -32700
        note = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        async with http.post(url, json=note, headers=key) as response:
            assert (response.status, await response.read()) == (202, b"")
