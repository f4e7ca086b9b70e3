"""What the memory says has changed, through lost answers, conflicts and other writers."""

from hypothesis import given
from hypothesis import strategies as st

from shared.state.changes import Changes
from shared.state.history import Thread, ThreadLimits
from shared.state.memo import MemoManager
from shared.state.record import Record
from shared.types import SessionId

SID = SessionId("s")


def stored(**context: str) -> Record:
    """A record as it comes from the store."""
    return Record(SID, {f"c:{key}": text for key, text in context.items()})


def test_memo_changes_are_only_the_changes() -> None:
    """What was not touched is not written, nor what was set to the value it had."""
    memo = MemoManager()
    memo.rebase(stored(a="1", b="2"))
    assert not memo.has_changes
    memo.set_context("a", 1)
    memo.delete_context("none")
    memo.clear_history("none")
    assert not memo.has_changes
    memo.set_context("b", 3)
    memo.delete_context("a")
    changes = memo.changes()
    assert (changes.set, list(changes.delete)) == ({"c:b": "3"}, ["c:a"])
    memo.set_context("a", 5)
    assert list(memo.changes().delete) == []


def test_memo_sealed_changes_are_sent_again_as_they_were() -> None:
    """After a lost answer the same envelope goes out again, and what came later goes by itself."""
    memo = MemoManager()
    memo.append_to_history("user", "one")
    first = memo.seal("t1")
    memo.append_to_history("user", "two")
    again = memo.seal("t2")
    assert list(again) == ["t1", "t2"]
    assert again["t1"] == first["t1"]
    assert again["t2"].append["default"] == ['{"role":"user","content":"two"}']
    assert memo.seal("t1")["t1"] == first["t1"]
    assert memo.mark_saved("t1")
    assert not memo.mark_saved("t1")
    assert list(memo.changes().append["default"]) == again["t2"].append["default"]
    assert memo.mark_saved("t2")
    assert not memo.has_changes
    assert len(memo.get_history()) == 2


def test_memo_saved_envelope_takes_nothing_new() -> None:
    """A commit that is repeated after it was applied must not swallow later changes."""
    memo = MemoManager()
    memo.set_context("a", 1)
    memo.seal("t")
    memo.mark_saved("t")
    memo.set_context("b", 1)
    assert memo.seal("t") == {}
    assert memo.has_changes


def test_memo_unsealed_changes_come_before_later_ones() -> None:
    """A commit that was refused leaves everything to be saved, in the order it happened."""
    memo = MemoManager()
    memo.set_context("a", 1)
    memo.append_to_history("user", "one")
    memo.seal("t")
    memo.set_context("a", 2)
    memo.append_to_history("user", "two")
    memo.unseal("t")
    memo.unseal("t")
    changes = memo.changes()
    assert changes.set == {"c:a": "2"}
    assert [text[-6:-2] for text in changes.append["default"]] == ['"one', '"two']


def test_memo_rebase_keeps_the_unsaved_and_takes_the_rest() -> None:
    """Reading again brings what others wrote and loses nothing of one's own."""
    memo = MemoManager("s")
    memo.rebase(stored(mine="1", theirs="1", gone="1"))
    memo.set_context("mine", 2)
    memo.delete_context("gone")
    memo.append_to_history("user", "unsaved")
    theirs = Record(
        SID,
        {"c:mine": "1", "c:theirs": "9", "c:gone": "1", "h:default": "1"},
        {"default": '{"role":"user","content":"theirs"}'},
    )
    memo.rebase(theirs)
    assert memo.context == {"mine": 2, "theirs": 9}
    assert [m["content"] for m in memo.get_history()] == ["theirs", "unsaved"]
    memo.append_to_history("user", "more")
    assert len(theirs.messages("default")) == 1

    memo.clear_history()
    memo.append_to_history("user", "fresh")
    memo.rebase(theirs)
    assert [m["content"] for m in memo.get_history()] == ["fresh"]
    assert list(memo.changes().reset) == ["default"]


def test_memo_damage_is_salvaged_and_named() -> None:
    """Around a damaged message the others are there, wherever it stands."""
    good = '{"role":"user","content":"a, {b"}'
    for text in (f"{good},{{broken,{good}", f"{{broken,{good},{good}", f"{good},{good},{{broken"):
        record = Record(SID, {"h:x": "3"}, {"x": text})
        assert [m["content"] for m in record.messages("x")] == ["a, {b"] * 2
        assert record.damaged == ("h:x",)
    assert Record(SID, {"c:a": "[" * 100_000}).damaged == ("c:a",)
    assert Record(SID, {"h:x": "?"}, {"x": good}).messages("x") != []


def thread_of(*roles: str) -> Thread:
    """A stored thread with one message for each role."""
    text = ",".join(f'{{"role":"{role}","content":"{at}é"}}' for at, role in enumerate(roles))
    return Thread(text, len(roles))


def test_memo_long_thread_is_cut_where_the_caller_speaks() -> None:
    """What is kept starts with the caller if it can, and never with a tool's orphaned result."""
    limits = ThreadLimits(max_messages=4, kept_share=0.5)
    assert thread_of("user", "assistant", "user", "user").cut(limits) is None
    thread = thread_of("user", "assistant", "tool", "assistant", "user", "assistant")
    before = thread.stored_text.encode()
    cut = thread.cut(limits)
    assert cut is not None
    assert (cut.length_bytes, cut.messages) == (len(before), 4)
    assert before[cut.cut_bytes :] == thread.stored_text.encode()
    assert before[cut.cut_bytes - 1 : cut.cut_bytes] == b","
    assert [m["role"] for m in thread.messages()[0]] == ["user", "assistant"]
    orphan = thread_of("assistant", "tool", "assistant", "tool", "tool", "assistant")
    assert orphan.cut(limits) is not None
    assert [m["role"] for m in orphan.messages()[0]] == ["assistant"]
    assert thread_of("user", *["tool"] * 5).cut(limits) is None


def test_memo_thread_is_cut_by_size_too_and_not_when_damaged() -> None:
    """Few long messages are as slow as many short ones; what cannot be read is not touched."""
    limits = ThreadLimits(max_messages=100, max_bytes=100, kept_share=0.5)
    thread = thread_of("user", "user", "user", "user")
    assert thread.cut(limits) is not None
    assert len(thread.stored_text) <= 50
    assert Thread("{" * 200, 1).cut(limits) is None


actions = st.lists(
    st.tuples(
        st.sampled_from(["set", "delete", "append", "reset", "cut"]),
        st.sampled_from("ab"),
        st.text(),
    )
)


def record_of(steps: list[tuple[str, str, str]]) -> Changes:
    """The record of some changes."""
    changes = Changes()
    for what, name, text in steps:
        if what == "set":
            changes.set_field(name, text)
        elif what == "delete":
            changes.delete_field(name)
        elif what == "append":
            changes.append_to(name, text)
        elif what == "reset":
            changes.reset_thread(name)
    return changes


@given(actions, actions)
def test_memo_records_add_up(
    first: list[tuple[str, str, str]], second: list[tuple[str, str, str]]
) -> None:
    """One record followed by another is the record of everything, so no retry reorders changes."""
    assert record_of(first).then(record_of(second)) == record_of(first + second)
