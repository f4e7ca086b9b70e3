"""What the pool builds, how many at once, and what becomes of a build that goes wrong."""

import asyncio

import pytest

from shared.errors import PoolExhaustedError, UpstreamError, UpstreamTimeoutError
from shared.pools.failures import ResourceUnfitError
from tests.unit.pool_fakes import (
    COLD,
    FakeClient,
    FakeFactory,
    elapsed_s,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)


@in_virtual_time
async def test_prepare_builds_side_by_side() -> None:
    """Ten builds of 200 ms take 200 ms together: a cold start must not wait for two seconds."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, warm_pool_size=10)
    await pool.prepare()
    assert (elapsed_s(), len(factory.made)) == (0.2, 10)
    assert pool.snapshot()["warm_pool_size"] == 10
    await pool.shutdown()


@in_virtual_time
async def test_prepare_keeps_to_the_build_concurrency() -> None:
    """A service that throttles connects is not stormed while the stock is filled."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, warm_pool_size=10, build_concurrency=3)
    await pool.prepare()
    assert (factory.peak, len(factory.made)) == (3, 10)
    await pool.shutdown()


@in_virtual_time
async def test_prepare_twice_builds_once() -> None:
    """A keep-warm timer may prepare again and again, also while another preparation runs."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_pool(factory, warm_pool_size=3)
    await asyncio.gather(pool.prepare(), pool.prepare())
    await pool.prepare()
    assert len(factory.made) == 3
    await pool.shutdown()


@in_virtual_time
async def test_prepare_survives_failed_builds() -> None:
    """A service that is down at start delays nobody and shows in the figures."""
    factory = FakeFactory()
    factory.failures = 2
    pool = make_pool(factory, warm_pool_size=2)
    await pool.prepare()
    assert (pool.snapshot()["ready"], pool.snapshot()["warm_pool_size"]) == (True, 0)
    assert metric(pool, "warmup_failures") == 2
    await pool.prepare()
    assert pool.snapshot()["warm_pool_size"] == 2
    await pool.shutdown()


@in_virtual_time
async def test_prepare_ends_though_the_factory_hangs() -> None:
    """A hung service must not hang the start of the process."""
    factory = FakeFactory()
    factory.hangs = True
    pool = make_pool(factory, warm_pool_size=2)
    await pool.prepare(timeout=0.5)
    assert elapsed_s() == 0.5
    await pool.shutdown()


@in_virtual_time
async def test_build_that_outlasts_its_caller_serves_the_next() -> None:
    """A slow connect is not thrown away because the first caller gave up on it."""
    factory = FakeFactory(takes_s=1.0)
    pool = make_pool(factory)
    with pytest.raises(PoolExhaustedError):
        await pool.acquire(timeout=0.9)
    async with pool.lease(timeout=0.2) as (_, tier):
        assert (tier, elapsed_s()) == (COLD, 1.0)
    assert factory.calls == 1
    await pool.shutdown()


@in_virtual_time
async def test_build_that_hangs_is_given_up() -> None:
    """A hung connect frees its place, or the pool would stay full of nothing."""
    factory = FakeFactory()
    factory.hangs = True
    pool = make_pool(factory, max_size=1, build_timeout_sec=2.0)
    with pytest.raises(UpstreamTimeoutError):
        await pool.acquire(timeout=5.0)
    assert elapsed_s() == 2.0
    factory.hangs = False
    assert await pool.acquire()
    await pool.shutdown(0)


@in_virtual_time
async def test_failed_build_fails_one_caller() -> None:
    """Who waits for a build hears why it failed; who waits beside them is served by the next."""
    factory = FakeFactory(takes_s=0.1)
    factory.failures = 1
    pool = make_pool(factory, max_size=1)
    outcomes = await asyncio.gather(
        pool.acquire(timeout=1.0), pool.acquire(timeout=1.0), return_exceptions=True
    )
    assert isinstance(outcomes[0], ConnectionError)
    assert outcomes[1] is factory.made[0]
    assert (metric(pool, "failures_total"), metric(pool, "warmup_failures")) == (1, 1)
    await pool.shutdown(0)


@in_virtual_time
async def test_cancelled_build_is_a_failure_not_a_silence() -> None:
    """A vendor's client that cancels itself must not leave its caller waiting."""

    async def cancelled() -> FakeClient:
        raise asyncio.CancelledError

    pool = make_pool(cancelled)
    with pytest.raises(UpstreamError):
        await pool.acquire(timeout=1.0)
    await pool.shutdown()


@in_virtual_time
async def test_failed_warm_up_is_closed_and_not_lent() -> None:
    """What failed its warm-up would fail its first caller as well."""
    verdicts = [False, True]

    async def warm(_: FakeClient) -> bool:
        return verdicts.pop(0)

    factory = FakeFactory()
    pool = make_pool(factory, warm_fn=warm)
    with pytest.raises(ResourceUnfitError):
        await pool.acquire()
    assert await pool.acquire() is factory.made[1]
    assert factory.made[0].closed == 1
    await pool.shutdown(0)
    assert factory.open == 0


@in_virtual_time
async def test_crashed_warm_up_is_closed_and_told() -> None:
    """The caller hears what the warm-up raised, and nothing stays open."""

    async def warm(_: FakeClient) -> bool:
        raise ConnectionError("refused")

    factory = FakeFactory()
    pool = make_pool(factory, warm_fn=warm)
    with pytest.raises(ConnectionError):
        await pool.acquire()
    await turns_of_the_loop()
    assert (factory.made[0].closed, pool.snapshot()["alive"]) == (1, 0)
    await pool.shutdown()


@in_virtual_time
async def test_factory_that_repeats_itself_is_refused() -> None:
    """One object behind two entries would be handed to two callers."""
    only = FakeClient(0)

    async def same() -> FakeClient:
        return only

    pool = make_pool(same)
    assert await pool.acquire() is only
    with pytest.raises(TypeError):
        await pool.acquire()
    assert (only.closed, metric(pool, "built_total")) == (0, 1)
    await pool.shutdown(0)
    assert only.closed == 1
