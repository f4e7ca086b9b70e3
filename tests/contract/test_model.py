"""The app's model client, on the real SDK, against the scripted model."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from shared.agent.completions import Completion, TextDelta
from shared.agent.model import ChatModel
from shared.errors import (
    UpstreamError,
)
from simulator.model import Fault, ScriptedModel
from tests.contract.model_stage import (
    GREETING,
    TOOLS,
    client_of,
    collect,
    running_server,
    user,
)


@pytest.fixture
async def server() -> AsyncIterator[ScriptedModel]:
    """A model that answers at once."""
    async with running_server() as running:
        yield running


@pytest.fixture
async def model(server: ScriptedModel) -> AsyncIterator[ChatModel]:
    """A client of it."""
    async with client_of(server) as client:
        yield client


async def test_stream_gives_the_text_in_pieces(model: ChatModel) -> None:
    """The first sentence is spoken while the rest is written, so text must come as it is made."""
    items = [item async for item in model.stream(user("hello"), deadline_s=5)]
    deltas = [item.text for item in items if isinstance(item, TextDelta)]
    assert len(deltas) == len(GREETING.split())
    assert "".join(deltas) == GREETING
    assert items[-1] == Completion(
        finish_reason="stop",
        tool_calls=(),
        input_tokens=6,
        output_tokens=17,
        model="gpt-4o",
    )


async def test_stream_asks_another_deployment_when_told_to(
    model: ChatModel, server: ScriptedModel
) -> None:
    """An agent's own deployment is asked for by name; one that does not exist is an error."""
    with pytest.raises(UpstreamError):
        _ = [one async for one in model.stream(user("hello"), deployment="large", deadline_s=5)]
    assert server.requests[-1]["model"] == "large"


async def test_stream_puts_tool_calls_together(model: ChatModel) -> None:
    """Names and arguments arrive in fragments; half a call must never be run."""
    text, completion = await collect(model, "both")
    assert text == "One moment."
    assert completion.finish_reason == "tool_calls"
    first, second = completion.tool_calls
    assert (first.name, second.name) == ("look_up", "count")
    assert json.loads(first.arguments) == {"query": "what both means", "top": 3}
    assert json.loads(second.arguments) == {}
    assert first.id
    assert first.id != second.id


async def test_stream_sends_what_it_was_given(model: ChatModel, server: ScriptedModel) -> None:
    """The deployment decides what was not said, so absent options must be absent on the wire."""
    await collect(model, tools=[])
    items = model.stream(user("hello"), tools=TOOLS, temperature=0.2, max_tokens=4, deadline_s=5)
    *_, completion = [item async for item in items]
    assert isinstance(completion, Completion)
    assert completion.finish_reason == "length"
    plain, full = server.requests
    options = {"stream": True, "stream_options": {"include_usage": True}}
    assert plain == {"model": "gpt-4o", "messages": user("hello"), **options}
    assert full == {**plain, "tools": TOOLS, "temperature": 0.2, "max_completion_tokens": 4}


async def test_stream_goes_on_where_the_reply_was_broken_off(model: ChatModel) -> None:
    """A turn that another instance takes over must not say its first sentence twice."""
    messages = [
        *user("hello"),
        {"role": "assistant", "content": "One moment, please. Good morning."},
        {"role": "system", "content": "Go on from there."},
    ]
    items = [item async for item in model.stream(messages, deadline_s=5)]
    text = "".join(item.text for item in items if isinstance(item, TextDelta))
    assert text == GREETING.removeprefix("Good morning. ")


async def test_stream_asks_for_a_token_for_every_request(server: ScriptedModel) -> None:
    """A token that expires between two turns must not end the call."""
    tokens = ["t-1", "t-2"]

    async def next_token() -> str:
        return tokens.pop(0)

    model = ChatModel(
        base_url=server.base_url, deployment="gpt-4o", api_key=next_token, timeout_s=5
    )
    await collect(model)
    await collect(model)
    assert tokens == []
    await model.aclose()


async def test_stream_passes_on_why_there_is_no_token(server: ScriptedModel) -> None:
    """A credential that fails says so in the app's own words, and nothing is sent."""

    async def no_token() -> str:
        raise UpstreamError("no token")

    model = ChatModel(base_url=server.base_url, deployment="gpt-4o", api_key=no_token, timeout_s=5)
    with pytest.raises(UpstreamError, match="no token"):
        await collect(model)
    assert server.requests == []
    await model.aclose()


async def test_stream_passes_on_a_tool_that_does_not_exist(
    model: ChatModel, server: ScriptedModel
) -> None:
    """Models invent tools; who runs them answers that, so the name arrives as it was written."""
    server.inject(Fault("unknown_tool"))
    _, completion = await collect(model)
    assert [call.name for call in completion.tool_calls] == ["no_such_tool"]


async def test_stream_passes_on_broken_arguments(model: ChatModel, server: ScriptedModel) -> None:
    """Arguments are the model's text; who runs the tool tells the model that they are broken."""
    server.inject(Fault("broken_arguments"))
    _, completion = await collect(model)
    assert [call.arguments for call in completion.tool_calls] == ['{"broken": ']


async def test_stream_ends_properly_when_the_reply_is_empty(
    model: ChatModel, server: ScriptedModel
) -> None:
    """A model may say nothing; that is an answer, and the turn decides what to make of it."""
    server.inject(Fault("empty"))
    text, completion = await collect(model)
    assert text == ""
    assert (completion.finish_reason, completion.tool_calls) == ("stop", ())


async def test_closing_the_stream_ends_the_request(model: ChatModel, server: ScriptedModel) -> None:
    """A caller who interrupts must not go on paying for what nobody hears."""
    server.inject(Fault("hang", after_tokens=1))
    async with aclosing(model.stream(user("hello"), deadline_s=30)) as items:
        assert await anext(items) == TextDelta("Good")
    (exchange,) = server.exchanges
    assert await exchange.ended() == "aborted"


@pytest.mark.parametrize("after_tokens", [None, 1])
async def test_cancelling_the_reader_ends_the_request(
    model: ChatModel, server: ScriptedModel, after_tokens: int | None
) -> None:
    """Cancellation passes through and leaves no request behind, before the answer and within it."""
    server.inject(Fault("hang", after_tokens=after_tokens))
    reader = asyncio.create_task(collect(model, deadline_s=30))
    await server.wait_for_requests(1)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert await server.exchanges[0].ended() == "aborted"


async def test_streams_run_side_by_side_and_reuse_their_connections(
    model: ChatModel, server: ScriptedModel
) -> None:
    """One slow caller must not hold up another, and a turn must not pay for a new connection."""
    server.inject(Fault("hang", after_tokens=1))
    slow = model.stream(user("hello"), deadline_s=30)
    await anext(slow)
    results = await asyncio.gather(*(collect(model) for _ in range(8)))
    assert {text for text, _ in results} == {GREETING}
    await slow.aclose()
    connections = server.connections_total
    await collect(model)
    assert server.connections_total == connections


async def test_warm_opens_the_connection_the_first_turn_uses(
    model: ChatModel, server: ScriptedModel
) -> None:
    """The first caller of an instance does not wait for a handshake."""
    await model.warm()
    assert server.connections_total == 1
    assert server.requests == []
    await collect(model)
    assert server.connections_total == 1


async def test_warm_fails_when_the_credential_is_wrong(server: ScriptedModel) -> None:
    """An instance that cannot answer calls must be seen before the first call."""
    async with client_of(server, key="wrong") as model:
        with pytest.raises(UpstreamError, match="401"):
            await model.warm()


async def test_what_was_said_is_not_in_the_representation(model: ChatModel) -> None:
    """Values end up in tracebacks and debug logs; what people said must not."""
    _, completion = await collect(model, "both")
    shown = repr(completion) + repr(TextDelta("a secret"))
    assert "both" not in shown
    assert "secret" not in shown
