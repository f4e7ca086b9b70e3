"""The HTTP API as a client meets it: tools, text sessions, outbound calls, and who may do what."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from simulator.acs import Person, Say
from simulator.app_client import AppClient
from simulator.stack import Plan, Stack
from tests.e2e.calls import LIMIT_S, QUICK, SCENARIOS, play, reason_of, ring

OUTBOUND = "+15557770001"
PLAN = Plan(pace=QUICK, scenario=SCENARIOS / "refund.yaml")


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """Everything up, one instance."""
    async with Stack(PLAN) as up:
        yield up


@pytest.fixture
async def app(stack: Stack) -> AsyncIterator[AppClient]:
    """A client with the function key."""
    async with AppClient(stack) as client:
        yield client


async def test_api_lists_describes_and_runs_tools(app: AppClient) -> None:
    """The agent's tools are the clients' tools, under the same names."""
    listed = await app.get("/api/tools?tags=rag")
    assert [one["name"] for one in listed["tools"]] == ["search_knowledge_base"]
    schema = await app.get("/api/tools/search_knowledge_base")
    assert schema["parameters"]["required"] == ["query"]
    arguments = {"query": "What is the fee refund policy?", "collection": "policies", "top_k": 5}
    status, result = await app.request(
        "POST", "/api/tools/search_knowledge_base", {"arguments": arguments}
    )
    assert status == 200
    assert result["success"] is True
    assert result["results"][0]["title"] == "Fee Refund Policy"


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/api/tools/no_such_tool", {}, 404, "tool_not_found"),
        ("/api/tools/search_knowledge_base", {"arguments": {}}, 400, "invalid_request"),
        ("/api/tools/search_knowledge_base", {"argument": {}}, 400, "invalid_request"),
        ("/api/tools/get_account_summary", {}, 403, "forbidden"),
        (
            "/api/tools/get_account_summary",
            {"session_id": "01a202ca-0000-7000-8000-000000000000"},
            404,
            "session_not_found",
        ),
    ],
)
async def test_api_refuses_with_a_problem_that_names_no_value(
    app: AppClient, path: str, body: object, status: int, code: str
) -> None:
    """RFC 9457: title, status, code, and for 4xx what is wrong."""
    got, problem = await app.request("POST", path, body)
    assert (got, problem["status"], problem["code"]) == (status, status, code)
    assert problem["title"]
    assert problem["detail"]


async def test_api_runs_a_side_effect_once_per_idempotency_key(app: AppClient) -> None:
    """A client that repeats its request gets the first result; another key is another run."""
    path = "/api/tools/schedule_callback"
    body = {"arguments": {"reason": "a question", "phone_number": "+15551230000"}}
    _, first = await app.request("POST", path, body, idempotency_key="k1")
    _, again = await app.request("POST", path, body, idempotency_key="k1")
    _, other = await app.request("POST", path, body, idempotency_key="k2")
    assert first["success"] is True
    assert again == first
    assert other["callback_id"] != first["callback_id"]
    status, problem = await app.request("POST", path, body)
    assert (status, problem["code"]) == (403, "forbidden")


async def test_api_holds_a_text_conversation(app: AppClient) -> None:
    """The same agent by text: greeting, a turn that identifies, one that uses what it learned."""
    status, opened = await app.request("POST", "/api/sessions")
    assert status == 201
    assert "How can I help you" in opened["text"]
    path = f"/api/sessions/{opened['session_id']}/turns"
    _, verified = await app.request("POST", path, {"text": "I'm Emily Rivera, 1234."})
    assert verified["text"].startswith("Thank you, Emily Rivera")
    _, refund = await app.request("POST", path, {"text": "Please refund my fee."})
    assert "refunded" in refund["text"]
    history = await app.get(f"/api/sessions/{opened['session_id']}/history")
    assert [one["role"] for one in history["messages"]].count("user") == 2
    assert refund["stages_ms"]["memo_load"] > 0


async def test_api_answers_a_repeated_turn_once(app: AppClient) -> None:
    """The same key is the same turn: said once, answered alike."""
    _, opened = await app.request("POST", "/api/sessions")
    path = f"/api/sessions/{opened['session_id']}/turns"
    body = {"text": "I'm Emily Rivera, 1234."}
    replies = await asyncio.gather(
        *(app.request("POST", path, body, idempotency_key="turn-1") for _ in range(5))
    )
    _, later = await app.request("POST", path, body, idempotency_key="turn-1")
    answered = [reply for status, reply in replies if status == 200]
    assert answered
    assert all(reply["text"] == later["text"] for reply in answered)
    assert {status for status, _ in replies} <= {200, 409}
    history = await app.get(f"/api/sessions/{opened['session_id']}/history")
    assert [one["role"] for one in history["messages"]].count("user") == 1


async def test_api_places_a_call_and_hangs_it_up(stack: Stack, app: AppClient) -> None:
    """An outbound call greets, listens, and ends when the client wants it to."""
    script = [Say("What is your fee refund policy?")]
    stack.acs.phones[OUTBOUND] = Person("accepted", script=script)
    body = {"to": OUTBOUND, "reason": "your new card"}
    status, placed = await app.request("POST", "/api/calls", body, idempotency_key="c1")
    _, again = await app.request("POST", "/api/calls", body, idempotency_key="c1")
    assert status == 202
    assert again["session_id"] == placed["session_id"]
    path = f"/api/calls/{placed['session_id']}"
    async with asyncio.timeout(LIMIT_S):
        while (await app.get(path))["turn"] < 2:
            pass  # every look goes to another process and back: this does not spin
        status, _ = await app.request("DELETE", path)
        assert status == 202
        while (await app.get(path))["phase"] != "ended":
            pass
    assert [one.operation for one in stack.acs.requests].count("createCall") == 1
    history = await app.get(f"/api/sessions/{placed['session_id']}/history")
    assert "your new card" in history["messages"][0]["content"]


async def test_api_reports_a_call_that_nobody_takes(stack: Stack, app: AppClient) -> None:
    """Busy is an outcome, not an error."""
    stack.acs.phones[OUTBOUND] = Person("busy")
    _, placed = await app.request("POST", "/api/calls", {"to": OUTBOUND})
    async with asyncio.timeout(LIMIT_S):
        while (call := await app.get(f"/api/calls/{placed['session_id']}"))["phase"] != "ended":
            pass
    assert call["outcome"] == "not_connected"


async def test_api_tells_whether_it_is_alive_and_ready(stack: Stack, app: AppClient) -> None:
    """Ready means that Redis, ACS, the model and the agents answer; each failure has a name."""
    assert (await app.get("/api/health/live"))["status"] == "alive"
    assert (await app.get("/api/health/ready"))["failing"] == []
    pools = await app.get("/api/pools")
    assert pools["redis"]["round_trips_total"] > 0
    await stack.model.aclose()
    status, body = await app.request("GET", "/api/health/ready")
    assert (status, body["failing"]) == (503, ["model"])


async def test_api_needs_a_key_everywhere_but_for_health(stack: Stack) -> None:
    """Without a key nothing is read, said or done (G8)."""
    async with aiohttp.ClientSession(stack.front_door.url) as stranger:
        for method, path in (
            ("GET", "/api/tools"),
            ("POST", "/api/tools/schedule_callback"),
            ("POST", "/api/calls"),
            ("POST", "/api/sessions"),
            ("GET", "/api/sessions/x"),
            ("GET", "/api/pools"),
            ("POST", "/runtime/webhooks/EventGrid?functionName=on_incoming_call"),
        ):
            async with stranger.request(method, path, json={}) as response:
                assert response.status == 401, path
        async with stranger.get("/api/health/live") as response:
            assert response.status == 200


async def test_api_accepts_callbacks_from_acs_for_this_session_only(stack: Stack) -> None:
    """A callback needs both the session's signature in its URL and a token of ACS's (G8)."""
    stack.acs.chaos.forged_tokens = 1000
    call = await ring(stack)
    await call.next_entry()  # connected, and nobody may say so
    await stack.acs.idle(LIMIT_S)
    assert {one.status for one in stack.acs.deliveries} == {401}
    assert call.heard == []
    callback = next(iter(stack.acs.calls.values())).callback_uri
    async with aiohttp.ClientSession() as stranger:
        for url in (callback, callback.replace("sig=", "sig=x"), callback.partition("?")[0]):
            async with stranger.post(url, json=[]) as response:
                assert response.status == 401
                assert (await response.json())["code"] == "unauthorized"


async def test_api_keeps_serving_calls_while_a_stranger_knocks(stack: Stack) -> None:
    """Refusals cost the running call nothing."""
    call = await ring(stack, ("I'm Emily Rivera, the last four are 1234.",))
    async with aiohttp.ClientSession(stack.front_door.url) as stranger:

        async def knock() -> int:
            async with stranger.post("/api/callbacks/x?sig=y", json=[]) as response:
                return response.status

        assert set(await asyncio.gather(*(knock() for _ in range(50)))) == {401}
    await call.ended(LIMIT_S)
    assert reason_of(call) == "caller_hung_up"


async def test_api_serves_two_calls_at_once(stack: Stack) -> None:
    """Calls share an instance and nothing else."""
    lines = ("I'm Emily Rivera, the last four are 1234.", "What is your fee refund policy?")
    one, other = await asyncio.gather(play(stack, lines), play(stack, lines))
    assert [entry.text for entry in one.heard] == [entry.text for entry in other.heard]
