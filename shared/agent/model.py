"""The language model: chat completions on Azure OpenAI's v1 API, streamed.

It speaks in `completions` and the app's own errors; the connection is that of `shared.openai`.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import openai
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.errors import ContentFilteredError, UpstreamError, UpstreamTimeoutError
from shared.openai.client import ApiKey, connect_client
from shared.openai.failures import VENDOR_ERRORS, retry_delay_s, translated
from shared.telemetry.logs import get_logger
from shared.types import Json

if TYPE_CHECKING:
    from openai.types.chat.chat_completion_chunk import ChoiceDeltaToolCall

logger = get_logger(__name__)

_Chunks = openai.AsyncStream[ChatCompletionChunk]


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
        api_key: ApiKey,
        timeout_s: float,
        max_connections: int = 100,
    ) -> None:
        """Remember how to reach the model; nothing is connected yet.

        Args:
            base_url: Ends in ``/openai/v1/``.
            deployment: What Azure calls the model here.
            api_key: A key, or what gives a token for each request.
            timeout_s: How long the service may be silent, before the answer and within it.
            max_connections: How many requests may be on their way at once.
        """
        self.deployment = deployment
        """Who answers where nobody else is asked for."""
        self._timeout_s = timeout_s
        self._client = connect_client(
            base_url=base_url,
            api_key=api_key,
            timeout_s=timeout_s,
            max_connections=max_connections,
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
            self._ask, deployment or self.deployment, messages, tools, temperature, max_tokens
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
            except VENDOR_ERRORS as err:
                delay_s = retry_delay_s(err)
                if not may_retry or delay_s is None or loop.time() + delay_s >= deadline:
                    raise translated(err) from err
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
        except VENDOR_ERRORS as err:
            raise translated(err) from err

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
        self._cached_tokens = 0

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
        cached = self._cached_tokens
        return Completion(self._finish_reason, calls, *self._tokens, self._model, cached)

    def _add(self, chunk: ChatCompletionChunk) -> str:
        self._model = chunk.model or self._model
        if usage := getattr(chunk, "usage", None):
            self._tokens = (usage.prompt_tokens, usage.completion_tokens)
            details = getattr(usage, "prompt_tokens_details", None)
            self._cached_tokens = (details and details.cached_tokens) or 0
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
