"""The end of a pool: nothing is lent, nothing stays open, and it can begin again."""

import asyncio

import pytest

from shared.pools.failures import ForeignResourceError, PoolClosedError
from tests.unit.pool_fakes import (
    WARM,
    FakeClient,
    FakeFactory,
    VirtualTimeLoop,
    elapsed_s,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)


@in_virtual_time
async def test_shutdown_closes_idle_and_refuses_callers() -> None:
    """After the end nothing is lent, nothing stays open, and who waits hears at once."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=2, max_size=2)
    await pool.prepare()
    lent = [await pool.acquire(), await pool.acquire()]
    waiting = asyncio.create_task(pool.acquire(timeout=5.0))
    await turns_of_the_loop()
    await pool.release(lent[0])
    await pool.release(await waiting)
    waiting = asyncio.create_task(pool.acquire(timeout=5.0))
    await turns_of_the_loop()
    last = asyncio.create_task(pool.acquire(timeout=5.0))
    await turns_of_the_loop()
    stopping = asyncio.create_task(pool.shutdown())
    with pytest.raises(PoolClosedError):
        await last
    with pytest.raises(PoolClosedError):
        await pool.acquire()
    with pytest.raises(PoolClosedError):
        await pool.acquire_for_session("s")
    for client in (await waiting, lent[1]):
        await pool.release(client)
    await stopping
    assert (factory.open, pool.snapshot()["alive"], pool.snapshot()["ready"]) == (0, 0, False)
    assert elapsed_s() == 0.0


@in_virtual_time
async def test_shutdown_waits_for_leases_then_closes_them() -> None:
    """What is in use has a moment to come back; a late return is no error and changes nothing."""
    factory = FakeFactory()
    pool = make_pool(factory, session_awareness=True)
    client = await pool.acquire()
    held, _ = await pool.acquire_for_session("s")
    async with pool.lease(session_id="t") as (leased, _), pool.lease() as (scoped, _):
        await pool.shutdown(timeout=1.5)
        assert elapsed_s() == 1.5
        assert [one.closed for one in (client, held, leased, scoped)] == [1, 1, 1, 1]
    await pool.release(client)
    assert not await pool.release_for_session("s")
    assert (pool.snapshot()["alive"], metric(pool, "closed_total")) == (0, 4)
    await pool.prepare()
    with pytest.raises(ForeignResourceError):
        await pool.release(client)
    await pool.shutdown()


@in_virtual_time
async def test_shutdown_refuses_sessions_that_still_have_something() -> None:
    """While what is in use comes back, nobody gets it anew, not even its own session."""
    pool = make_pool(FakeFactory(), session_awareness=True)
    await pool.acquire_for_session("s")
    stopping = asyncio.create_task(pool.shutdown())
    await turns_of_the_loop()
    with pytest.raises(PoolClosedError):
        await pool.acquire_for_session("s")
    assert await pool.release_for_session("s")
    await stopping
    assert (elapsed_s(), pool.snapshot()["alive"]) == (0.0, 0)


@in_virtual_time
async def test_shutdown_ends_when_the_last_lease_does() -> None:
    """The end does not wait longer than it has to."""
    factory = FakeFactory()
    pool = make_pool(factory, session_awareness=True)

    async def use(seconds: float, session_id: str | None) -> None:
        async with pool.lease(session_id=session_id):
            await asyncio.sleep(seconds)

    users = [asyncio.create_task(use(0.3, None)), asyncio.create_task(use(0.5, "s"))]
    await turns_of_the_loop()
    await asyncio.gather(pool.shutdown(), pool.shutdown())
    assert (elapsed_s(), factory.open) == (0.5, 0)
    await asyncio.gather(*users)


@in_virtual_time
async def test_shutdown_gives_up_builds() -> None:
    """A connect under way is cancelled; what its warm-up had already is closed."""

    async def never(_: FakeClient) -> bool:
        await asyncio.sleep(3600)
        return True

    factory = FakeFactory()
    pool = make_pool(factory, warm_fn=never)
    caller = asyncio.create_task(pool.acquire())
    await turns_of_the_loop()
    assert pool.snapshot()["alive"] == 1
    await pool.shutdown()
    with pytest.raises(PoolClosedError):
        await caller
    assert (factory.open, pool.snapshot()["alive"], elapsed_s()) == (0, 0, 0.0)


@in_virtual_time
async def test_shutdown_right_after_a_grant() -> None:
    """A caller served just before the end has its client until the time for returns is over."""
    pool = make_pool(FakeFactory(), max_size=1, session_awareness=True)
    client = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire_for_session("s", timeout=1.0))
    stopping = asyncio.create_task(pool.shutdown(0))
    await turns_of_the_loop(1)
    await pool.release(client)
    assert (await waiting)[0] is client
    await stopping
    assert (client.closed, pool.snapshot()["alive"]) == (1, 0)


@in_virtual_time
async def test_build_that_ends_after_the_shutdown_is_closed() -> None:
    """A factory that will not be cancelled leaves nothing behind and delays the end little."""
    made: list[FakeClient] = []

    async def stubborn() -> FakeClient:
        for _ in range(2):
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                continue
        made.append(FakeClient(0))
        return made[0]

    pool = make_pool(stubborn, close_timeout_sec=1.0, build_timeout_sec=60.0)
    caller = asyncio.create_task(pool.acquire())
    await turns_of_the_loop()
    await pool.shutdown()
    assert elapsed_s() == 1.1
    with pytest.raises(PoolClosedError):
        await caller
    await asyncio.sleep(20)
    assert (made[0].closed, pool.snapshot()["alive"]) == (1, 0)


@in_virtual_time
async def test_prepare_reopens_after_shutdown() -> None:
    """A pool that was shut down serves again once prepared, also if that is asked meanwhile."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=2)
    await pool.prepare()
    factory.made[0].close_takes_s = 0.5
    stopping = asyncio.create_task(pool.shutdown())
    await turns_of_the_loop()
    await asyncio.gather(pool.prepare(), pool.prepare())
    await stopping
    assert (elapsed_s(), pool.snapshot()["idle"], pool.snapshot()["ready"]) == (0.5, 2, True)
    async with pool.lease() as (_, tier):
        assert tier is WARM
    await pool.shutdown()
    await pool.shutdown()
    assert factory.open == 0


@in_virtual_time
async def test_prepare_says_so_when_it_is_shut_down() -> None:
    """Who waits for a warm pool must not be told it is ready when it was closed meanwhile."""
    pool = make_pool(FakeFactory(takes_s=1.0), warm_pool_size=1)
    preparing = asyncio.create_task(pool.prepare())
    await turns_of_the_loop()
    await pool.shutdown()
    with pytest.raises(PoolClosedError):
        await preparing
    assert not pool.snapshot()["ready"]


def test_pool_moves_to_another_loop_after_shutdown() -> None:
    """Held by a module, the pool outlives the loop it ran on."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=1, enable_background_warmup=True)

    async def once() -> None:
        await pool.prepare()
        async with pool.lease() as (_, tier):
            assert tier is WARM
        await pool.shutdown()

    for _ in range(2):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(once())
    assert (len(factory.made), factory.open) == (2, 0)
