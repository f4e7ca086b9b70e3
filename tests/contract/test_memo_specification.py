"""The specification's memory sample, import paths aside."""

from shared.redis.manager import AzureRedisManager
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id

pytest_plugins = ("tests.contract.redis_fixture",)


async def test_memo_specification_sample_keeps_what_was_said(redis: AzureRedisManager) -> None:
    """The sample runs as written, and another process finds everything it stored."""
    redis_mgr = redis
    session_id = new_session_id()

    # Load or create session
    memory_manager = MemoManager.from_redis(session_id, redis_mgr)

    # Conversation history
    memory_manager.append_to_history("user", "Hello")
    memory_manager.append_to_history("assistant", "Hi there!")

    # Context storage
    memory_manager.set_context("target_number", "+1234567890")

    # Persist to Redis
    await memory_manager.persist_to_redis_async(redis_mgr)

    found = MemoManager.from_redis(session_id, redis_mgr)
    assert found.get_history() == [
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hi there!"},
    ]
    assert found.get_context("target_number") == "+1234567890"


async def test_memo_specification_manager_is_kept_for_later(redis: AzureRedisManager) -> None:
    """What from_redis was given serves persist and refresh, so they need no argument."""
    memo = MemoManager.from_redis(new_session_id(), redis)
    memo.set_context("a", 1)

    await memo.persist()

    assert await memo.refresh_from_redis_async() is True
    assert memo.get_context("a") == 1
