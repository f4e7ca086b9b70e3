"""What a script can see of a request: who spoke last, what the tools said, what is offered."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

_AGENT_LINE = re.compile(r"^Agent:[ \t]*(\S+)[ \t]*$", re.MULTILINE)
_INSTRUCTING = frozenset(("system", "developer"))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A request, as a rule of a script looks at it."""

    agent: str
    """From the line ``Agent: <name>`` of the last system message that has one; else empty."""
    last: str
    """``user`` or ``tool``: who spoke last, apart from assistant text and system notes that follow;
    ``system`` if nobody did."""
    said: str
    """That assistant text: what was already said of the reply that is asked for."""
    user_text: str
    """The last thing the user said."""
    last_tool: str
    """The tool whose result came last, if ``last`` is ``tool``."""
    last_result: str
    """That result, as it was sent."""
    results: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """The latest result of every tool that returned a JSON object."""
    offered: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    """The tools the model may call, with the names of their parameters; None: any."""


def read_conversation(body: Mapping[str, Any]) -> Conversation:
    """Read a request body that has passed `wire.check_request`."""
    messages: list[Mapping[str, Any]] = body["messages"]
    end = len(messages)
    while end > 0 and _is_afterword(messages[end - 1]):
        end -= 1
    said = [text_of(message) for message in messages[end:] if message["role"] == "assistant"]
    results, last_tool = _read_results(messages[:end])
    last = messages[end - 1]["role"] if end else "system"
    return Conversation(
        agent=_read_agent(messages),
        last=last,
        said=" ".join(said),
        user_text=next((text_of(m) for m in reversed(messages) if m["role"] == "user"), ""),
        last_tool=last_tool if last == "tool" else "",
        last_result=text_of(messages[end - 1]) if last == "tool" else "",
        results=results,
        offered=_read_offered(body),
    )


def text_of(message: Mapping[str, Any]) -> str:
    """The text of a message, whether it is a string, a list of parts or absent."""
    content = message.get("content")
    if isinstance(content, list):
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _is_afterword(message: Mapping[str, Any]) -> bool:
    is_text = message["role"] == "assistant" and not message.get("tool_calls")
    return is_text or message["role"] in _INSTRUCTING


def _read_agent(messages: list[Mapping[str, Any]]) -> str:
    for message in reversed(messages):
        if message["role"] in _INSTRUCTING:
            found = _AGENT_LINE.search(text_of(message))
            if found:
                return found[1]
    return ""


def _read_results(
    messages: list[Mapping[str, Any]],
) -> tuple[dict[str, Mapping[str, Any]], str]:
    """The latest JSON object each tool returned, and the tool that returned last."""
    names: dict[str, str] = {}
    results: dict[str, Mapping[str, Any]] = {}
    last_tool = ""
    for message in messages:
        for call in message.get("tool_calls") or ():
            names[call["id"]] = call["function"]["name"]
        if message["role"] == "tool":
            last_tool = names[message["tool_call_id"]]
            try:
                result = json.loads(text_of(message))
            except ValueError:
                continue
            if isinstance(result, dict):
                results[last_tool] = result
    return results, last_tool


def _read_offered(body: Mapping[str, Any]) -> dict[str, frozenset[str] | None]:
    if body.get("tool_choice") == "none":
        return {}
    offered: dict[str, frozenset[str] | None] = {}
    for tool in body.get("tools") or ():
        properties = tool["function"].get("parameters", {}).get("properties")
        offered[tool["function"]["name"]] = None if properties is None else frozenset(properties)
    return offered
