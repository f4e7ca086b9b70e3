"""The memory of a session as plain data, without Redis."""

import json
import logging
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequestError
from shared.state.codec import dumps, loads
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id


def test_memo_ids_are_version_7_and_sort_by_age() -> None:
    """A session id is unique without asking anyone, and newer sessions sort behind older ones."""
    ids = [new_session_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    for text in ids[:20]:
        parsed = uuid.UUID(text)
        assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)
    assert [text[:13] for text in ids] == sorted(text[:13] for text in ids)
    assert len(MemoManager().session_id) == 36


@pytest.mark.parametrize("bad", ["", "a}b", "a b", "{a}", "a\n", "x" * 129])
def test_memo_refuses_ids_that_could_leave_their_key(bad: str) -> None:
    """An id comes from a URL; it must not reach another session's keys."""
    with pytest.raises(InvalidRequestError):
        MemoManager(bad)


def test_memo_hands_out_copies() -> None:
    """Nobody changes the memory by changing what was put in or taken out."""
    memo = MemoManager()
    profile = {"tags": ["a"]}
    memo.set_context("profile", profile)
    profile["tags"].append("b")
    memo.get_context("profile")["tags"].append("c")
    memo.context["profile"]["tags"].append("d")
    assert memo.get_context("profile") == {"tags": ["a"]}
    message = {"role": "user", "content": ["x"]}
    memo.append_message("default", message)
    message["content"] = "y"
    memo.get_history()[0]["content"] = "z"
    assert memo.get_history() == [{"role": "user", "content": ["x"]}]


def test_memo_context_and_its_other_names() -> None:
    """The two vocabularies of the interface mean the same memory."""
    memo = MemoManager()
    memo.set_corememory("a", 0)
    memo.update_corememory("b", False)
    assert memo.get_context("a", 7) == 0
    assert memo.get_value_from_corememory("b", 7) is False
    assert memo.get_context("none", 7) == 7
    memo.update_context("d", {"x": 1, "y": 1})
    memo.update_context("d", {"y": 2})
    memo.update_context("a", {"z": 1})
    assert memo.context == {"a": {"z": 1}, "b": False, "d": {"x": 1, "y": 2}}
    memo.delete_context("a")
    memo.delete_context("a")
    assert memo.get_context("a") is None


def test_memo_names_never_clash_with_each_other() -> None:
    """A context key, a slot and a tool of one name are three things, none of them ours."""
    memo = MemoManager()
    for name in ("version", "call", "schema", "c:x"):
        memo.set_context(name, 1)
        memo.update_slots({name: 2})
        memo.persist_tool_output(name, {"r": 3})
        assert (memo.get_context(name), memo.get_slot(name)) == (1, 2)
        assert memo.get_tool_output(name) == {"r": 3}
    assert memo.get_slot("none", "d") == memo.get_tool_output("none", "d") == "d"
    assert all(field[:2] in ("c:", "s:", "t:") for field in memo.changes().set)


@pytest.mark.parametrize("value", [object(), float("nan"), {1, 2}, {"x": b"y"}])
def test_memo_refuses_at_once_what_cannot_be_stored(value: object) -> None:
    """The error comes where the value is set, and names the key but not the value."""
    memo = MemoManager()
    with pytest.raises(InvalidRequestError, match="profile") as caught:
        memo.set_context("profile", value)
    assert repr(value) not in str(caught.value)
    with pytest.raises(InvalidRequestError):
        memo.append_to_history("user", value)
    with pytest.raises(InvalidRequestError):
        memo.set_context("", 1)
    assert not memo.has_changes


def test_memo_refuses_what_is_nested_without_end() -> None:
    """A value that contains itself is a bad request, not a crash."""
    endless: list[object] = []
    endless.append(endless)
    with pytest.raises(InvalidRequestError):
        MemoManager().set_context("x", endless)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_memo_values_come_back_as_they_went(value: object) -> None:
    """Every JSON value survives, lone surrogates and all, and its text can be sent as UTF-8."""
    text = dumps(value, name="x")
    assert loads(text) == value
    assert json.loads(text.encode().decode()) == value


def test_memo_tool_outputs_are_bounded() -> None:
    """A long result does not make every later load slow; that it was left out is said."""
    memo = MemoManager()
    memo.persist_tool_output("search", {"text": "x" * 20_000})
    assert memo.get_tool_output("search")["is_left_out"] is True
    memo.persist_tool_output("search", {})
    assert memo.get_tool_output("search")["is_left_out"] is True
    memo.persist_tool_output("search", 0)
    assert memo.get_tool_output("search") == 0


def test_memo_history_takes_two_or_three_arguments() -> None:
    """Both shapes of the interface work; without an agent it is the default thread."""
    memo = MemoManager()
    memo.append_to_history("user", "Hello")
    memo.append_to_history("fraud", "assistant", "Hi")
    assert memo.histories == {
        "default": [{"role": "user", "content": "Hello"}],
        "fraud": [{"role": "assistant", "content": "Hi"}],
    }
    assert memo.get_history("nobody") == []
    with pytest.raises(TypeError):
        memo.append_to_history("user")  # type: ignore[call-overload]
    with pytest.raises(InvalidRequestError):
        memo.append_to_history("~latency", "user", "x")


def test_memo_system_prompt_is_first_and_single() -> None:
    """A prompt holds for a new agent too, and a new one replaces the old one."""
    memo = MemoManager()
    memo.ensure_system_prompt("fraud", "one")
    assert memo.get_history("fraud") == [{"role": "system", "content": "one"}]
    memo.append_to_history("fraud", "user", "x")
    memo.ensure_system_prompt("fraud", "two")
    memo.ensure_system_prompt("fraud", "two")
    assert [m["content"] for m in memo.get_history("fraud")] == ["two", "x"]
    assert "fraud" in memo.histories


def test_memo_clear_history_of_one_or_all() -> None:
    """Clearing empties what was asked for, prompts included, and leaves latencies."""
    memo = MemoManager()
    for agent in ("a", "b", "c"):
        memo.append_to_history(agent, "user", "x")
        memo.ensure_system_prompt(agent, "p")
    memo.note_latency("llm", 1.0, 1.5)
    memo.clear_history("a")
    assert sorted(memo.histories) == ["b", "c"]
    memo.clear_history()
    assert memo.histories == {}
    assert memo.latency_summary()["llm"]["count"] == 1


def test_memo_latency_summary_counts_the_last_notes() -> None:
    """The summary has units, is right for one and for many, and never grows without end."""
    memo = MemoManager()
    for at in range(300):
        memo.note_latency("old" if at < 100 else "llm", 0.0, 0.001 * (at + 1))
    summary = memo.latency_summary()
    assert set(summary) == {"llm"}
    assert summary["llm"]["count"] == 200
    assert summary["llm"]["min_ms"] == 101
    assert summary["llm"]["max_ms"] == 300
    assert summary["llm"]["avg_ms"] == pytest.approx(200.5)
    assert summary["llm"]["total_ms"] == pytest.approx(40100)
    assert MemoManager().latency_summary() == {}


async def test_memo_without_a_manager_says_so() -> None:
    """Saving nowhere is a mistake of the caller's, not a success."""
    memo = MemoManager()
    memo.set_context("a", 1)
    with pytest.raises(ValueError, match="Redis manager"):
        await memo.persist()


def test_memo_logs_nothing_that_was_said(caplog: pytest.LogCaptureFixture) -> None:
    """Profiles, codes and words stay out of the logs at every level."""
    with caplog.at_level(logging.DEBUG):
        memo = MemoManager()
        memo.set_context("code", "4711")
        memo.append_to_history("user", "my secret")
        memo.context  # noqa: B018 - reading must log nothing either
    assert caplog.text == ""
    assert "secret" not in repr(memo) + repr(memo.changes())
