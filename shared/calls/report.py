"""The report of a session: everything that is known of it, in one value. Pure."""

import json
from collections.abc import Sequence

from shared.calls.visit import Visit
from shared.cost.prices import Prices
from shared.telemetry.redaction import redact, redact_value
from shared.types import Json

SUMMARY = "summary"
"""The context key under which the summary is kept."""
_RECORDING = "recording:"


def report(visit: Visit, prices: Prices | None = None) -> Json:
    """What the session was about, what was said and done, where the time and the money went.

    Numbers and codes that identify or authenticate somebody are taken out: a report lives for
    months and is read by many. That takes milliseconds of CPU for a long call.
    """
    details, messages = visit.details(), visit.transcript()
    context = details.pop("context")
    return {
        **details,
        "summary": context.get(SUMMARY),
        "transcript": [_said(one) for one in messages if one["role"] != "tool" and _text(one)],
        "tools": redact_value(tool_calls(messages)),
        "recordings": {
            key.removeprefix(_RECORDING): redact_value(value)
            for key, value in context.items()
            if key.startswith(_RECORDING)
        },
        **({"cost": visit.cost(prices)} if prices is not None else {}),
    }


def tool_calls(messages: Sequence[Json]) -> list[Json]:
    """What the model had done: name, arguments and result of each call, in order."""
    results = {one["tool_call_id"]: one["content"] for one in messages if one["role"] == "tool"}
    return [
        {
            "turn": message.get("turn"),
            "agent": message.get("agent"),
            "name": call["function"]["name"],
            "arguments": _parsed(call["function"]["arguments"]),
            "result": _parsed(results.get(call["id"], "null")),
        }
        for message in messages
        for call in message.get("tool_calls", ())
    ]


def _said(message: Json) -> Json:
    kept = ("turn", "agent", "role")
    return {**{name: message.get(name) for name in kept}, "text": redact(_text(message))}


def _text(message: Json) -> str:
    return message.get("content") or ""


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return text  # a model may write anything
