"""Tools over HTTP on behalf of a session: what they learn and do stays with the session."""

import uuid
from dataclasses import replace
from typing import Any

import pytest

from shared.calls.events import ChatOpened
from shared.clock import SystemClock
from shared.errors import ForbiddenError, SessionNotFoundError, UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.state.ledger import RedisLedger
from shared.state.store import SessionStore
from shared.tools.desk import ToolDesk
from shared.tools.embedded import embedded_services
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry, build_registry
from shared.types import EventId, Json, SessionId
from tests.contract.call_stage import Phone, Stage
from tests.contract.store_parts import store_of
from tests.unit.bank import bank

pytest_plugins = ("tests.contract.redis_fixture",)


def registry_with_note(noted: list[str]) -> ToolRegistry:
    """The bank's tools and one with a side effect that remembers."""

    async def note(arguments: Json, context: Any) -> Json:
        context.memo.set_context("noted", arguments["text"])
        noted.append(context.idempotency_key)
        return {"count": len(noted)}

    registry = build_registry()
    parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
    schema = {"name": "note", "description": "Note it.", "parameters": parameters}
    registry.register("note", schema, note, policy=ToolPolicy(has_side_effects=True))
    return registry


def desk_of(redis: AzureRedisManager, store: SessionStore, noted: list[str]) -> ToolDesk:
    """A desk on the real store and ledger."""
    return ToolDesk(
        registry_with_note(noted),
        store,
        ledger=RedisLedger(redis, ttl_s=600),
        services=replace(embedded_services(clock=SystemClock()), documents=bank()),
    )


async def begin_session(redis: AzureRedisManager) -> SessionId:
    """A chat that has just been opened."""
    session_id = SessionId(str(uuid.uuid4()))
    runner = Stage([redis], Phone(())).runners[0]
    await runner.receive(session_id, ChatOpened(EventId("open")), begins_session=True, within_s=5)
    await runner.drain()
    return session_id


async def test_desk_keeps_what_a_tool_learns_with_the_session(redis: AzureRedisManager) -> None:
    """A client verifies the caller with one request and reads an account with the next."""
    session_id, store = await begin_session(redis), store_of(redis)
    desk = desk_of(redis, store, [])
    tool = "get_account_summary"
    arguments: Json = {}
    with pytest.raises(ForbiddenError):
        await desk.run(tool, arguments, session_id=session_id, idempotency_key="")
    memo = (await store.load(session_id)).memo
    memo.set_context("client_id", "CLT-1001")
    memo.set_context("authenticated", True)
    await memo.persist_to_redis_async()
    result = await desk.run(tool, arguments, session_id=session_id, idempotency_key="")
    assert result["success"] is True


async def test_desk_saves_the_session_and_leaves_the_rest_of_it_alone(
    redis: AzureRedisManager,
) -> None:
    """A tool over HTTP in the middle of a conversation changes its own facts and nothing else."""
    session_id, store, noted = await begin_session(redis), store_of(redis), list[str]()
    before = await store.load(session_id)
    desk = desk_of(redis, store, noted)
    arguments = {"text": "hello"}
    results = [
        await desk.run("note", arguments, session_id=session_id, idempotency_key="k1")
        for _ in range(2)
    ]
    after = await store.load(session_id)
    assert results == [{"count": 1, "success": True}] * 2
    assert noted == ["k1"]
    assert after.memo.get_context("noted") == "hello"
    assert (after.call, after.version) == (before.call, before.version)
    assert after.memo.histories == before.memo.histories


async def test_desk_keys_belong_to_their_session(redis: AzureRedisManager) -> None:
    """Two clients that count their requests alike do not get each other's results."""
    store, noted = store_of(redis), list[str]()
    desk = desk_of(redis, store, noted)
    for _ in range(2):
        session_id = await begin_session(redis)
        await desk.run("note", {"text": "x"}, session_id=session_id, idempotency_key="k1")
    assert noted == ["k1", "k1"]


async def test_desk_refuses_a_session_that_does_not_exist(redis: AzureRedisManager) -> None:
    """A mistyped session is not a new one, and no tool runs for it."""
    noted: list[str] = []
    desk = desk_of(redis, store_of(redis), noted)
    unknown = SessionId(str(uuid.uuid4()))
    with pytest.raises(SessionNotFoundError):
        await desk.run("note", {"text": "x"}, session_id=unknown, idempotency_key="k1")
    assert noted == []
    assert not await store_of(redis).exists(unknown)


async def test_desk_tells_that_the_store_is_away() -> None:
    """With a session named there is no guessing whom the tool is for."""
    async with AzureRedisManager(url="redis://127.0.0.1:1/0") as nowhere:
        desk = desk_of(nowhere, store_of(nowhere), [])
        with pytest.raises(UpstreamError):
            await desk.run("note", {}, session_id=SessionId("s"), idempotency_key="k1")
