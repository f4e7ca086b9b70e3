"""Sessions that have grown too long, are damaged, or come from newer code."""

import logging

import pytest

from shared.errors import InvalidRequestError
from shared.redis.manager import AzureRedisManager
from shared.state.codec import DamagedStateError, SchemaTooNewError, session_key
from shared.state.history import ThreadLimits
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from shared.state.store import Commit, SessionStore
from shared.types import SessionId
from tests.contract.store_parts import AGENT, store_of

pytest_plugins = ("tests.contract.redis_fixture", "tests.contract.store_fixture")


async def test_store_long_thread_loses_its_oldest_to_the_journal(
    redis: AzureRedisManager,
) -> None:
    """A thread is bounded, never starts with an orphaned tool result, and nothing is lost."""
    sid = new_session_id()
    store = store_of(redis, limits=ThreadLimits(max_messages=10, kept_share=0.5))
    memo = MemoManager(sid, redis)
    roles = ["user", "assistant", "tool"] * 4
    for at, role in enumerate(roles):
        memo.append_message(AGENT, {"role": role, "content": f"é{at}"})
    await memo.persist()

    loaded = await store.load(sid)
    loaded.memo.append_message(AGENT, {"role": "user", "content": "new"})
    await store.commit(Commit(session_id=sid, memo=loaded.memo))

    kept = (await store.load(sid)).memo.get_history(AGENT)
    assert kept == loaded.memo.get_history(AGENT)
    assert [m["content"] for m in kept] == ["é9", "é10", "é11", "new"]
    assert kept[0]["role"] == "user"
    (entry,) = await store.journal(sid)
    assert [m["content"] for m in entry["messages"]] == [f"é{at}" for at in range(9)]
    assert (entry["kind"], entry["thread"]) == ("compacted", AGENT)


async def test_store_compaction_gives_way_to_another_writer(redis: AzureRedisManager) -> None:
    """Only what was read is dropped: a message appended meanwhile makes compaction wait."""
    sid = new_session_id()
    memo = MemoManager(sid, redis)
    for at in range(12):
        memo.append_to_history("user", str(at))
    await memo.persist()
    store = store_of(redis, limits=ThreadLimits(max_messages=10))
    loaded = await store.load(sid)
    memo.append_to_history("user", "meanwhile")
    await memo.persist()
    await store.commit(Commit(session_id=sid, memo=loaded.memo))
    assert len((await store.load(sid)).memo.get_history()) == 13
    await store.commit(Commit(session_id=sid, memo=(await store.load(sid)).memo))
    found = (await store.load(sid)).memo.get_history()
    assert [m["content"] for m in found] == ["8", "9", "10", "11", "meanwhile"]


async def test_store_damage_stays_where_it_is(
    store: SessionStore, redis: AzureRedisManager, caplog: pytest.LogCaptureFixture
) -> None:
    """One broken field or message costs itself, not the session, and its text is kept."""
    sid = new_session_id()
    memo = MemoManager(sid, redis)
    memo.set_context("good", 1)
    memo.set_context("bad", {"secret": "said"})
    memo.append_to_history(AGENT, "user", "before")
    await memo.persist()
    await redis.hash_set_async(session_key(sid, "memo"), {"c:bad": '{"secret": said'})
    await redis.execute("APPEND", session_key(sid, "history:concierge"), b',{"role": \xff')
    memo.append_to_history(AGENT, "user", "after")
    await memo.persist()
    await redis.hash_set_async(session_key(sid, "outbox"), {"c1": "nonsense", "c2": "1:2:x:[]"})

    with caplog.at_level(logging.ERROR):
        loaded = await store.load(sid)
        assert loaded.memo.get_context("bad", "none") == "none"
    assert loaded.memo.context == {"good": 1}
    assert [m["content"] for m in loaded.memo.get_history(AGENT)] == ["before", "after"]
    assert loaded.memo.damaged == ("c:bad", "h:concierge", "outbox:c1", "outbox:c2")
    assert loaded.outbox == ()
    assert "said" not in caplog.text
    await store.commit(Commit(session_id=sid, memo=loaded.memo, call={}))
    assert await redis.hash_get_async(session_key(sid, "memo"), "c:bad") == '{"secret": said'


async def test_store_damaged_call_is_an_error(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """A call whose state cannot be read is not a call that has not begun."""
    for fields in ({"call": "{"}, {"call": "[]"}, {"version": "x"}, {"schema": "x"}):
        sid = new_session_id()
        await redis.hash_set_async(session_key(sid, "memo"), fields)
        with pytest.raises(DamagedStateError):
            await store.load(sid)


async def test_store_leaves_newer_sessions_alone(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """Old code neither reads nor writes what newer code stored, so a rolling update is safe."""
    sid = new_session_id()
    memo = MemoManager(sid, redis)
    memo.set_context("a", 1)
    await redis.hash_set_async(session_key(sid, "memo"), {"schema": "99"})
    with pytest.raises(SchemaTooNewError):
        await store.load(sid)
    with pytest.raises(SchemaTooNewError):
        await store.commit(Commit(session_id=sid, call={}))
    with pytest.raises(SchemaTooNewError):
        await memo.persist()
    assert memo.has_changes
    assert await redis.hash_get_all_async(session_key(sid, "memo")) == {"schema": "99"}


async def test_store_refuses_what_it_cannot_write(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """A bad id could leave its key, and a bad value could not be read: both stop before Redis."""
    with pytest.raises(InvalidRequestError):
        await store.load(SessionId("a}b"))
    with pytest.raises(InvalidRequestError, match="call"):
        await store.commit(Commit(session_id=new_session_id(), call={"x": object()}))
    with pytest.raises(ValueError, match="another session"):
        await store.commit(Commit(session_id=new_session_id(), memo=MemoManager()))
    for name in ("", "a:b"):
        with pytest.raises(InvalidRequestError):
            store_of(redis, name)


async def test_store_damaged_journal_entry_is_named_as_one(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """A replay sees that something is missing, and everything around it."""
    sid = new_session_id()
    await store.commit(Commit(session_id=sid, journal={"n": 1}))
    journal = session_key(sid, "journal")
    await redis.execute("XADD", journal, "*", "entry", "{")
    await redis.execute("XADD", journal, "*", "other", "x")
    await store.commit(Commit(session_id=sid, journal={"n": 2}))
    damaged = {"kind": "damaged"}
    assert await store.journal(sid) == [{"n": 1}, damaged, damaged, {"n": 2}]
