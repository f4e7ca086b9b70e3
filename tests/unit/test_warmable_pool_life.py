"""The pool from `prepare` to `shutdown`, and round again."""

import asyncio
import contextvars
import json

from tests.unit.pool_fakes import (
    COLD,
    DEDICATED,
    FakeClient,
    FakeFactory,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)

REQUEST: contextvars.ContextVar[str] = contextvars.ContextVar("request", default="none")


@in_virtual_time
async def test_stock_is_refilled_on_demand() -> None:
    """A drained pool is warm again one build later, not one interval later."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, warm_pool_size=3, enable_background_warmup=True)
    await pool.prepare()
    clients = [await pool.acquire() for _ in range(3)]
    await asyncio.sleep(0.2)
    await turns_of_the_loop()
    assert (pool.snapshot()["idle"], metric(pool, "built_total")) == (3, 6)
    for client in clients:
        await pool.release(client)
    assert (len(factory.made), pool.snapshot()["idle"]) == (6, 6)
    await pool.shutdown()


@in_virtual_time
async def test_stock_is_not_refilled_unless_asked() -> None:
    """With background warm-up off nothing is built that nobody waits for."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=1)
    await pool.prepare()
    await pool.acquire()
    await asyncio.sleep(100)
    assert len(factory.made) == 1
    await pool.shutdown(0)


@in_virtual_time
async def test_failed_refill_waits_for_the_next_round() -> None:
    """A service that is down is not asked in a tight loop, and is found again when it is up."""
    factory = FakeFactory()
    pool = make_pool(
        factory, warm_pool_size=1, enable_background_warmup=True, warmup_interval_sec=30
    )
    await pool.prepare()
    factory.failures = 2
    client = await pool.acquire()
    await asyncio.sleep(29)
    assert factory.calls == 2
    await asyncio.sleep(2)
    assert factory.calls == 3
    await asyncio.sleep(30)
    assert (factory.calls, pool.snapshot()["idle"], metric(pool, "warmup_cycles")) == (4, 1, 2)
    await pool.release(client)
    await pool.shutdown()


@in_virtual_time
async def test_background_round_replaces_what_broke_while_idle() -> None:
    """A connection that dropped overnight is replaced before somebody calls."""
    factory = FakeFactory()
    pool = make_pool(
        factory,
        warm_pool_size=2,
        enable_background_warmup=True,
        session_awareness=True,
        session_max_age_sec=60,
    )
    await pool.prepare()
    async with pool.lease(session_id="s"):
        factory.made[0].is_ready = False
    await asyncio.sleep(31)
    assert (factory.made[0].closed, pool.snapshot()["idle"], pool.active_sessions) == (1, 2, 1)
    await asyncio.sleep(60)
    assert pool.active_sessions == 0
    await pool.shutdown()


@in_virtual_time
async def test_prepare_twice_keeps_one_background_task() -> None:
    """A second preparation must not start a second keeper that nobody stops."""
    pool = make_pool(FakeFactory(), warm_pool_size=1, enable_background_warmup=True)
    await pool.prepare()
    await pool.prepare()
    await asyncio.sleep(31)
    assert metric(pool, "warmup_cycles") == 1
    await pool.shutdown()
    await asyncio.sleep(100)
    assert metric(pool, "warmup_cycles") == 1
    assert len(asyncio.all_tasks()) == 1


@in_virtual_time
async def test_what_is_built_carries_no_request_along() -> None:
    """A client built in one call's context serves others: it must not log under that call."""
    seen: list[str] = []

    async def build() -> FakeClient:
        seen.append(REQUEST.get())
        return FakeClient(0)

    pool = make_pool(build)
    REQUEST.set("first")
    await pool.acquire()
    assert seen == ["none"]
    await pool.shutdown(0)


@in_virtual_time
async def test_snapshot_is_plain_and_complete() -> None:
    """What operators read is JSON, and its counters agree with its gauges."""
    pool = make_pool(
        FakeFactory(), warm_pool_size=2, session_awareness=True, max_size=5, name="tts_pool"
    )
    await pool.prepare()
    async with pool.lease(session_id="s"):
        pass
    assert (await pool.acquire_for_session("s"))[1] is DEDICATED
    await pool.acquire()
    async with pool.lease() as (_, tier):
        assert tier is COLD
    found = json.loads(json.dumps(pool.snapshot()))
    assert found.pop("metrics") == {
        "allocations_total": 4,
        "allocations_dedicated": 1,
        "allocations_warm": 2,
        "allocations_cold": 1,
        "active_sessions": 1,
        "warm_pool_size": 1,
        "warmup_cycles": 0,
        "warmup_failures": 0,
        "failures_total": 0,
        "cancelled_total": 0,
        "waits_total": 1,
        "wait_ms_total": 0.0,
        "built_total": 3,
        "closed_total": 0,
        "timestamp": "2026-11-22T09:00:00+00:00",
    }
    assert found == {
        "name": "tts_pool",
        "ready": True,
        "warm_pool_size": 1,
        "warm_pool_target": 2,
        "session_awareness": True,
        "active_sessions": 1,
        "background_warmup": False,
        "max_size": 5,
        "idle": 1,
        "leased": 2,
        "parked": 0,
        "building": 0,
        "alive": 3,
        "waiters": 0,
    }
    await pool.shutdown(0)
