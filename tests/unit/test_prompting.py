"""What the model is shown of what the session remembers."""

import itertools
import json

from hypothesis import given
from hypothesis import strategies as st

from shared.agent.prompting import (
    MAX_MESSAGES,
    assistant_calls,
    chat_messages,
    merge_spoken,
    tool_result,
)
from shared.types import Json

CALLS = assistant_calls([("c1", "look_up", '{"a":1}')])


def said(text: str, turn: int = 1) -> Json:
    """A sentence of the agent's, as it is kept."""
    return {"role": "assistant", "content": text, "turn": turn, "n": 9}


def heard(text: str, turn: int = 1) -> Json:
    """What the caller said, as it is kept."""
    return {"role": "user", "content": text, "turn": turn, "n": 8, "event": "e1"}


def ran(turn: int = 1) -> list[Json]:
    """A tool call and its answer, as they are kept."""
    return [{**CALLS, "turn": turn}, {**tool_result("c1", {"success": True}), "turn": turn}]


def test_chat_messages_begin_with_the_agents_prompt() -> None:
    """The prompt is the first thing the model reads, then the history in order."""
    history = [said("Hello.", 1), heard("hi", 2)]
    assert chat_messages("You are kind.", history, turn=2, utterance="hi") == [
        {"role": "system", "content": "You are kind."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "hi"},
    ]


def test_chat_messages_join_the_sentences_of_a_reply() -> None:
    """Sentences are kept one by one; to the model they are one message."""
    history = [heard("a", 1), said("One.", 1), said("Two.", 1), heard("b", 2)]
    messages = chat_messages("s", history, turn=2, utterance="b")
    assert [one["content"] for one in messages] == ["s", "a", "One. Two.", "b"]


def test_chat_messages_show_the_utterance_to_an_agent_handed_the_call() -> None:
    """The new agent's own history does not have what the caller said to the one before."""
    messages = chat_messages("s", [], turn=3, utterance="my card was stolen")
    assert messages[1:] == [{"role": "user", "content": "my card was stolen"}]


def test_chat_messages_put_a_missing_utterance_before_what_followed_it() -> None:
    """Tool results of this turn answer the caller's words, so they come after them."""
    messages = chat_messages("s", [said("Bye.", 1), *ran(2)], turn=2, utterance="help")
    assert [one["role"] for one in messages] == ["system", "assistant", "user", "assistant", "tool"]


def test_chat_messages_do_not_repeat_an_utterance_that_is_there() -> None:
    """Shown once, however the turn was begun."""
    messages = chat_messages("s", [heard("hi", 2)], turn=2, utterance="hi")
    assert [one["content"] for one in messages] == ["s", "hi"]


def test_chat_messages_show_an_earlier_utterance_where_it_was_answered() -> None:
    """In the turns after a handoff the agent still sees what its first words were an answer to."""
    history = [said("Hello.", 1), said("I see it.", 3), said("Was it you?", 3), heard("no", 4)]
    messages = chat_messages("s", history, turn=4, utterance="no", passed_on=(3, "a charge"))
    assert [one["content"] for one in messages[1:]] == [
        "Hello.",
        "a charge",
        "I see it. Was it you?",
        "no",
    ]


def test_chat_messages_leave_out_an_earlier_utterance_whose_answer_is_gone() -> None:
    """Without the answer it would look like something still to be answered."""
    messages = chat_messages("s", [heard("no", 4)], turn=4, utterance="no", passed_on=(3, "a"))
    assert [one["content"] for one in messages] == ["s", "no"]
    messages = chat_messages("s", [], turn=4, utterance="a charge", passed_on=(4, "a charge"))
    assert [one["content"] for one in messages] == ["s", "a charge"]


def test_chat_messages_show_an_utterance_once_to_an_agent_that_got_the_caller_back() -> None:
    """Passed on and back in one turn: the agent's own history has the words already."""
    history = [heard("a charge", 3), *ran(3), said("Back.", 3), heard("no", 4)]
    messages = chat_messages("s", history, turn=4, utterance="no", passed_on=(3, "a charge"))
    assert [one["content"] for one in messages if one["role"] == "user"] == ["a charge", "no"]


def test_tool_result_keeps_what_is_between_the_tool_and_us() -> None:
    """Neither a person's number nor whom the session has verified comes back with the history."""
    result = {"success": True, "transfer": {"target": "+1"}, "handoff_context": {"client_id": "C"}}
    assert json.loads(tool_result("c1", result)["content"]) == {"success": True}


def test_chat_messages_tell_that_the_turn_was_interrupted() -> None:
    """A turn taken over goes on where it stood, and does not say the same again."""
    messages = chat_messages("s", [heard("hi", 2), said("First.", 2)], turn=2, utterance="hi")
    assert messages[-1]["role"] == "system"
    assert "do not repeat" in messages[-1]["content"]


def test_chat_messages_of_earlier_turns_do_not_count_as_interrupted() -> None:
    """What was said in the turn before was said to its end."""
    messages = chat_messages("s", [said("Hello.", 1), heard("hi", 2)], turn=2, utterance="hi")
    assert messages[-1] == {"role": "user", "content": "hi"}


def test_chat_messages_after_tools_are_not_interrupted() -> None:
    """A round of tools is to be answered, not continued."""
    messages = chat_messages("s", [heard("hi", 2), *ran(2)], turn=2, utterance="hi")
    assert messages[-1]["role"] == "tool"


_messages = st.one_of(
    st.builds(said, st.text(min_size=1, max_size=5), st.integers(1, 9)),
    st.builds(heard, st.text(min_size=1, max_size=5), st.integers(1, 9)),
    st.just(None),  # a round of tools
)


@given(parts=st.lists(_messages, max_size=200))
def test_chat_messages_are_always_acceptable_to_the_model(parts: list[Json | None]) -> None:
    """However the history is cut: no tool answer without its call, and never too much."""
    history: list[Json] = []
    for turn, part in enumerate(parts):
        history += ran(turn) if part is None else [{**part, "turn": turn}]
    messages = chat_messages("s", history, turn=len(parts), utterance="now")
    assert len(messages) <= MAX_MESSAGES + 2
    for before, one in itertools.pairwise(messages):
        if one["role"] == "tool":
            assert before.get("tool_calls") or before["role"] == "tool"
    assert {key for one in messages for key in one} <= {
        *("role", "content", "tool_calls", "tool_call_id"),
    }


def test_chat_messages_of_nothing_but_dangling_answers_are_none() -> None:
    """A cut in the middle of a long round of tools leaves nothing that could be shown."""
    dangling = [{**tool_result("c1", {}), "turn": 1}] * 3
    assert chat_messages("s", dangling, turn=2, utterance="") == [
        {"role": "system", "content": "s"}
    ]


def test_merge_spoken_keeps_the_words_said_before_a_tool_call() -> None:
    """The "one moment" and the call that follows are one message of the assistant's."""
    merged = merge_spoken([said("One moment."), *ran()])
    assert merged[0] == {**CALLS, "content": "One moment."}
    assert merged[1]["role"] == "tool"


@given(texts=st.lists(st.text(min_size=1, max_size=9), min_size=1, max_size=9))
def test_merge_spoken_loses_no_word(texts: list[str]) -> None:
    """Every sentence is in the one message, in order."""
    assert merge_spoken(said(text) for text in texts) == [
        {"role": "assistant", "content": " ".join(texts)}
    ]


def test_merge_spoken_does_not_change_what_it_is_given() -> None:
    """The history belongs to the session."""
    history = [said("One."), said("Two.")]
    merge_spoken(history)
    assert history == [said("One."), said("Two.")]


def test_tool_result_is_written_whatever_a_tool_returns() -> None:
    """A value that JSON does not know becomes text instead of ending the turn."""
    message = tool_result("c1", {"at": {1}, "name": "Zoë"})
    assert message["tool_call_id"] == "c1"
    assert json.loads(message["content"]) == {"at": "{1}", "name": "Zoë"}
