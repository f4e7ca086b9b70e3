"""A session keeps its resource: one build, one owner, never lost while it is in use."""

import asyncio

import pytest

from shared.errors import PoolExhaustedError
from shared.pools.failures import ForeignResourceError
from tests.unit.fakes import FakeClock
from tests.unit.pool_fakes import (
    COLD,
    DEDICATED,
    WARM,
    FakeFactory,
    Pool,
    elapsed_s,
    in_virtual_time,
    make_pool,
    metric,
    turns_of_the_loop,
)


def make_session_pool(factory: FakeFactory, **options: object) -> Pool:
    """A pool that keeps sessions."""
    return make_pool(factory, session_awareness=True, **options)


@in_virtual_time
async def test_session_gets_the_same_resource_again() -> None:
    """The second turn of a call finds the client of the first, at no wait."""
    pool = make_session_pool(FakeFactory(), warm_pool_size=1)
    await pool.prepare()
    first = await pool.acquire_for_session("s")
    second = await pool.acquire_for_session("s")
    assert (first[1], second[1]) == (WARM, DEDICATED)
    assert first[0] is second[0]
    assert pool.active_sessions == 1
    await pool.shutdown(0)


@in_virtual_time
async def test_herd_of_one_session_builds_once() -> None:
    """A hundred tasks of a session share one build and one client, and say they waited for it."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_session_pool(factory)
    got = await asyncio.gather(*(pool.acquire_for_session("s") for _ in range(100)))
    assert len(factory.made) == 1
    assert {id(client) for client, _ in got} == {id(factory.made[0])}
    assert {tier for _, tier in got} == {COLD}
    assert (elapsed_s(), metric(pool, "allocations_cold")) == (0.2, 100)
    assert await pool.release_for_session("s")
    assert pool.snapshot()["idle"] == 1
    await pool.shutdown()


@in_virtual_time
async def test_released_session_leaves_its_resource_to_the_next() -> None:
    """Ten warm clients serve a thousand calls one after the other without another build."""
    factory = FakeFactory(takes_s=0.2)
    pool = make_session_pool(factory, warm_pool_size=10)
    await pool.prepare()
    for number in range(1000):
        client, tier = await pool.acquire_for_session(f"s{number}")
        assert tier is WARM
        assert await pool.release_for_session(f"s{number}")
    assert (len(factory.made), sum(client.cleared for client in factory.made)) == (10, 1000)
    assert client.closed == 0
    await pool.shutdown()


@in_virtual_time
async def test_lease_leaves_the_resource_with_its_session() -> None:
    """Between the turns of a call its client waits for it, uncleared, and counts as not lent."""
    factory = FakeFactory()
    pool = make_session_pool(factory)
    async with pool.lease(session_id="s") as (first, tier):
        assert (tier, pool.snapshot()["leased"]) == (COLD, 1)
    assert (pool.snapshot()["parked"], pool.snapshot()["leased"], first.cleared) == (1, 0, 0)
    async with pool.lease(session_id="s") as (second, tier):
        assert (second, tier) == (first, DEDICATED)
    await pool.shutdown()
    assert factory.open == 0


@in_virtual_time
async def test_tasks_of_a_session_share_until_the_last_is_done() -> None:
    """A call that ends in mid-sentence gives its client back when the sentence is over."""
    factory = FakeFactory()
    pool = make_session_pool(factory)
    async with pool.lease(session_id="s") as (first, _):
        async with pool.lease(session_id="s") as (second, _):
            assert second is first
            assert await pool.release_for_session("s")
            assert not await pool.release_for_session("s")
        assert (pool.snapshot()["idle"], first.cleared) == (0, 0)
        async with pool.lease(session_id="s") as (third, _):
            assert third is not first
    assert (pool.snapshot()["idle"], first.cleared) == (1, 1)
    await pool.shutdown()


@in_virtual_time
async def test_unready_resource_of_a_session_is_replaced() -> None:
    """The session goes on with another client; the broken one is closed, once, after its users."""
    factory = FakeFactory()
    pool = make_session_pool(factory)
    async with pool.lease(session_id="s") as (first, _):
        first.is_ready = False
        async with pool.lease(session_id="s") as (second, tier):
            assert (second is first, tier, first.closed) == (False, COLD, 0)
    await turns_of_the_loop()
    assert first.closed == 1
    second.is_ready = False
    third, tier = await pool.acquire_for_session("s")
    assert (third, tier) == (factory.made[2], COLD)
    third.is_ready = False
    assert (await pool.acquire_for_session("s"))[0] is factory.made[3]
    pool.retire(factory.made[3])
    assert (await pool.acquire_for_session("s"))[0] is factory.made[4]
    await pool.shutdown(0)
    assert [client.closed for client in factory.made] == [1] * 5


@in_virtual_time
async def test_retired_resource_is_not_kept_for_its_session() -> None:
    """What broke in one turn of a call does not wait for the next turn."""
    factory = FakeFactory()
    pool = make_session_pool(factory)
    async with pool.lease(session_id="s") as (client, _):
        pool.retire(client)
    await turns_of_the_loop()
    assert (client.closed, pool.active_sessions) == (1, 0)
    await pool.shutdown()


@in_virtual_time
async def test_session_in_use_is_never_too_old() -> None:
    """A call of an hour keeps its client, though others were taken back long before."""
    clock = FakeClock()
    pool = make_session_pool(FakeFactory(), session_max_age_sec=1800, clock=clock)
    held, _ = await pool.acquire_for_session("held")
    async with pool.lease(session_id="parked"):
        pass
    async with pool.lease(session_id="leased") as (leased, _):
        clock.elapsed_s = 3600.0
        await pool.prepare()
        assert pool.active_sessions == 2
        assert (held.closed, leased.closed, pool.snapshot()["idle"]) == (0, 0, 1)
    assert (await pool.acquire_for_session("held"))[1] is DEDICATED
    await pool.shutdown(0)


@in_virtual_time
async def test_aged_session_is_reused_before_anything_is_built() -> None:
    """Also without background work, what sessions left behind serves the next caller."""
    clock = FakeClock()
    factory = FakeFactory()
    pool = make_session_pool(factory, session_max_age_sec=60, clock=clock)
    async with pool.lease(session_id="old"):
        clock.elapsed_s = 30.0
    clock.elapsed_s = 89.0
    await pool.prepare()
    assert pool.active_sessions == 1
    clock.elapsed_s = 90.0
    async with pool.lease(session_id="new") as (client, tier):
        assert (client, tier, client.cleared) == (factory.made[0], WARM, 1)
    await pool.shutdown()


@in_virtual_time
async def test_unused_session_yields_when_the_pool_is_full() -> None:
    """A caller is not refused while a client merely waits for a session, the oldest one first."""
    factory = FakeFactory()
    pool = make_session_pool(factory, max_size=2)
    for session in ("a", "b"):
        async with pool.lease(session_id=session):
            pass
    async with pool.lease(session_id="c", timeout=0.1) as (client, tier):
        assert (client, tier) == (factory.made[0], WARM)
        async with pool.lease(session_id="b") as (_, other_tier):
            assert other_tier is DEDICATED
            with pytest.raises(PoolExhaustedError):
                await pool.acquire(timeout=0.1)
    await pool.shutdown()


@in_virtual_time
async def test_session_yields_at_once_to_who_waits() -> None:
    """A client that a session stops using goes to the line, not into the session's keeping."""
    pool = make_session_pool(FakeFactory(), max_size=1)
    async with pool.lease(session_id="a"):
        waiting = asyncio.create_task(pool.acquire_for_session("b", timeout=1.0))
        await turns_of_the_loop()
    assert (await waiting)[1] is WARM
    await pool.release_for_session("b")
    await pool.shutdown()


@in_virtual_time
async def test_full_of_failed_sessions_ends_in_a_new_build() -> None:
    """However many kept clients turn out broken, the caller gets a good one."""
    factory = FakeFactory()
    pool = make_session_pool(factory, max_size=200)
    for number in range(200):
        async with pool.lease(session_id=str(number)) as (client, _):
            pass
        client.is_ready = False
    async with pool.lease(timeout=1.0) as (client, tier):
        assert (client.is_ready, tier) == (True, COLD)
    await pool.shutdown()
    assert factory.open == 0


@in_virtual_time
async def test_failed_build_falls_back_on_what_sessions_do_not_use() -> None:
    """A service that refuses new connections does not fail a caller whom an old one can serve."""
    factory = FakeFactory(takes_s=0.1)
    pool = make_session_pool(factory)
    async with pool.lease(session_id="a") as (kept, _):
        pass
    factory.failures = 1
    async with pool.lease(session_id="b") as (client, tier):
        assert (client, tier) == (kept, WARM)
    await pool.shutdown()


@in_virtual_time
async def test_release_while_a_grant_is_on_its_way() -> None:
    """A session that ends between the grant and the wake-up is served anew, and nothing is lost."""
    factory = FakeFactory()
    pool = make_session_pool(factory, max_size=1)
    client = await pool.acquire()
    waiting = asyncio.create_task(pool.acquire_for_session("s", timeout=1.0))
    await turns_of_the_loop()
    await pool.release(client)
    assert await pool.release_for_session("s")
    assert (await waiting)[0] is client
    assert await pool.release_for_session("s")
    assert pool.snapshot()["idle"] == 1
    await pool.shutdown()


@in_virtual_time
async def test_release_names_the_session_by_its_resource() -> None:
    """`release` of what a session holds ends the session's hold; a second one is refused."""
    pool = make_session_pool(FakeFactory())
    client, _ = await pool.acquire_for_session("s")
    await pool.release(client)
    assert (pool.active_sessions, pool.snapshot()["idle"]) == (0, 1)
    with pytest.raises(ForeignResourceError):
        await pool.release(client)
    await pool.shutdown()


@in_virtual_time
async def test_second_release_of_a_session_takes_nothing_from_others() -> None:
    """A redelivered end of a call must not release the client from whoever has it now."""
    pool = make_session_pool(FakeFactory())
    client, _ = await pool.acquire_for_session("s")
    assert await pool.release_for_session("s", client)
    assert await pool.acquire() is client
    assert not await pool.release_for_session("s", client)
    assert pool.snapshot()["leased"] == 1
    await pool.shutdown(0)


@in_virtual_time
async def test_pool_without_sessions_lends_anonymously() -> None:
    """Without session awareness, or a session, each call gets a client of its own."""
    pool = make_pool(FakeFactory())
    assert not pool.session_awareness_enabled
    first, tier = await pool.acquire_for_session("s")
    second, _ = await pool.acquire_for_session("s")
    assert (tier, first is second) == (COLD, False)
    assert not await pool.release_for_session("s")
    assert await pool.release_for_session("s", first)
    assert await pool.release_for_session(None, second)
    assert await pool.release_for_session(None)
    async with pool.lease(session_id="s") as (_, tier):
        assert tier is WARM
    assert (pool.active_sessions, pool.snapshot()["idle"]) == (0, 2)
    await pool.shutdown()
