"""Every function, called as the worker calls it, on the real flow and a real Redis."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import azure.functions as func
import pytest
from azure.functions.timer import TimerRequest

from shared.auth.signatures import CallbackSigner
from shared.calls.chat import Chat
from shared.calls.sweeper import Sweeper
from shared.clock import SystemClock
from shared.errors import UnauthorizedError, UpstreamError
from shared.pools.lazy import Lazy
from shared.redis.manager import AzureRedisManager
from shared.resources import Resources, use_resources
from shared.settings import Settings
from shared.state.ledger import RedisLedger
from shared.state.session_ids import session_id_for
from shared.tools.desk import ToolDesk
from shared.tools.embedded import embedded_services
from shared.types import CallConnectionId, Json, SessionId
from tests.contract.call_stage import Phone, Stage
from tests.indexed import code_of
from tests.unit.bank import bank

pytest_plugins = ["tests.contract.redis_fixture"]

SETTINGS = Settings.from_env(
    {
        "PUBLIC_BASE_URL": "https://app.example",
        "CALLBACK_SIGNING_KEY": "a key of sixteen or more",
        "ACS_ENDPOINT": "https://acs.example",
        "ACS_AUDIENCE": "audience",
        "COGNITIVE_SERVICES_ENDPOINT": "https://ai.example",
        "AZURE_OPENAI_ENDPOINT": "https://openai.example",
        "AZURE_OPENAI_CHAT_DEPLOYMENT": "gpt-4o",
        "REDIS_HOST": "redis.example",
    }
)
CONTEXT: Json = {
    "incomingCallContext": "ctx",
    "correlationId": "14bd8e31-bd47-4ae3-bbf6-21b103c21ba3",
    "serverCallId": "server",
    "from": {"rawId": "4:+15551230000"},
    "to": {"rawId": "4:+15559990000"},
}


class FakeVerifier:
    """Accepts one token."""

    async def verify(self, authorization_header: str | None) -> Json:
        """Claims, if it is the one."""
        if authorization_header != "Bearer good":
            raise UnauthorizedError("the token is not valid")
        return {}


class AliveCalls:
    """Says that every call is alive."""

    async def is_alive(self, call: CallConnectionId) -> bool:
        """Yes."""
        return True


@pytest.fixture
async def stage(redis: AzureRedisManager) -> AsyncIterator[Stage]:
    """The app's parts around a phone without a network, in place of the process's own."""
    stage, clock = Stage([redis], Phone(("my balance",))), SystemClock()
    parts: Any = Resources(settings=SETTINGS)
    parts.signer = Lazy.of(CallbackSigner([b"a key of sixteen or more"]))
    parts.acs_tokens = Lazy.of(FakeVerifier())
    parts.runner = Lazy.of(stage.runners[0])
    parts.store = Lazy.of(stage.stores[0])
    parts.registry = Lazy.of(stage.registry)
    services = replace(embedded_services(), documents=bank())
    ledger = RedisLedger(redis, ttl_s=60)
    desk = ToolDesk(stage.registry, stage.stores[0], ledger=ledger, services=services)
    parts.tool_desk = Lazy.of(desk)
    chat = Chat(stage.runners[0], agents=stage.agents, clock=clock, turn_timeout_s=10)
    parts.chat = Lazy.of(chat)
    sweeper = Sweeper(stage.stores[0], stage.runners[0], AliveCalls(), clock=clock)
    parts.sweeper = Lazy.of(sweeper)
    with use_resources(parts):
        yield stage


async def http(
    function: str, body: object = None, *, key: str = "", params: Any = None, **route: str
) -> tuple[int, Any]:
    """Status and body of what *function* answers."""
    request = func.HttpRequest(
        method="POST",
        url="https://app.example/api",
        headers={"idempotency-key": key, "authorization": "Bearer good"} if key else {},
        params=params or {},
        route_params=route,
        body=b"" if body is None else json.dumps(body).encode(),
    )
    response = await code_of(function)(request)
    text = response.get_body().decode()
    return response.status_code, json.loads(text) if text else None


async def ring() -> SessionId:
    """Let Event Grid tell of a call; the session it began."""
    event = func.EventGridEvent(
        id="e1",
        data=CONTEXT,
        topic="t",
        subject="s",
        event_type="Microsoft.Communication.IncomingCall",
        event_time=datetime.now(UTC),
        data_version="1.0",
    )
    await code_of("on_incoming_call")(event)
    return session_id_for(str(CONTEXT["correlationId"]), at=event.event_time)


def callback(kind: str, **data: Any) -> list[Json]:
    """The body of one callback."""
    return [
        {
            "id": f"{kind}-1",
            "source": "calling/callConnections/cc",
            "type": f"Microsoft.Communication.{kind}",
            "specversion": "1.0",
            "data": {"callConnectionId": "cc", "serverCallId": "s", "correlationId": "c", **data},
        }
    ]


async def test_functions_lead_a_call_from_its_event_to_the_greeting(stage: Stage) -> None:
    """Event Grid rings, ACS reports the connection, the greeting is asked for."""
    session_id = await ring()
    signature = {"sig": CallbackSigner([b"a key of sixteen or more"]).sign(session_id)}
    connected = callback("CallConnected")
    status, _ = await http(
        "post_callbacks", connected, key="k", params=signature, session_id=session_id
    )
    assert status == 200
    assert stage.phone.heard[0].startswith("Thank you for calling")
    status, call = await http("get_call", session_id=session_id)
    assert (status, call["phase"]) == (200, "listening")
    status, _ = await http("delete_call", session_id=session_id)
    assert status == 202
    assert [one.partition("-")[0] for one in stage.phone.requests][-1] == "hangup"


async def test_functions_answer_a_call_in_either_schema_of_event_grid(stage: Stage) -> None:
    """A subscription may deliver CloudEvents: the same call is the same session."""
    at = datetime.now(UTC)
    event = func.CloudEvent(
        id="e1",
        source="s",
        type="Microsoft.Communication.IncomingCall",
        specversion="1.0",
        data=CONTEXT,
        time=at,
    )
    await code_of("on_incoming_call")(event)
    session_id = session_id_for(str(CONTEXT["correlationId"]), at=at)
    status, call = await http("get_call", session_id=session_id)
    assert (status, call["phase"]) == (200, "ringing")


@pytest.mark.parametrize(("sig", "key"), [("", "k"), ("wrong", "k"), (None, "")])
async def test_functions_refuse_a_callback_without_both_proofs(
    stage: Stage, sig: str | None, key: str
) -> None:
    """A signature alone or a token alone is not enough."""
    session_id = await ring()
    right = CallbackSigner([b"a key of sixteen or more"]).sign(session_id)
    status, problem = await http(
        "post_callbacks",
        callback("CallConnected"),
        key=key,
        params={"sig": right if sig is None else sig},
        session_id=session_id,
    )
    assert (status, problem["code"]) == (401, "unauthorized")


async def test_functions_place_a_call_once_per_key(stage: Stage) -> None:
    """A repeated request finds the session of the first."""
    body = {"to": "+15557770001", "reason": "a reminder"}
    status, first = await http("post_call", body, key="call-1")
    _, again = await http("post_call", body, key="call-1")
    assert (status, first["session_id"]) == (202, again["session_id"])
    status, problem = await http("post_call", {"to": "not a number"})
    assert (status, problem["detail"].startswith("to:")) == (400, True)


async def test_functions_hold_a_text_session(stage: Stage) -> None:
    """Open, say something, read state and history."""
    status, opened = await http("post_session", {}, key="open-1")
    assert status == 201
    session_id = opened["session_id"]
    status, reply = await http("post_turn", {"text": "my card"}, session_id=session_id)
    assert (status, reply["text"].startswith("About this matter")) == (200, True)
    _, state = await http("get_session", session_id=session_id)
    assert [one["turn"] for one in state["turns"]] == [1, 2]
    _, history = await http("get_history", session_id=session_id)
    assert history["messages"][0]["role"] == "assistant"
    status, problem = await http("get_session", session_id="01a202ca-0000-7000-8000-000000000000")
    assert (status, problem["code"]) == (404, "session_not_found")


async def test_functions_list_describe_and_run_tools(stage: Stage) -> None:
    """The tools over HTTP."""
    _, listed = await http("list_tools", params={"tags": "rag"})
    assert [one["name"] for one in listed["tools"]] == ["search_knowledge_base"]
    _, schema = await http("get_tool", name="note")
    assert schema["name"] == "note"
    status, result = await http("post_tool", {"arguments": {"text": "x"}}, key="t-1", name="note")
    assert (status, result["success"]) == (200, True)
    status, _ = await http("get_tool", name="nothing")
    assert status == 404


async def test_functions_tell_how_the_instance_is(stage: Stage) -> None:
    """Alive always; ready only with everything it needs, which nothing here can be reached as."""
    assert await http("get_live") == (200, {"status": "alive"})
    _, pools = await http("get_pools")
    assert "built_ms" in pools


async def test_functions_sweep_what_is_due(stage: Stage) -> None:
    """The timer looks after sessions without anybody asking."""
    session_id = await ring()
    before = await stage.stores[0].journal(session_id)
    await code_of("on_sweep")(TimerRequest())
    # What has just begun is not late: the sweep looks and leaves it alone.
    assert await stage.stores[0].journal(session_id) == before


async def test_functions_drop_an_event_that_can_never_succeed(stage: Stage) -> None:
    """A malformed IncomingCall is acknowledged: delivering it again would not help."""
    event = func.EventGridEvent(
        id="e2",
        data={},
        topic="t",
        subject="s",
        event_type="Microsoft.Communication.IncomingCall",
        event_time=datetime.now(UTC),
        data_version="1.0",
    )
    assert await code_of("on_incoming_call")(event) is None


async def test_functions_let_event_grid_deliver_again_when_redis_is_away() -> None:
    """The event is not lost: it fails, and comes again."""
    async with AzureRedisManager(url="redis://127.0.0.1:1/0", connect_timeout_s=0.5) as away:
        parts: Any = Resources(settings=SETTINGS)
        parts.runner = Lazy.of(Stage([away], Phone(())).runners[0])
        with use_resources(parts), pytest.raises(UpstreamError):
            await ring()
