"""The scripted model, as the SDK and plain HTTP see it."""

import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import openai
import pytest

from simulator.model import Fault, Script, ScriptedModel
from tests.contract.model_stage import GREETING, KEY, TOOLS, running_server, user


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModel]:
    """A model that answers at once."""
    async with running_server() as running:
        yield running


@pytest.fixture
async def sdk(server: ScriptedModel) -> AsyncIterator[openai.AsyncOpenAI]:
    """The SDK as it comes."""
    async with openai.AsyncOpenAI(
        base_url=server.base_url, api_key=KEY, max_retries=0, timeout=5
    ) as client:
        yield client


@pytest.fixture
async def http(server: ScriptedModel) -> AsyncIterator[aiohttp.ClientSession]:
    """Plain HTTP with the key."""
    root = server.base_url.removesuffix("openai/v1/")
    async with aiohttp.ClientSession(root, headers={"api-key": KEY}) as session:
        yield session


def request(text: str = "hello", **more: Any) -> dict[str, Any]:
    """A valid body."""
    return {"model": "gpt-4o", "messages": user(text), **more}


async def test_completion_without_streaming(sdk: openai.AsyncOpenAI) -> None:
    """Clients that do not stream get the same reply in one piece."""
    completion = await sdk.chat.completions.create(**request("both", tools=TOOLS))
    (choice,) = completion.choices
    assert choice.message.content == "One moment."
    assert choice.finish_reason == "tool_calls"
    assert [call.type for call in choice.message.tool_calls or ()] == ["function"] * 2
    assert completion.usage is not None
    assert completion.usage.total_tokens == (
        completion.usage.prompt_tokens + completion.usage.completion_tokens
    )


async def test_stream_has_the_shape_of_the_service(http: aiohttp.ClientSession) -> None:
    """Role first, arguments in fragments, one finish reason, usage in a chunk without choices."""
    options = {"stream": True, "stream_options": {"include_usage": True}}
    body = request("both", tools=TOOLS, **options)
    async with http.post("openai/v1/chat/completions", json=body) as response:
        assert response.content_type == "text/event-stream"
        lines = (await response.text()).strip().split("\n\n")
    assert lines[-1] == "data: [DONE]"
    chunks = [json.loads(line.removeprefix("data: ")) for line in lines[:-1]]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    verdict, role, *middle, finish, usage = chunks
    assert verdict["choices"] == usage["choices"] == []
    assert role["choices"][0]["delta"] == {"role": "assistant", "content": ""}
    assert finish["choices"][0]["finish_reason"] == "tool_calls"
    assert usage["usage"]["completion_tokens"] > 0
    assert all(chunk["usage"] is None for chunk in chunks[:-1])
    deltas = [chunk["choices"][0]["delta"] for chunk in middle]
    parts = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert [part["index"] for part in parts] == sorted(part["index"] for part in parts)
    assert [part["function"].get("name") for part in parts if "id" in part] == ["look_up", "count"]
    assert sum(part["index"] == 0 for part in parts) > 2


async def test_usage_is_sent_only_when_asked_for(http: aiohttp.ClientSession) -> None:
    """Without the option there is no chunk without a choice at the end."""
    body = request(stream=True)
    async with http.post("openai/v1/chat/completions", json=body) as response:
        assert '"usage"' not in await response.text()


async def test_models_are_the_deployments(sdk: openai.AsyncOpenAI) -> None:
    """A client may ask what there is, to warm its connection."""
    assert [model.id async for model in sdk.models.list()] == [
        "gpt-4o",
        "all-minilm-l6-v2",
    ]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"api-key": KEY}, 200),
        ({"Authorization": f"Bearer {KEY}"}, 200),
        ({"Authorization": "Bearer t-1"}, 200),
        ({"api-key": "t-1"}, 401),
        ({"Authorization": "Bearer wrong"}, 401),
        ({"Authorization": f"Basic {KEY}"}, 401),
        ({}, 401),
    ],
)
async def test_key_or_token_is_needed(
    server: ScriptedModel, headers: dict[str, str], status: int
) -> None:
    """A client with a wrong setting fails here as it would in the cloud."""
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(server.base_url + "chat/completions", json=request()) as response,
    ):
        assert response.status == status


CALL = {"id": "c1", "type": "function", "function": {"name": "count", "arguments": "{}"}}
ANSWER = {"role": "tool", "tool_call_id": "c1", "content": "1"}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ([], 400),
        (request(model=None), 400),
        (request(model="gpt-none"), 404),
        (request(messages=[]), 400),
        (request(messages=["hello"]), 400),
        (request(messages=[{"role": "caller", "content": "x"}]), 400),
        (request(messages=[{"role": "user"}]), 400),
        (request(messages=[ANSWER]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": [CALL]}]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": [CALL]}, *user("x")]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": [CALL]}, ANSWER, ANSWER]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": []}]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": ["x"]}]), 400),
        (request(messages=[{"role": "assistant", "tool_calls": [{"function": {}}]}]), 400),
        (request(tools=[]), 400),
        (request(tools=[{"type": "function"}]), 400),
        (request(tools=[{"type": "function", "function": {"name": "a b"}}]), 400),
        (request(tools=[{"type": "function", "function": {"name": "a", "parameters": 1}}]), 400),
        (request(temperature=3), 400),
        (request(max_completion_tokens=0), 400),
        (request(stream_options={"include_usage": True}), 400),
        (request(no_such_option=1), 400),
        (request(messages=[{"role": "assistant", "tool_calls": [CALL]}, ANSWER]), 200),
    ],
)
async def test_request_is_checked_as_the_service_checks_it(
    http: aiohttp.ClientSession, body: object, status: int
) -> None:
    """A history the service would refuse must fail in a test, not on the first real call."""
    async with http.post("openai/v1/chat/completions", json=body) as response:
        assert response.status == status
        answer = await response.json()
    if status >= 400:
        assert answer["error"].keys() == {"message", "type", "param", "code"}


async def test_body_that_is_no_json_and_unknown_routes_are_refused(
    http: aiohttp.ClientSession,
) -> None:
    """Every refusal has the shape that clients parse."""
    async with http.post("openai/v1/chat/completions", data="{") as response:
        assert response.status == 400
        assert "error" in await response.json()
    async with http.get("openai/v1/nothing") as response:
        assert response.status == 404
        assert "error" in await response.json()


async def test_faults_are_set_over_http_and_used_up(
    http: aiohttp.ClientSession, sdk: openai.AsyncOpenAI, server: ScriptedModel
) -> None:
    """A test in another process can break one request, and only that one."""
    faults = {"faults": [{"kind": "throttle", "retry_after_ms": 1500}]}
    async with http.put("_sim/faults", json=faults) as response:
        assert response.status == 204
    async with http.get("_sim/faults") as response:
        assert [fault["kind"] for fault in (await response.json())["faults"]] == ["throttle"]
    with pytest.raises(openai.RateLimitError) as caught:
        await sdk.chat.completions.create(**request())
    assert caught.value.response.headers["retry-after-ms"] == "1500"
    assert caught.value.response.headers["retry-after"] == "2"
    completion = await sdk.chat.completions.create(**request())
    assert completion.choices[0].message.content == GREETING
    async with http.get("_sim/requests") as response:
        assert (await response.json())["requests"] == server.requests == [request()] * 2


@pytest.mark.parametrize(
    "body", [[], {}, {"faults": ["cut"]}, {"faults": [{"kind": "x"}]}, {"faults": [{"cut": 1}]}]
)
async def test_unknown_faults_are_refused(http: aiohttp.ClientSession, body: object) -> None:
    """A slip in a test's fault must not look like a service that works."""
    async with http.put("_sim/faults", json=body) as response:
        assert response.status == 400


@pytest.mark.parametrize("kind", ["cut", "malformed"])
async def test_faults_spoil_a_reply_in_one_piece_too(
    sdk: openai.AsyncOpenAI, server: ScriptedModel, kind: str
) -> None:
    """The faults do not depend on streaming."""
    server.inject(Fault.parse({"kind": kind}))
    with pytest.raises((openai.APIError, json.JSONDecodeError)):
        await sdk.chat.completions.create(**request())


async def test_script_that_fails_is_a_server_error(
    sdk: openai.AsyncOpenAI, server: ScriptedModel
) -> None:
    """A wrong script names its rule instead of answering nonsense."""
    server.script = Script.parse({"rules": [{"name": "broken", "say": "{{ nothing }}"}]})
    with pytest.raises(openai.InternalServerError, match="broken"):
        await sdk.chat.completions.create(**request())


async def test_closing_drops_what_hangs() -> None:
    """A hanging request must not hold up the end of a test run; a second close does nothing."""
    async with running_server() as other:
        other.inject(Fault("hang", after_tokens=1))
        async with openai.AsyncOpenAI(base_url=other.base_url, api_key=KEY, max_retries=0) as one:
            stream = await one.chat.completions.create(**request(stream=True))
            await other.aclose()
            assert await other.exchanges[0].ended() == "aborted"
            await stream.close()
        await other.aclose()
