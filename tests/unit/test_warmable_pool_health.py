"""What is unfit, broken, too old or not needed is closed and replaced, never lent."""

import asyncio
import random
from collections.abc import Callable

import pytest

from tests.unit.fakes import FakeClock
from tests.unit.pool_fakes import (
    COLD,
    WARM,
    FakeClient,
    FakeFactory,
    elapsed_s,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)


@in_virtual_time
async def test_unready_resource_is_replaced_at_hand_out() -> None:
    """A connection that dropped while idle is not what the next caller gets."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=2)
    await pool.prepare()
    factory.made[1].is_ready = False
    async with pool.lease() as (client, tier):
        assert (client, tier) == (factory.made[0], WARM)
    await turns_of_the_loop()
    assert (factory.made[1].closed, pool.snapshot()["alive"]) == (1, 1)
    await pool.shutdown()


@in_virtual_time
async def test_unready_resource_is_not_passed_down_the_line() -> None:
    """What comes back broken is replaced for the caller who waits, too."""
    factory = FakeFactory()
    pool = make_pool(factory, max_size=1)
    client = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire(timeout=1.0))
    await turns_of_the_loop()
    client.is_ready = False
    await pool.release(client)
    assert await waiting is factory.made[1]
    assert client.closed == 1
    await pool.shutdown(0)


@in_virtual_time
async def test_health_check_may_be_a_method_and_may_crash() -> None:
    """Whatever a vendor's client offers as a check, a crash of it means no."""
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=4)
    await pool.prepare()

    def crash() -> bool:
        raise ConnectionError("refused")

    checks: list[Callable[[], bool]] = [lambda: True, crash, lambda: False]
    for client, check in zip(factory.made, checks, strict=False):
        client.is_ready = check  # type: ignore[assignment]
    factory.made[3].is_ready = None  # type: ignore[assignment]
    assert await pool.acquire() is factory.made[0]
    await turns_of_the_loop()
    assert [client.closed for client in factory.made] == [0, 1, 1, 1]
    await pool.shutdown(0)


@in_virtual_time
async def test_coroutine_checks_are_refused() -> None:
    """A check that is never awaited would call every client ready, and none would be cleared."""

    class Wrong(FakeClient):
        async def clear_session_state(self) -> None:  # type: ignore[override]
            """Never awaited."""

    made: list[Wrong] = []

    async def build() -> FakeClient:
        made.append(Wrong(0))
        return made[-1]

    pool = make_pool(build)
    with pytest.raises(TypeError, match="clear_session_state"):
        await pool.acquire()
    await pool.shutdown()
    assert made[0].closed == 1


@in_virtual_time
async def test_resource_is_cleared_between_callers() -> None:
    """What one caller left in a client must not reach the next, or the client goes."""
    factory = FakeFactory()
    pool = make_pool(factory)
    client = await pool.acquire()
    await pool.release(client)
    assert client.cleared == 1
    assert await pool.acquire() is client
    client.clearing_fails = True
    await pool.release(client)
    await turns_of_the_loop()
    assert (client.closed, pool.snapshot()["alive"]) == (1, 0)
    await pool.shutdown()


@in_virtual_time
async def test_retired_resource_is_closed_when_it_comes_back() -> None:
    """Who notices that a client is broken can say so."""
    factory = FakeFactory()
    pool = make_pool(factory)
    async with pool.lease() as (client, _):
        pool.retire(client)
        assert client.closed == 0
    await turns_of_the_loop()
    assert client.closed == 1
    async with pool.lease() as (_, tier):
        assert tier is COLD
    await pool.shutdown()


@in_virtual_time
async def test_lifetimes_end_and_are_spread() -> None:
    """Old connections are replaced, and not all in the same second."""
    clock = FakeClock()
    factory = FakeFactory()
    options = {"max_lifetime_sec": 100.0, "clock": clock, "rng": random.Random(7)}
    pool = make_pool(factory, warm_pool_size=10, **options)
    await pool.prepare()
    clock.elapsed_s = 95.0
    await pool.prepare()
    closed = sum(client.closed for client in factory.made)
    assert 0 < closed < 10
    clock.elapsed_s = 100.0
    await pool.prepare()
    assert all(client.closed for client in factory.made[:10])
    assert pool.snapshot()["idle"] == 10
    await pool.shutdown()
    assert factory.open == 0


@in_virtual_time
async def test_lent_resource_is_not_closed_for_its_age() -> None:
    """A call that lasts longer than a connection may live keeps it to the end."""
    clock = FakeClock()
    factory = FakeFactory()
    pool = make_pool(factory, max_lifetime_sec=100.0, clock=clock)
    async with pool.lease() as (client, _):
        clock.elapsed_s = 500.0
        await pool.prepare()
        assert client.closed == 0
    await turns_of_the_loop()
    assert client.closed == 1
    await pool.shutdown()


@in_virtual_time
async def test_surplus_is_closed_when_it_is_not_needed() -> None:
    """A burst does not leave its connections open for ever; the warm size stays."""
    clock = FakeClock()
    factory = FakeFactory()
    pool = make_pool(factory, warm_pool_size=1, max_idle_sec=60.0, clock=clock)
    await pool.prepare()
    clients = [await pool.acquire() for _ in range(4)]
    for client in clients:
        await pool.release(client)
    clock.elapsed_s = 59.0
    await pool.prepare()
    assert pool.snapshot()["idle"] == 4
    clock.elapsed_s = 60.0
    await pool.prepare()
    assert pool.snapshot()["idle"] == 1
    assert clients[3].closed == 0
    await pool.shutdown()


@in_virtual_time
async def test_close_is_given_up_after_its_timeout() -> None:
    """A close that hangs keeps its place for a while, not the pool for ever."""
    factory = FakeFactory()
    pool = make_pool(factory, max_size=1, close_timeout_sec=1.0)
    client = await pool.acquire()
    client.close_takes_s = 3600.0
    client.is_ready = False
    await pool.release(client)
    async with pool.lease(timeout=2.0) as (other, tier):
        assert (other, tier, elapsed_s()) == (factory.made[1], COLD, 1.0)
    assert metric(pool, "closed_total") == 1
    await pool.shutdown()


@in_virtual_time
async def test_close_is_the_resources_own_or_as_told() -> None:
    """`aclose`, `close` and a callback, waiting or not, all count; so does one that raises."""
    closed: list[str] = []

    class Plain:
        def close(self) -> None:
            closed.append("close")

    class Bare:
        """Has nothing to close."""

    async def close_fn(_: object) -> None:
        closed.append("callback")
        raise ConnectionError("refused")

    for kind, options in ((Plain, {}), (Bare, {}), (Plain, {"close_fn": close_fn})):

        async def build(kind: type = kind) -> FakeClient:
            made: FakeClient = kind()
            return made

        pool = make_pool(build, **options)
        await pool.release(await pool.acquire())
        await pool.shutdown()
        assert (metric(pool, "closed_total"), pool.snapshot()["alive"]) == (1, 0)
    assert closed == ["close", "callback"]
