"""What the app's model client makes of a service that fails, is slow or falls silent."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from shared.agent.completions import TextDelta
from shared.agent.model import ChatModel
from shared.errors import (
    ContentFilteredError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from simulator.model import Fault, ScriptedModel
from tests.contract.model_stage import (
    GREETING,
    KEY,
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


async def test_stream_waits_and_tries_again_when_throttled(
    model: ChatModel, server: ScriptedModel
) -> None:
    """A busy second must not be heard by the caller."""
    server.inject(Fault("throttle", retry_after_ms=30))
    started_at = asyncio.get_running_loop().time()
    text, _ = await collect(model)
    assert text == GREETING
    assert len(server.requests) == 2
    assert asyncio.get_running_loop().time() - started_at >= 0.03


async def test_stream_does_not_wait_beyond_its_deadline(
    model: ChatModel, server: ScriptedModel
) -> None:
    """Waiting for a retry that comes too late would only be silence."""
    server.inject(Fault("throttle", retry_after_ms=60_000))
    with pytest.raises(UpstreamThrottledError) as caught:
        await collect(model, deadline_s=1)
    assert caught.value.retry_after_s == 60
    assert len(server.requests) == 1


async def test_stream_gives_up_after_the_second_attempt(
    model: ChatModel, server: ScriptedModel
) -> None:
    """A service that is down is not hammered."""
    server.inject(*[Fault("throttle")] * 3)
    with pytest.raises(UpstreamThrottledError) as caught:
        await collect(model)
    assert caught.value.retry_after_s is None
    assert len(server.requests) == 2


@pytest.mark.parametrize("fault", [Fault("error"), Fault("error", status=503), Fault("cut")])
async def test_stream_tries_again_when_nothing_was_said(
    model: ChatModel, server: ScriptedModel, fault: Fault
) -> None:
    """An answer that never began can be asked for once more."""
    server.inject(fault)
    assert (await collect(model))[0] == GREETING
    assert len(server.requests) == 2


@pytest.mark.parametrize("kind", ["error", "cut"])
async def test_stream_names_a_failure_without_the_words_of_the_service(
    model: ChatModel, server: ScriptedModel, kind: str
) -> None:
    """Vendor texts may carry anything; ours end up in logs and answers."""
    server.inject(*[Fault.parse({"kind": kind})] * 2)
    with pytest.raises(UpstreamError) as caught:
        await collect(model)
    assert type(caught.value) is UpstreamError
    assert "server had an error" not in str(caught.value)


@pytest.mark.parametrize("kind", ["cut", "malformed"])
async def test_stream_that_breaks_is_not_tried_again(
    model: ChatModel, server: ScriptedModel, kind: str
) -> None:
    """What was said cannot be taken back: a second attempt would say it again."""
    server.inject(Fault.parse({"kind": kind, "after_tokens": 3}))
    heard: list[str] = []
    with pytest.raises(UpstreamError) as caught:
        async for item in model.stream(user("hello"), deadline_s=5):
            assert isinstance(item, TextDelta)
            heard.append(item.text)
    assert "".join(heard) == "Good morning. What"
    assert type(caught.value) is UpstreamError
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "data",
    [
        "[]",
        "7",
        '{"choices": 3}',
        '{"choices": [{}]}',
        '{"choices": [{"delta": {"content": 5}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": 1}}]}}]}',
        '{"choices": [{"delta": {"tool_calls": [{"index": 0}]}, "finish_reason": "tool_calls"}]}',
        '{"choices": [{"delta": {"content": "…"}}]}',
        '{"error": {"message": "the server had an error", "code": "internal"}}',
        "\\ud800",
    ],
)
async def test_stream_survives_whatever_is_sent(
    model: ChatModel, server: ScriptedModel, data: str
) -> None:
    """The SDK does not check what it reads; a strange chunk is a failure of theirs, not a bug."""
    server.inject(Fault("malformed", data=data))
    with pytest.raises(UpstreamError) as caught:
        await collect(model)
    assert type(caught.value) is UpstreamError
    assert "server had" not in str(caught.value)


async def test_stream_tells_when_the_request_is_filtered(
    model: ChatModel, server: ScriptedModel
) -> None:
    """A refused prompt needs another answer than a broken service, and no second attempt."""
    server.inject(Fault("filter_request"))
    with pytest.raises(ContentFilteredError):
        await collect(model)
    assert len(server.requests) == 1


async def test_stream_tells_when_the_reply_is_filtered(
    model: ChatModel, server: ScriptedModel
) -> None:
    """A reply that the filter cut off is not a reply."""
    server.inject(Fault("filter_reply"))
    heard = []
    with pytest.raises(ContentFilteredError):
        async for item in model.stream(user("hello"), deadline_s=5):
            heard.append(item)  # noqa: PERF401 - what came before the error is the point
    assert heard


@pytest.mark.parametrize(
    "fault",
    [
        Fault("slow", first_token_ms=60_000),
        Fault("hang"),
        Fault("hang", after_tokens=0),
        Fault("hang", after_tokens=2),
    ],
)
async def test_stream_ends_at_its_deadline(
    model: ChatModel, server: ScriptedModel, fault: Fault
) -> None:
    """Whatever the service does, the turn goes on when its time is over, and the request ends."""
    server.inject(fault)
    with pytest.raises(UpstreamTimeoutError):
        await collect(model, deadline_s=0.2)
    (exchange,) = server.exchanges
    assert await exchange.ended() == "aborted"


async def test_stream_ends_when_the_service_falls_silent(server: ScriptedModel) -> None:
    """A dead connection is noticed before the turn's time is over, so that it can still answer."""
    server.inject(Fault("hang", after_tokens=2))
    async with client_of(server, timeout_s=0.1) as model:
        with pytest.raises(UpstreamTimeoutError):
            await collect(model, deadline_s=60)


async def test_stream_does_not_cancel_who_reads_it(model: ChatModel, server: ScriptedModel) -> None:
    """A consumer that takes its time past the deadline hears of it when it asks for more."""
    server.inject(Fault("hang", after_tokens=1))
    items = model.stream(user("hello"), deadline_s=0.05)
    assert isinstance(await anext(items), TextDelta)
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, passed.set)
    await passed.wait()
    with pytest.raises(UpstreamTimeoutError):
        await anext(items)


async def test_stream_fails_when_nobody_listens() -> None:
    """A service that is away is one of the app's own errors."""
    async with running_server() as gone:
        pass
    async with client_of(gone) as model:
        with pytest.raises(UpstreamError, match="connection"):
            await collect(model)
        with pytest.raises(UpstreamError, match="connection"):
            await model.warm()


@pytest.mark.parametrize(("deployment", "key"), [("no-such", KEY), ("gpt-4o", "wrong")])
async def test_stream_is_not_tried_again_when_it_is_refused(
    server: ScriptedModel, deployment: str, key: str
) -> None:
    """A wrong setting stays wrong: a second attempt costs time and hides it."""
    async with client_of(server, key=key, deployment=deployment) as model:
        with pytest.raises(UpstreamError, match=r"status 40[14]"):
            await collect(model)
    assert len(server.requests) <= 1
