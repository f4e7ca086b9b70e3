"""From what a script answers to what goes over the wire, chunk by chunk."""

import json
import math
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from simulator.model.conversation import text_of
from simulator.model.faults import Fault
from simulator.model.script import Reply, Timing

_FRAGMENT_CHARS = 8
_UNKNOWN_TOOL = "no_such_tool"


@dataclass(frozen=True, slots=True)
class WireCall:
    """A tool call with its arguments as JSON text, or what a fault made of it."""

    id: str
    name: str
    arguments: str

    def as_json(self) -> dict[str, Any]:
        """The call as a message carries it."""
        function = {"name": self.name, "arguments": self.arguments}
        return {"id": self.id, "type": "function", "function": function}


CACHED_FROM_TOKENS, CACHE_STEP_TOKENS = 1024, 128
"""Azure caches prompts from that length on, in such steps."""


@dataclass(frozen=True, slots=True)
class WireReply:
    """A reply ready to be sent."""

    id: str
    model: str
    pieces: tuple[str, ...]
    """The text in tokens: a word with the white space before it."""
    calls: tuple[WireCall, ...]
    finish_reason: str
    first_token_ms: float
    ms_per_token: float
    prompt_tokens: int
    include_usage: bool
    """The stream ends with the token counts."""

    @property
    def duration_ms(self) -> float:
        """How long the whole reply takes."""
        return self.first_token_ms + self.ms_per_token * (len(self.pieces) + len(self.calls))

    @property
    def usage(self) -> dict[str, Any]:
        """Token counts, estimated at four characters a token."""
        written = sum(map(len, self.pieces))
        written += sum(len(call.name) + len(call.arguments) for call in self.calls)
        completion_tokens = math.ceil(written / 4)
        # Invented: a long prompt always finds all but its end in the cache.
        is_long = self.prompt_tokens > CACHED_FROM_TOKENS
        cached = self.prompt_tokens // CACHE_STEP_TOKENS * CACHE_STEP_TOKENS if is_long else 0
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": self.prompt_tokens + completion_tokens,
            "prompt_tokens_details": {"cached_tokens": cached},
        }


@dataclass(frozen=True, slots=True)
class Frame:
    """A chunk of the stream."""

    data: dict[str, Any]
    is_token: bool = False
    """It carries text or a part of a call, and takes its time."""
    is_end: bool = False
    """It carries the finish reason."""


def build_reply(
    reply: Reply, body: Mapping[str, Any], timing: Timing, fault: Fault | None
) -> WireReply:
    """Make the reply to a request, as the fault wants it."""
    calls = tuple(
        WireCall(_new_id("call_"), call.tool, json.dumps(call.arguments)) for call in reply.calls
    )
    wire = WireReply(
        id=_new_id("chatcmpl-"),
        model=body["model"],
        pieces=tuple(re.findall(r"\s*\S+", reply.text)),
        calls=calls,
        finish_reason="tool_calls" if calls else "stop",
        first_token_ms=_first(reply.first_token_ms, timing.first_token_ms),
        ms_per_token=_first(reply.ms_per_token, timing.ms_per_token),
        prompt_tokens=_prompt_tokens(body),
        include_usage=bool((body.get("stream_options") or {}).get("include_usage")),
    )
    limit = body.get("max_completion_tokens") or body.get("max_tokens")
    if limit and len(wire.pieces) > limit:
        wire = replace(wire, pieces=wire.pieces[:limit], calls=(), finish_reason="length")
    return _spoil(wire, body, fault) if fault else wire


def _spoil(wire: WireReply, body: Mapping[str, Any], fault: Fault) -> WireReply:
    if fault.kind == "slow":
        return replace(wire, first_token_ms=fault.first_token_ms)
    if fault.kind == "empty":
        return replace(wire, pieces=(), calls=(), finish_reason="stop")
    if fault.kind == "filter_reply":
        half = wire.pieces[: len(wire.pieces) // 2]
        return replace(wire, pieces=half, calls=(), finish_reason="content_filter")
    if fault.kind == "unknown_tool":
        call = WireCall(_new_id("call_"), _UNKNOWN_TOOL, "{}")
        return replace(wire, pieces=(), calls=(call,), finish_reason="tool_calls")
    if fault.kind == "broken_arguments":
        offered = [tool["function"]["name"] for tool in body.get("tools") or ()]
        name = wire.calls[0].name if wire.calls else next(iter(offered), _UNKNOWN_TOOL)
        call = WireCall(_new_id("call_"), name, '{"broken": ')
        return replace(wire, calls=(call,), finish_reason="tool_calls")
    return wire


def as_completion(wire: WireReply) -> dict[str, Any]:
    """The reply as one JSON object."""
    message: dict[str, Any] = {"role": "assistant", "content": "".join(wire.pieces) or None}
    if wire.calls:
        message["tool_calls"] = [call.as_json() for call in wire.calls]
    choice = {
        "index": 0,
        "message": message,
        "finish_reason": wire.finish_reason,
        "logprobs": None,
    }
    return {**_head(wire, "chat.completion"), "choices": [choice], "usage": wire.usage}


def as_frames(wire: WireReply) -> Iterator[Frame]:
    """The reply as the chunks of a stream, without the closing ``[DONE]``."""
    head = _head(wire, "chat.completion.chunk")
    if wire.include_usage:
        head["usage"] = None

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return {**head, "choices": [choice]}

    # Azure begins with its verdict on the prompt, in a chunk without choices.
    yield Frame({**head, "choices": [], "prompt_filter_results": [{"prompt_index": 0}]})
    yield Frame(chunk({"role": "assistant", "content": None if not wire.pieces else ""}))
    for piece in wire.pieces:
        yield Frame(chunk({"content": piece}), is_token=True)
    for delta in _call_deltas(wire.calls):
        yield Frame(chunk({"tool_calls": [delta]}), is_token=True)
    yield Frame(chunk({}, wire.finish_reason), is_end=True)
    if wire.include_usage:
        yield Frame({**head, "choices": [], "usage": wire.usage})


def _call_deltas(calls: tuple[WireCall, ...]) -> Iterator[dict[str, Any]]:
    """Every call in pieces: name and id first, then the arguments in fragments."""
    for index, call in enumerate(calls):
        opening = {"name": call.name, "arguments": ""}
        yield {"index": index, "id": call.id, "type": "function", "function": opening}
        for start in range(0, len(call.arguments), _FRAGMENT_CHARS):
            fragment = call.arguments[start : start + _FRAGMENT_CHARS]
            yield {"index": index, "function": {"arguments": fragment}}


def _head(wire: WireReply, kind: str) -> dict[str, Any]:
    return {"id": wire.id, "object": kind, "created": int(time.time()), "model": wire.model}


def _prompt_tokens(body: Mapping[str, Any]) -> int:
    size = sum(len(text_of(message)) for message in body["messages"])
    size += sum(len(json.dumps(m["tool_calls"])) for m in body["messages"] if m.get("tool_calls"))
    size += len(json.dumps(body["tools"])) if body.get("tools") else 0
    return math.ceil(size / 4)


def _first(own: float | None, general: float) -> float:
    return general if own is None else own


def _new_id(prefix: str) -> str:
    return prefix + uuid.uuid4().hex[:24]
