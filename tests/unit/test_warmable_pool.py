"""The pool lends, waits and refuses as it promises."""

import asyncio

import pytest

from shared.errors import PoolExhaustedError
from shared.pools.failures import ForeignResourceError
from shared.pools.warmable import WarmableResourcePool
from tests.unit.pool_fakes import (
    COLD,
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
async def test_lease_says_where_the_resource_came_from() -> None:
    """The tier is that of this acquisition, or latency figures blame the wrong part."""
    pool = make_pool(FakeFactory(), warm_pool_size=1)
    await pool.prepare()
    async with pool.lease() as (_, first), pool.lease() as (_, second):
        assert (first, second) == (WARM, COLD)
    async with pool.lease() as (_, third):
        assert third is WARM
    assert metric(pool, "allocations_total") == 3
    await pool.shutdown()


@in_virtual_time
async def test_returned_resource_goes_to_the_oldest_caller() -> None:
    """At the maximum callers wait, are served in their order, and are told they got a warm one."""
    factory = FakeFactory()
    pool = make_pool(factory, max_size=1)
    first = await pool.acquire()
    order: list[int] = []

    async def caller(number: int) -> None:
        async with pool.lease(timeout=1.0) as (_, tier):
            assert tier is WARM
            order.append(number)
            await asyncio.sleep(0.1)

    callers = [asyncio.create_task(caller(number)) for number in range(3)]
    await turns_of_the_loop()
    await pool.release(first)
    await asyncio.gather(*callers)
    assert (order, len(factory.made)) == ([0, 1, 2], 1)
    assert (metric(pool, "waits_total"), metric(pool, "wait_ms_total")) == (4, 300.0)
    await pool.shutdown()


@in_virtual_time
async def test_newcomer_does_not_overtake_the_line() -> None:
    """A resource given back belongs to who waits, even if somebody asks in that very moment."""
    pool = make_pool(FakeFactory(), max_size=1)
    client = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire(timeout=1.0))
    await turns_of_the_loop()
    await pool.release(client)
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=0)
    assert await waiting is client
    await pool.release(client)
    await pool.shutdown()


@in_virtual_time
async def test_wait_ends_at_its_deadline() -> None:
    """A caller hears within the time they named that nothing is free."""
    pool = make_pool(FakeFactory(), max_size=1)
    client = await pool.acquire()
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=0.25)
    assert elapsed_s() == 0.25
    assert (metric(pool, "failures_total"), pool.snapshot()["waiters"]) == (1, 0)
    await pool.release(client)
    await pool.shutdown()


def test_served_caller_leaves_no_timer_behind() -> None:
    """A long deadline that was not needed must not keep what it held until it has passed."""

    async def served() -> None:
        pool = make_pool(FakeFactory())
        async with pool.lease(timeout=1000):
            pass
        await pool.shutdown()

    loop = VirtualTimeLoop()
    loop.run_until_complete(served())
    with pytest.raises(RuntimeError, match="never happen"):
        loop.run_until_complete(loop.create_future())
    assert loop.time() == 0.0
    loop.close()


@in_virtual_time
async def test_deadline_covers_a_hung_factory_and_its_warm_up() -> None:
    """Wait, build and warm-up share one deadline: a caller on the phone does not care which."""
    factory = FakeFactory()
    factory.hangs = True
    pool = make_pool(factory)
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=0.5)
    assert elapsed_s() == 0.5
    await pool.shutdown()

    async def never(_: FakeClient) -> bool:
        await asyncio.sleep(3600)
        return True

    quick = FakeFactory()
    pool = make_pool(quick, warm_fn=never)
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=0.5)
    assert elapsed_s() == 1.0
    await pool.shutdown()
    assert quick.open == 0


@in_virtual_time
async def test_line_is_bounded() -> None:
    """Past the bound a caller is refused at once: they could only time out later."""
    pool = make_pool(FakeFactory(), max_size=1, max_waiters=1)
    client = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire(timeout=1.0))
    await turns_of_the_loop()
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=1.0)
    assert elapsed_s() == 0.0
    await pool.release(client)
    await pool.release(await waiting)
    await pool.shutdown()


@in_virtual_time
async def test_herd_builds_no_more_than_the_maximum() -> None:
    """A hundred callers at once neither storm the service nor starve."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, max_size=10)

    async def caller() -> None:
        async with pool.lease(timeout=5.0):
            await asyncio.sleep(0.01)

    await asyncio.gather(*(caller() for _ in range(100)))
    assert (len(factory.made), factory.peak) == (10, 10)
    await pool.shutdown()
    assert factory.open == 0


@in_virtual_time
async def test_release_refuses_what_is_not_lent() -> None:
    """A second release, or a stranger's object, would end with two callers on one client."""
    pool = make_pool(FakeFactory(), warm_pool_size=1)
    await pool.prepare()
    client = await pool.acquire()
    await pool.release(client)
    with pytest.raises(ForeignResourceError):
        await pool.release(client)
    with pytest.raises(ForeignResourceError):
        await pool.release(FakeClient(99))
    with pytest.raises(ForeignResourceError):
        pool.retire(FakeClient(99))
    await pool.release(None)
    async with pool.lease() as (leased, _):
        with pytest.raises(ForeignResourceError):
            await pool.release(leased)
    assert pool.snapshot()["idle"] == 1
    await pool.shutdown()


@in_virtual_time
async def test_lease_is_entered_once() -> None:
    """Entering a lease again would forget the first resource."""
    pool = make_pool(FakeFactory())
    lease = pool.lease()
    async with lease:
        with pytest.raises(RuntimeError):
            await lease.__aenter__()
    await pool.shutdown()


@in_virtual_time
async def test_lease_gives_back_when_its_block_fails() -> None:
    """The error of a block passes through; its resource does not stay behind."""
    pool = make_pool(FakeFactory())
    with pytest.raises(ValueError, match="oops"):
        async with pool.lease():
            raise ValueError("oops")
    assert (pool.snapshot()["idle"], pool.snapshot()["leased"]) == (1, 0)
    await pool.shutdown()


def test_pool_refuses_limits_that_contradict_each_other() -> None:
    """A pool that could never serve is a mistake to be seen at start, not by a caller."""
    factory = FakeFactory()
    for options in ({"warm_pool_size": 3, "max_size": 2}, {"max_waiters": 0}, {"max_size": 0}):
        with pytest.raises(ValueError, match="must be"):
            make_pool(factory, **options)
    with pytest.raises(ValueError, match="lifetime"):
        make_pool(factory, max_lifetime_sec=0)


async def test_pool_works_on_the_clock_of_the_machine() -> None:
    """Without a clock of its own the pool reads the machine's."""
    pool = WarmableResourcePool(factory=FakeFactory(), name="plain", warm_pool_size=1)
    await pool.prepare()
    async with pool.lease(timeout=0.5) as (_, tier):
        assert tier is WARM
    await pool.shutdown()
