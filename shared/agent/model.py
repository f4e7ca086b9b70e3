"""The language model: chat completions on Azure OpenAI's v1 API, streamed.

The only module that knows the openai SDK. It speaks in `completions` and the app's own errors.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import httpx2
import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.errors import (
    ContentFilteredError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from shared.telemetry.logs import get_logger
from shared.types import Json

if TYPE_CHECKING:
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

logger = get_logger(__name__)

CONNECT_TIMEOUT_S = 2.0
KEEPALIVE_S = 120.0
"""The SDK's own 5 s would cost a TLS handshake in nearly every turn."""
KEEPALIVE_CONNECTIONS = 20
_Chunks = openai.AsyncStream[ChatCompletionChunk]
_VENDOR_ERRORS = (openai.OpenAIError, json.JSONDecodeError, UnicodeDecodeError)
"""What the SDK raises; the latter two when a chunk of the stream is not JSON text."""


class ChatModel:
    """One deployment of a chat model, reached over kept-alive connections.

    Belongs to the event loop of its first use. Streams run side by side, up to
    ``max_connections``; more wait for a connection within their deadline.
    """

    def __init__(
        self,
        *,
        base_url: str,
        deployment: str,
        api_key: str | Callable[[], Awaitable[str]],
        timeout_s: float,
        max_connections: int = 100,
    ) -> None:
        """Remember how to reach the model; nothing is connected yet.

        Args:
            base_url: Ends in ``/openai/v1/``.
            deployment: What Azure calls the model here.
            api_key: A key, or a function that gives a bearer token. It is called for every request;
                what it raises reaches the caller as it is.
            timeout_s: How long the service may be silent, before the answer and within it.
            max_connections: How many requests may be on their way at once.
        """
        self._deployment = deployment
        self._timeout_s = timeout_s
        timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._client = openai.AsyncOpenAI(
            base_url=base_url,
            api_key=api_key,
            timeout=timeout,
            max_retries=0,  # retried below, where the deadline is known
            http_client=openai.DefaultAsyncHttpx2Client(
                timeout=timeout,
                limits=httpx2.Limits(
                    max_connections=max_connections,
                    max_keepalive_connections=min(KEEPALIVE_CONNECTIONS, max_connections),
                    keepalive_expiry=KEEPALIVE_S,
                ),
            ),
        )

    async def stream(
        self,
        messages: Sequence[Json],
        *,
        tools: Sequence[Json] = (),
        deployment: str | None = None,
        temperature: float | None = None,
        max_tokens: int | None = None,
        deadline_s: float,
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """Let the model answer; closing it (``contextlib.aclosing``) stops the model early.

        A request that failed before the first delta is made once more if the deadline allows.

        Args:
            messages: OpenAI chat messages, oldest first.
            tools: OpenAI tool definitions, ``{"type": "function", "function": …}``.
            deployment: Another one than that of the settings, for this answer.
            temperature: 0 to 2; None leaves it to the deployment.
            max_tokens: Upper limit of the reply; None leaves it to the deployment.
            deadline_s: For everything until the last delta, a second attempt included.

        Yields:
            The text in pieces, then exactly one Completion.

        Raises:
            UpstreamTimeoutError: The deadline passed, or the service fell silent.
            UpstreamThrottledError: Too many requests; says when to come back, if known.
            ContentFilteredError: The filter refused the input, or cut the reply off.
            UpstreamError: Anything else; what was yielded before remains valid text.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        ask = partial(
            self._ask, deployment or self._deployment, messages, tools, temperature, max_tokens
        )
        may_retry = True
        while True:
            try:
                async with aclosing(_attempt(ask, deadline)) as items:
                    async for item in items:
                        may_retry = False
                        yield item
            except TimeoutError as err:
                raise UpstreamTimeoutError("the model did not finish in time") from err
            except _VENDOR_ERRORS as err:
                delay_s = _retry_delay_s(err)
                if not may_retry or delay_s is None or loop.time() + delay_s >= deadline:
                    raise _translated(err) from err
            else:
                return
            may_retry = False
            logger.warning("model call is retried", extra={"delay_ms": round(delay_s * 1000)})
            await asyncio.sleep(delay_s)

    async def warm(self) -> None:
        """Open a connection, prove the credential and load what the SDK loads on first use.

        Raises:
            UpstreamError: The service cannot be used; the same call may be made again.
        """
        ChatCompletionChunk.model_rebuild()  # else within the first turn
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._client.models.with_raw_response.list()
        except TimeoutError as err:
            raise UpstreamTimeoutError("the model did not answer in time") from err
        except _VENDOR_ERRORS as err:
            raise _translated(err) from err

    async def aclose(self) -> None:
        """Close all connections; streams that are still running fail."""
        await self._client.close()

    async def _ask(
        self,
        deployment: str,
        messages: Sequence[Json],
        tools: Sequence[Json],
        temperature: float | None,
        max_tokens: int | None,
    ) -> _Chunks:
        body: dict[str, object] = {
            "model": deployment,
            "messages": list(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if tools:
            body["tools"] = list(tools)
        if temperature is not None:
            body["temperature"] = temperature
        if max_tokens is not None:
            body["max_completion_tokens"] = max_tokens  # newer models refuse ``max_tokens``
        # Not chat.completions.create: it walks the whole history in search of things to convert,
        # and holds the event loop for 12 ms at 80 messages.
        return await self._client.post(
            "/chat/completions", body=body, cast_to=ChatCompletion, stream=True, stream_cls=_Chunks
        )


async def _attempt(
    ask: Callable[[], Awaitable[_Chunks]], deadline: float
) -> AsyncGenerator[TextDelta | Completion, None]:
    """Make one request; raises what the SDK raises, and TimeoutError past the deadline."""
    async with asyncio.timeout_at(deadline):
        chunks = await ask()
    reply = _Reply()
    try:
        while True:
            # Around each chunk, not around the yield: the deadline must never cancel the
            # consumer in the middle of its own work.
            async with asyncio.timeout_at(deadline):
                chunk = await anext(chunks, None)
            if chunk is None:
                break
            if text := reply.add(chunk):
                yield TextDelta(text)
        yield reply.completion()
    finally:
        await chunks.close()


class _Reply:
    """Puts together the chunks of a reply, which the SDK has parsed but not checked."""

    def __init__(self) -> None:
        self._calls: dict[int, _PartialCall] = {}
        self._finish_reason = ""
        self._model = ""
        self._tokens = (0, 0)

    def add(self, chunk: ChatCompletionChunk) -> str:
        """Take the next chunk; gives the text in it, often none."""
        try:
            return self._add(chunk)
        except (AttributeError, TypeError) as err:
            raise UpstreamError("the model sent a malformed chunk") from err

    def completion(self) -> Completion:
        """What the reply amounts to, after the last chunk."""
        if not self._finish_reason:
            raise UpstreamError("the model's reply ended early")
        if self._finish_reason == "content_filter":
            raise ContentFilteredError("the content filter cut the reply off")
        parts = [self._calls[index] for index in sorted(self._calls)]
        if not all(part.id and part.name for part in parts):
            raise UpstreamError("the model sent a tool call without a name")
        calls = tuple(ToolCall(part.id, part.name, part.arguments) for part in parts)
        return Completion(self._finish_reason, calls, *self._tokens, self._model)

    def _add(self, chunk: ChatCompletionChunk) -> str:
        self._model = chunk.model or self._model
        if usage := getattr(chunk, "usage", None):
            self._tokens = (usage.prompt_tokens, usage.completion_tokens)
        if not chunk.choices:  # the usage, or Azure's verdict on the prompt
            return ""
        choice = chunk.choices[0]
        self._finish_reason = choice.finish_reason or self._finish_reason
        for part in choice.delta.tool_calls or ():
            self._calls.setdefault(part.index, _PartialCall()).add(part)
        return "" + (choice.delta.content or "")  # a TypeError if it is no text


@dataclass(slots=True)
class _PartialCall:
    id: str = ""
    name: str = ""
    arguments: str = field(default="", repr=False)

    def add(self, part: "ChoiceDeltaToolCall") -> None:
        """Take the next fragment; only the first one carries id and name."""
        self.id += part.id or ""
        if part.function is not None:
            self.name += part.function.name or ""
            self.arguments += part.function.arguments or ""


def _retry_delay_s(err: Exception) -> float | None:
    """How long to wait before a second attempt; None if it would not help."""
    jitter_s = random.uniform(0.05, 0.2)  # noqa: S311 - spreads load, protects nothing
    if isinstance(err, openai.RateLimitError):
        asked_s = _retry_after_s(err)
        return jitter_s if asked_s is None else asked_s
    if isinstance(err, openai.APITimeoutError):
        # A silent service has had its time; a connection that was not made has cost little.
        return jitter_s if isinstance(err.__cause__, httpx2.ConnectTimeout) else None
    if isinstance(err, openai.APIConnectionError | openai.InternalServerError):
        return jitter_s
    return None


def _retry_after_s(err: openai.RateLimitError) -> float | None:
    for header, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return max(0.0, float(err.response.headers[header])) * unit_s
        except (KeyError, ValueError):  # absent, or a date: Azure sends numbers
            continue
    return None


def _translated(err: Exception) -> UpstreamError:
    """Name the failure in the app's terms, without the service's words."""
    if isinstance(err, openai.APIError) and err.code == "content_filter":
        return ContentFilteredError("the content filter refused the request")
    if isinstance(err, openai.RateLimitError):
        return UpstreamThrottledError("the model is busy", retry_after_s=_retry_after_s(err))
    if isinstance(err, openai.APITimeoutError):
        return UpstreamTimeoutError("the model did not answer in time")
    if isinstance(err, openai.APIStatusError):
        return UpstreamError(f"the model refused the request with status {err.status_code}")
    if isinstance(err, openai.APIConnectionError):
        return UpstreamError("the connection to the model failed")
    return UpstreamError("the model sent what cannot be read")
