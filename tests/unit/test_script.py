"""The rules a scripted model answers by."""

import json
from typing import Any

import pytest

from simulator.model import Script, ScriptError
from simulator.model.conversation import Conversation, read_conversation
from simulator.model.script import without_said
from simulator.model.templates import digits, money, sentences


def tool(name: str, *parameters: str) -> dict[str, Any]:
    """A tool as a request offers it."""
    properties = {parameter: {"type": "string"} for parameter in parameters}
    schema = {"type": "object", "properties": properties}
    return {"type": "function", "function": {"name": name, "parameters": schema}}


def call(name: str, call_id: str = "c1") -> dict[str, Any]:
    """An assistant message that calls one tool."""
    function = {"name": name, "arguments": "{}"}
    entry = {"id": call_id, "type": "function", "function": function}
    return {"role": "assistant", "content": None, "tool_calls": [entry]}


def result(content: object, call_id: str = "c1") -> dict[str, Any]:
    """What a tool returned."""
    return {"role": "tool", "tool_call_id": call_id, "content": json.dumps(content)}


def user(text: str) -> dict[str, Any]:
    """What the caller said."""
    return {"role": "user", "content": text}


def seen(*messages: dict[str, Any], agent: str = "concierge", **body: Any) -> Conversation:
    """A request of *agent* with these messages."""
    system = {"role": "system", "content": f"Be brief.\nAgent: {agent}\nToday is Monday."}
    return read_conversation({"messages": [system, *messages], **body})


def answer(rules: list[dict[str, Any]], conversation: Conversation) -> str:
    """What a script of these rules says."""
    return Script.parse({"rules": rules}).answer(conversation).text


def test_first_matching_rule_wins() -> None:
    """Whoever reads a script from the top knows what is answered."""
    rules = [
        {"when": {"says": "nothing"}, "say": "a"},
        {"when": {"says": "hello"}, "say": "b"},
        {"when": {"says": "hello"}, "say": "c"},
    ]
    assert answer(rules, seen(user("Hello there"))) == "b"


def test_no_rule_says_that_it_did_not_understand() -> None:
    """A gap in a script is heard, not silent."""
    assert "did not understand" in answer([], seen(user("Hello")))


@pytest.mark.parametrize(
    ("when", "matches"),
    [
        ({"agent": "concierge"}, True),
        ({"agent": "fraud"}, False),
        ({"last": "tool"}, True),
        ({"last": "user"}, False),
        ({"after_tool": "find"}, True),
        ({"after_tool": "lose"}, False),
        ({"after_tool": "find", "result": '"success":\\s*true'}, True),
        ({"after_tool": "find", "result": '"success":\\s*false'}, False),
        ({"says": "look"}, False),
        ({"says": "look", "last": "tool"}, True),
        ({"says": "look", "after_tool": "find"}, True),
        ({"offers": ["find"]}, True),
        ({"offers": ["find", "lose"]}, False),
        ({"knows": ["find"]}, True),
        ({"knows": ["lose"]}, False),
        ({"last": "assistant"}, False),
    ],
)
def test_rule_matches_on_what_it_names(when: dict[str, Any], *, matches: bool) -> None:
    """Every condition holds or fails by itself; words count only right after they were said."""
    conversation = seen(
        user("look there"), call("find"), result({"success": True}), tools=[tool("find")]
    )
    text = answer([{"when": when, "say": "yes"}], conversation)
    assert (text == "yes") == matches


def test_agent_is_the_one_of_the_last_system_message() -> None:
    """After a handoff the new prompt counts."""
    conversation = seen({"role": "developer", "content": "Agent: fraud"}, user("x"))
    assert conversation.agent == "fraud"


def test_results_that_are_no_object_are_not_known() -> None:
    """A tool may return anything; a rule can still see it as text."""
    messages = [user("x"), call("find"), {"role": "tool", "tool_call_id": "c1", "content": "oops"}]
    conversation = seen(*messages)
    assert conversation.results == {}
    assert answer([{"when": {"result": "oops"}, "say": "yes"}], conversation) == "yes"


def test_text_in_parts_is_read() -> None:
    """The protocol allows a list of parts wherever there is text."""
    parts = [{"type": "text", "text": "one "}, {"type": "text", "text": "two"}]
    assert seen({"role": "user", "content": parts}).user_text == "one two"


def test_answer_uses_groups_and_results() -> None:
    """What is said comes from what was heard and what the tools found."""
    rule = {
        "when": {"says": "I am (?P<name>\\w+)", "last": "tool"},
        "say": "{{ name }}, {{ result.n }} of {{ results.find.total }} for {{ user }}.",
    }
    conversation = seen(user("I am Ann"), call("find"), result({"n": 1, "total": 2}))
    assert answer([rule], conversation) == "Ann, 1 of 2 for I am Ann."


def test_answer_keeps_to_the_schema_of_the_tool() -> None:
    """A model does not send what a tool does not know, nor what it does not know itself."""
    arguments = {"a": "{{ user }}", "b": "x", "c": "{{ results.gone.id | default('') }}"}
    script = Script.parse({"rules": [{"call": [{"tool": "find", "arguments": arguments}]}]})
    (made,) = script.answer(seen(user("hi"), tools=[tool("find", "a", "c")])).calls
    assert made.arguments == {"a": "hi"}


def test_answer_calls_only_what_is_offered() -> None:
    """A tool that is not offered cannot be called, so the rule does not count."""
    rules: list[dict[str, Any]] = [{"call": [{"tool": "find"}]}, {"say": "no tools"}]
    assert answer(rules, seen(user("x"))) == "no tools"
    tools = [tool("find")]
    assert answer(rules, seen(user("x"), tools=tools, tool_choice="none")) == "no tools"
    assert answer(rules, seen(user("x"), tools=tools)) == ""


def test_answer_fails_on_what_is_missing() -> None:
    """A script that speaks of what a tool did not return is wrong, and names its rule."""
    script = Script.parse({"rules": [{"name": "the balance", "say": "{{ result.balance }}"}]})
    with pytest.raises(ScriptError, match="the balance"):
        script.answer(seen(user("x")))


def test_answer_goes_on_after_what_was_said() -> None:
    """A resumed turn is answered with the rest, whatever system note follows what was said."""
    said = {"role": "assistant", "content": "Just a moment. One two."}
    note = {"role": "system", "content": "Go on."}
    conversation = seen(user("x"), said, note)
    assert (conversation.last, conversation.said) == ("user", "Just a moment. One two.")
    assert answer([{"say": "One two. Three four."}], conversation) == "Three four."
    assert answer([{"when": {"last": "assistant"}, "say": "ok"}], conversation) == "ok"


@pytest.mark.parametrize(
    ("said", "rest"),
    [
        ("", "One two. Three."),
        ("One two.", "Three."),
        ("A filler. One two.", "Three."),
        ("One  two. Three.", ""),
        ("Two.", "One two. Three."),
        ("One two. Then another.", "One two. Three."),
    ],
)
def test_without_said_leaves_out_what_was_said(said: str, rest: str) -> None:
    """Only a true beginning is left out, by whole words."""
    assert without_said("One two. Three.", said) == rest


@pytest.mark.parametrize(
    "data",
    [
        [],
        {"rule": []},
        {"rules": ["x"]},
        {"rules": [{"if": {}}]},
        {"rules": [{"when": {"say": "x"}}]},
        {"rules": [{"when": {"says": "("}}]},
        {"rules": [{"when": {"last": "nobody"}}]},
        {"rules": [{"when": {"offers": "find"}}]},
        {"rules": [{"call": [{"arguments": {}}]}]},
        {"caller": ["hello"]},
    ],
)
def test_script_that_is_none_is_refused(data: object) -> None:
    """A slip in a script is found when it is loaded, not when the line is due."""
    with pytest.raises(ScriptError):
        Script.parse(data)


def test_filters_make_speech() -> None:
    """Amounts, digits and excerpts are said as people say them."""
    assert money(-1234.5) == "$1,234.50"
    assert digits("one two, 3 oh") == "1230"
    assert sentences("One. Two! Three? Four.", 2) == "One. Two!"
