"""The model's messages for one call of it, from what the session remembers. Pure."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from shared.agent.definition import AgentDefinition
from shared.agent.handoff import HandoffNote, note_for
from shared.agent.turn import Memory, TurnRequest
from shared.types import AgentName, Json

MAX_MESSAGES = 80
"""Of an agent's history that the model is shown; the rest stays in the session."""

_SENT = ("role", "content", "tool_calls", "tool_call_id")

_OURS = ("transfer", "handoff_context")
"""Whom to connect, and what goes along to the next agent: the model has no use for either."""

_RESUMED = (
    "You have already said your last words above. Go on from there; do not repeat what was said."
)


def line_variables(agent: AgentName, request: TurnRequest) -> Json:
    """What an agent's lines may say; its prompt may say this and more."""
    note = note_for(request.memory, agent)
    is_told = note is None or note.shares_context
    return {
        "agent_name": agent,
        "caller_name": _known(request, note, "caller_name"),
        "reason": request.facts.get("reason", "") if is_told else "",
    }


def greeting_variables(agent: AgentName, request: TurnRequest, *, is_continued: bool) -> Json:
    """What an agent's greetings may say."""
    return {**line_variables(agent, request), "is_continued": is_continued}


def prompt_variables(
    agent: AgentDefinition, request: TurnRequest, *, tools: Sequence[str], now: datetime
) -> Json:
    """What an agent's prompt may say; *tools* are those it can use in this session."""
    memory = request.memory
    note = note_for(memory, agent.name)
    return {
        **line_variables(agent.name, request),
        "is_authenticated": bool(memory.get_context("authenticated", False)),
        "client_id": _known(request, note, "client_id"),
        "channel": "phone" if request.channel == "call" else "chat",
        "handoff": _handoff_variables(note),
        "handoffs": edge_variables(agent),
        "tools": list(tools),
        "today": now.strftime("%A, %d %B %Y"),
    }


def edge_variables(agent: AgentDefinition) -> list[Json]:
    """The agent's handoffs, as its prompt lists them."""
    return [{"tool": edge.tool, "to": edge.to, "when": edge.when} for edge in agent.handoffs]


def _known(request: TurnRequest, note: HandoffNote | None, key: str) -> object:
    """A fact about the caller, unless it was not to go along to this agent."""
    return None if note and note.hides_caller else request.memory.get_context(key)


def _handoff_variables(note: HandoffNote | None) -> Json | None:
    if note is None or note.context is None:
        return None
    return {
        "from_agent": note.from_agent,
        "reason": note.context.reason,
        "summary": note.context.summary,
        "details": dict(note.context.details),
    }


def words_passed_on(agent: AgentName, memory: Memory) -> tuple[int, str] | None:
    """What the caller said to somebody else for *agent* to answer, with the turn it was said in."""
    note = note_for(memory, agent)
    return (note.turn, note.caller_said) if note and note.caller_said else None


def chat_messages(
    system: str,
    history: Sequence[Json],
    *,
    turn: int,
    utterance: str,
    passed_on: tuple[int, str] | None = None,
) -> list[Json]:
    """What to send to the model.

    Args:
        system: The agent's rendered prompt.
        history: The agent's messages, oldest first, each with the ``turn`` it belongs to.
        turn: The turn to answer.
        utterance: What the caller said in it. An agent that was handed the call in this turn does
            not have it in its history, and is shown it nevertheless.
        passed_on: The same of an earlier turn, as `words_passed_on` gives it.
    """
    kept = _from_a_whole_exchange(history[-MAX_MESSAGES:])
    before = [one for one in kept if one.get("turn") != turn]
    current = [one for one in kept if one.get("turn") == turn]
    if utterance:
        current = _with_words(current, turn, utterance) or [_heard(utterance)]
    if passed_on is not None:
        before = _with_words(before, *passed_on)
    messages = [{"role": "system", "content": system}, *merge_spoken([*before, *current])]
    if current and _is_spoken(current[-1]):
        messages.append({"role": "system", "content": _RESUMED})
    return messages


def _with_words(history: list[Json], turn: int, words: str) -> list[Json]:
    """*history* with what the caller said in *turn*, unless the turn has it, or is not there."""
    begin = next((at for at, one in enumerate(history) if one.get("turn") == turn), None)
    if begin is None or any(one["role"] == "user" for one in history if one.get("turn") == turn):
        return history
    return [*history[:begin], _heard(words), *history[begin:]]


def _heard(words: str) -> Json:
    return {"role": "user", "content": words}


def merge_spoken(history: Iterable[Json]) -> list[Json]:
    """Join the sentences of a reply, which are kept one by one, into one message.

    A reply is kept sentence by sentence because each is kept before it is spoken. Keys that are
    ours (``turn``, ``n``, ``event``) do not appear in the result.
    """
    merged: list[Json] = []
    for one in history:
        message = {key: one[key] for key in _SENT if key in one}
        last = merged[-1] if merged else None
        if last is not None and _is_spoken(last) and message["role"] == "assistant":
            texts = [text for text in (last["content"], message.get("content")) if text]
            merged[-1] = {**message, "content": " ".join(texts)}
        else:
            merged.append(message)
    return merged


def assistant_calls(calls: Sequence[tuple[str, str, str]]) -> Json:
    """The assistant's message that calls tools; *calls* are (id, name, arguments as JSON text)."""
    return {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
            for call_id, name, arguments in calls
        ],
    }


def tool_result(call_id: str, result: Json) -> Json:
    """The answer of a tool, for the model; what is between the tool and us is left out."""
    shown = {key: value for key, value in result.items() if key not in _OURS}
    content = json.dumps(shown, ensure_ascii=False, separators=(",", ":"), default=str)
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def _is_spoken(message: Json) -> bool:
    return message["role"] == "assistant" and not message.get("tool_calls")


def _from_a_whole_exchange(history: Sequence[Json]) -> Sequence[Json]:
    """Drop what a cut left dangling: tool answers whose call is no longer there."""
    for index, one in enumerate(history):
        if one["role"] != "tool":
            return history[index:]
    return ()
