"""The memory of a session with several holders and a real Redis."""

import asyncio

import pytest

from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager, count_round_trips
from shared.state.codec import session_key
from shared.state.facts import LATENCY_THREAD
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from tests.contract.redis_wire import Wire, free_port

pytest_plugins = ("tests.contract.redis_fixture",)


async def test_memo_twenty_writers_keep_everything(redis: AzureRedisManager) -> None:
    """Nobody overwrites anybody: all messages and all keys of twenty writers at once are kept."""
    sid = new_session_id()

    async def write(at: int) -> None:
        memo = await MemoManager.from_redis_async(sid, redis)
        memo.append_to_history("user", str(at))
        memo.set_context(f"key_{at}", at)
        memo.append_to_history(f"agent_{at % 2}", "user", str(at))
        await memo.persist()

    await asyncio.gather(*(write(at) for at in range(20)))
    memo = await MemoManager.from_redis_async(sid, redis)
    assert sorted(int(m["content"]) for m in memo.get_history()) == list(range(20))
    assert memo.context == {f"key_{at}": at for at in range(20)}
    assert len(memo.get_history("agent_0")) == len(memo.get_history("agent_1")) == 10


async def test_memo_costs_one_round_trip_each_way_and_none_for_nothing(
    redis: AzureRedisManager,
) -> None:
    """Saving what did not change goes nowhere; every save gives the session its full life again."""
    sid = new_session_id()
    memo = MemoManager(sid, redis)
    memo.set_context("a", 1)
    await memo.persist()
    with count_round_trips() as trips:
        memo = await MemoManager.from_redis_async(sid, redis)
    assert trips.total == 1
    with count_round_trips() as trips:
        await memo.persist_to_redis_async()
    assert trips.total == 0
    memo.append_to_history("user", "x")
    with count_round_trips() as trips:
        await memo.persist_to_redis_async(redis, ttl_seconds=50)
    assert trips.total == 1
    for part in ("memo", "history:default", "seen"):
        assert 40 < int(str(await redis.execute("TTL", session_key(sid, part)))) <= 50
    memo.set_context("a", 2)
    await memo.persist()
    assert int(str(await redis.execute("TTL", session_key(sid, "history:default")))) > 50


async def test_memo_refresh_keeps_what_is_unsaved(redis: AzureRedisManager) -> None:
    """Reading again brings the other holder's changes, deletions included, and keeps one's own."""
    sid = new_session_id()
    one = MemoManager(sid, redis)
    assert await one.refresh_from_redis_async() is False
    one.set_context("gone", 1)
    one.set_context("shared", 1)
    await one.persist()
    two = await MemoManager.from_redis_async(sid, redis)
    two.delete_context("gone")
    two.append_to_history("user", "two")
    await two.persist()
    one.set_context("shared", 2)
    one.append_to_history("user", "one")

    assert await one.check_for_changes() == {"corememory": True, "chat_history": True}
    assert await one.refresh_from_redis_async() is True
    assert one.context == {"shared": 2}
    assert [m["content"] for m in one.get_history()] == ["two", "one"]
    assert await one.check_for_changes() == {"corememory": False, "chat_history": False}
    await one.persist()
    assert await one.check_for_changes() == {"corememory": False, "chat_history": False}
    assert await two.check_for_changes(redis) == {"corememory": True, "chat_history": True}


async def test_memo_live_value_is_one_field(redis: AzureRedisManager) -> None:
    """Setting one value now neither saves the rest nor drops what another holder added."""
    sid = new_session_id()
    one, two = MemoManager(sid, redis), MemoManager(sid, redis)
    one.set_context("unsaved", 1)
    one.set_context("flag", "old")
    two.append_to_history("user", "kept")
    await two.persist()
    await one.set_live_context_value(redis, "flag", {"on": True})
    assert await two.get_live_context_value(redis, "flag") == {"on": True}
    assert await two.get_live_context_value(None, "unsaved", "none") == "none"
    assert two.get_context("flag") is None
    assert one.get_context("flag") == {"on": True}
    assert list(one.changes().set) == ["c:unsaved"]
    found = await MemoManager.from_redis_async(sid, redis)
    assert [m["content"] for m in found.get_history()] == ["kept"]


async def test_memo_fields_and_threads_go_when_they_are_deleted(redis: AzureRedisManager) -> None:
    """What was cleared is gone for everyone, and can begin again."""
    sid = new_session_id()
    memo = MemoManager(sid, redis)
    memo.set_context("a", 1)
    memo.ensure_system_prompt("x", "prompt")
    memo.append_to_history("x", "user", "old")
    await memo.persist()
    memo.delete_context("a")
    memo.clear_history("x")
    memo.append_to_history("x", "user", "new")
    await memo.persist()
    found = await MemoManager.from_redis_async(sid, redis)
    assert found.context == {}
    assert found.histories == {"x": [{"role": "user", "content": "new"}]}
    assert await redis.hash_get_async(session_key(sid, "memo"), "h:x") == "1"
    found.clear_history()
    await found.persist()
    assert await redis.exists_async(session_key(sid, "history:x")) is False


async def test_memo_latency_notes_are_bounded(redis: AzureRedisManager) -> None:
    """A long call notes thousands of latencies and stores a few hundred."""
    memo = MemoManager(new_session_id(), redis)
    for _ in range(5):
        for at in range(150):
            memo.note_latency("llm", 0, at / 1000)
        await memo.persist()
    found = await MemoManager.from_redis_async(memo.session_id, redis)
    assert len(found.messages(LATENCY_THREAD)) <= 400 + 150
    assert found.latency_summary()["llm"]["count"] == 200


async def test_memo_failed_save_is_an_error_and_loses_nothing(
    wire: Wire, redis: AzureRedisManager
) -> None:
    """A dead Redis is said, what was to be saved is kept, and saving again stores it once."""
    sid = new_session_id()
    nowhere = AzureRedisManager(url=f"redis://127.0.0.1:{free_port()}")
    memo = MemoManager(sid, nowhere)
    memo.append_to_history("user", "once")
    with pytest.raises(UpstreamError):
        await memo.persist()
    await nowhere.aclose()
    with pytest.raises(UpstreamError):
        await MemoManager.from_redis_async(sid, nowhere)
    async with (
        wire.laid() as port,
        AzureRedisManager(url=f"redis://127.0.0.1:{port}", op_timeout_s=0.1) as slow,
    ):
        await slow.ping_async()
        wire.hold()
        with pytest.raises(UpstreamError):
            await memo.persist(slow)
        wire.release()
        await memo.persist()
    found = await MemoManager.from_redis_async(sid, redis)
    assert [m["content"] for m in found.get_history()] == ["once"]
