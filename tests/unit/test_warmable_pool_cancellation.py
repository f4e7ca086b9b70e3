"""A cancelled caller gets nothing and loses nothing, wherever the cancellation finds it."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import PoolExhaustedError
from tests.unit.pool_fakes import (
    DEDICATED,
    WARM,
    FakeClient,
    FakeFactory,
    Pool,
    elapsed_s,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)

SHAPES = ("anonymous", "session", "lease", "session lease")


def use_of(pool: Pool, shape: str) -> Callable[[], Awaitable[None]]:
    """Take and give back a resource in one of the ways there are."""

    async def anonymous() -> None:
        client = await pool.acquire(timeout=1.0)
        try:
            await asyncio.sleep(0)
        finally:
            await pool.release(client)

    async def session() -> None:
        await pool.acquire_for_session("s", timeout=1.0)
        try:
            await asyncio.sleep(0)
        finally:
            await pool.release_for_session("s")

    async def lease() -> None:
        async with pool.lease(timeout=1.0):
            await asyncio.sleep(0)

    async def session_lease() -> None:
        async with pool.lease(session_id="s", timeout=1.0):
            await asyncio.sleep(0)

    return dict(zip(SHAPES, (anonymous, session, lease, session_lease), strict=True))[shape]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("is_warm", [True, False])
def test_cancellation_at_every_await(shape: str, is_warm: bool) -> None:
    """Whatever turn of the loop a caller is cancelled in, afterwards everything is at rest."""

    async def warm(_: FakeClient) -> bool:
        await asyncio.sleep(0)
        return True

    async def cancelled_after(turns: int) -> bool:
        factory = FakeFactory()
        options = {"warm_pool_size": int(is_warm), "session_awareness": True, "warm_fn": warm}
        pool = make_pool(factory, **options)
        await pool.prepare()
        caller = asyncio.ensure_future(use_of(pool, shape)())
        await turns_of_the_loop(turns)
        was_done = caller.done()
        caller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller
        await turns_of_the_loop(20)
        now = pool.snapshot()
        assert now["idle"] + now["parked"] == now["alive"] == factory.open
        assert (now["leased"], now["waiters"], now["building"]) == (0, 0, 0)
        counted = now["metrics"]["allocations_total"] + now["metrics"]["cancelled_total"]
        assert counted == 1 or turns == 0
        await pool.shutdown(0)
        assert [client.closed for client in factory.made] == [1] * len(factory.made)
        return was_done

    turns = 0
    while not in_virtual_time_result(lambda: cancelled_after(turns)):  # noqa: B023
        turns += 1
    assert turns > 1


def in_virtual_time_result(test: Callable[[], Awaitable[bool]]) -> bool:
    """Run *test* on a loop of its own; what it found."""
    found: list[bool] = []

    @in_virtual_time
    async def run() -> None:
        found.append(await test())

    run()
    return found[0]


@pytest.mark.parametrize("shape", SHAPES)
@in_virtual_time
async def test_grant_to_a_caller_who_leaves_goes_on(shape: str) -> None:
    """Cancelled in the very turn it was served, a caller's resource goes to the next in line."""
    pool = make_pool(FakeFactory(), max_size=1, session_awareness=True)
    client = await pool.acquire()
    leaving = asyncio.ensure_future(use_of(pool, shape)())
    await turns_of_the_loop()
    waiting = asyncio.create_task(pool.acquire(timeout=1.0))
    await turns_of_the_loop()
    await pool.release(client)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    assert await waiting is client
    assert metric(pool, "cancelled_total") == 1
    assert pool.active_sessions == 0
    await pool.shutdown(0)


@in_virtual_time
async def test_cancelled_caller_does_not_cancel_the_build_of_a_session() -> None:
    """The task that came first may leave; the others of its session still get their client."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, session_awareness=True)
    first = asyncio.create_task(pool.acquire_for_session("s"))
    second = asyncio.create_task(pool.acquire_for_session("s"))
    await turns_of_the_loop()
    first.cancel()
    assert (await second)[0] is factory.made[0]
    assert first.cancelled()
    assert (len(factory.made), elapsed_s()) == (1, 0.2)
    await pool.shutdown(0)


@in_virtual_time
async def test_deadlines_of_a_session_are_each_its_own() -> None:
    """An impatient task of a session times out alone."""
    pool = make_pool(FakeFactory(takes_s=0.2), session_awareness=True)
    outcomes = await asyncio.gather(
        pool.acquire_for_session("s", timeout=0.1),
        pool.acquire_for_session("s", timeout=0.3),
        return_exceptions=True,
    )
    assert isinstance(outcomes[0], PoolExhaustedError)
    assert isinstance(outcomes[1], tuple)
    assert (await pool.acquire_for_session("s"))[1] is DEDICATED
    await pool.shutdown(0)


@in_virtual_time
async def test_failure_and_cancellation_in_one_turn() -> None:
    """A caller who leaves as their build fails leaves no unheard error behind."""
    factory = FakeFactory(takes_s=0.1)
    factory.failures = 1
    pool = make_pool(factory)
    caller = asyncio.create_task(pool.acquire(timeout=1.0))
    await asyncio.sleep(0.1)
    for _ in range(10):
        if metric(pool, "warmup_failures"):
            caller.cancel()
            break
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert (pool.snapshot()["waiters"], pool.snapshot()["alive"]) == (0, 0)
    await pool.shutdown()


@in_virtual_time
async def test_nothing_is_built_for_callers_who_left() -> None:
    """A line of callers who gave up does not turn into a row of connections nobody uses."""
    factory = FakeFactory(takes_s=1.0)
    pool = make_pool(factory, build_concurrency=1)
    callers = [pool.acquire(timeout=0.5) for _ in range(5)]
    outcomes = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [PoolExhaustedError] * 5
    await asyncio.sleep(10)
    assert factory.calls == 1
    await pool.shutdown()


@in_virtual_time
async def test_build_of_a_caller_who_left_becomes_stock() -> None:
    """What is built for nobody is kept for the next caller."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory)
    caller = asyncio.create_task(pool.acquire())
    await turns_of_the_loop()
    caller.cancel()
    await asyncio.sleep(0.3)
    assert caller.cancelled()
    async with pool.lease() as (client, tier):
        assert (client, tier) == (factory.made[0], WARM)
    await pool.shutdown()


@in_virtual_time
async def test_cancelled_shutdown_still_closes_everything() -> None:
    """A request that is cut off while it shuts the pool down leaves no connection open."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=2)
    await pool.prepare()
    factory.made[0].close_takes_s = 1.0
    stopping = asyncio.create_task(pool.shutdown())
    await turns_of_the_loop()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    await pool.shutdown()
    assert (factory.open, pool.snapshot()["alive"], elapsed_s()) == (0, 0, 1.0)
