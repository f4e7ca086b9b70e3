"""The specification's samples of the pool run as written; its table of tiers is true."""

import asyncio

from shared.pools.warmable import AllocationTier, WarmableResourcePool
from tests.unit.pool_fakes import FakeClient, FakeFactory, elapsed_s, in_virtual_time


@in_virtual_time
async def test_specification_pool_sample() -> None:
    """The sample that makes the TTS pool gives three clients that are ready before anyone calls."""
    create_tts_client = FakeFactory(takes_s=0.2)

    tts_pool = WarmableResourcePool(
        factory=create_tts_client,
        name="tts_pool",
        warm_pool_size=3,
        enable_background_warmup=True,
        session_awareness=True,
    )

    await tts_pool.prepare()

    assert len(create_tts_client.made) == 3
    found = tts_pool.snapshot()
    assert (found["name"], found["ready"], found["warm_pool_size"]) == ("tts_pool", True, 3)
    assert (found["warm_pool_target"], found["background_warmup"]) == (3, True)
    await tts_pool.shutdown()


@in_virtual_time
async def test_specification_usage_sample() -> None:
    """Both ways of use run as shown, and leave nothing behind."""
    factory = FakeFactory(takes_s=0.2)
    pool = WarmableResourcePool(
        factory=factory, name="tts_pool", warm_pool_size=3, session_awareness=True
    )
    await pool.prepare()
    session_id = "session-1"

    synth, tier = await pool.acquire_for_session(session_id)
    assert isinstance(synth, FakeClient)
    assert tier is AllocationTier.WARM
    await pool.release_for_session(session_id)

    synth = await pool.acquire(timeout=2.0)
    assert isinstance(synth, FakeClient)
    await pool.release(synth)

    assert (pool.snapshot()["idle"], len(factory.made)) == (3, 3)
    await pool.shutdown()


@in_virtual_time
async def test_specification_tier_table() -> None:
    """Each tier comes from where the table says, after the wait it says."""
    pool = WarmableResourcePool(
        factory=FakeFactory(takes_s=0.2), name="tts_pool", warm_pool_size=1, session_awareness=True
    )
    await pool.prepare()

    async def timed(session_id: str) -> tuple[AllocationTier, float]:
        started_at = elapsed_s()
        _, tier = await pool.acquire_for_session(session_id)
        return tier, round(elapsed_s() - started_at, 6)

    assert await timed("first") == (AllocationTier.WARM, 0.0)
    assert await timed("first") == (AllocationTier.DEDICATED, 0.0)
    assert await timed("second") == (AllocationTier.COLD, 0.2)
    assert [tier.value for tier in AllocationTier] == ["dedicated", "warm", "cold"]
    metrics = pool.snapshot()["metrics"]
    kinds = ("allocations_total", "allocations_dedicated", "allocations_warm", "allocations_cold")
    assert [metrics[kind] for kind in kinds] == [3, 1, 1, 1]
    await pool.shutdown(0)


@in_virtual_time
async def test_specification_pool_stays_filled() -> None:
    """Kept filled: also while its clients are out, the next caller finds a warm one."""
    pool = WarmableResourcePool(
        factory=FakeFactory(takes_s=0.2),
        name="tts_pool",
        warm_pool_size=3,
        enable_background_warmup=True,
    )
    await pool.prepare()
    for _ in range(3):
        await pool.acquire()
    await asyncio.sleep(0.25)
    assert pool.snapshot()["warm_pool_size"] == 3
    _, tier = await pool.acquire_for_session("any")
    assert tier is AllocationTier.WARM
    await pool.shutdown(0)
