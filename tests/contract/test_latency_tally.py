"""The histograms of all instances: added to by the way, read in one round trip."""

import pytest

from shared.clock import SystemClock
from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.state.commits import Commit
from shared.state.session_ids import new_session_id
from shared.state.store import SessionStore
from shared.state.tally import MAX_STAGES, OTHER, LatencyTally
from tests.contract.redis_wire import Wire
from tests.contract.store_parts import store_of
from tests.unit.fakes import FakeClock

pytest_plugins = ["tests.contract.redis_fixture", "tests.contract.store_fixture"]


@pytest.fixture(autouse=True)
async def _empty(redis: AzureRedisManager) -> None:
    """The tables are for all sessions, so they outlive a test."""
    await redis.execute("FLUSHDB")


async def commit(store: SessionStore) -> None:
    """Commit something."""
    await store.commit(Commit(session_id=new_session_id(), call={"a": 1}))


async def test_tally_rides_with_a_commit_and_costs_no_round_trip(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """Measuring what callers wait for must not make them wait."""
    store.tally.note({"silence": 1.0})
    await commit(store)  # the server knows both scripts from here on
    before = redis.round_trips_total
    await commit(store)
    plain = redis.round_trips_total - before
    store.tally.note({"silence": 900.0, "llm_first_token": 500.0})
    before = redis.round_trips_total
    await commit(store)
    assert redis.round_trips_total - before == plain
    assert store.tally.rider() is None


async def test_tally_sums_over_instances(store: SessionStore, redis: AzureRedisManager) -> None:
    """Where a caller got to is chance; what callers waited for is one figure."""
    other = store_of(redis, "two")
    for took_ms in (100.0, 200.0, 300.0):
        store.tally.note({"silence": took_ms})
        other.tally.note({"silence": took_ms * 10})
    await commit(other)
    found = await store.tally.read()
    assert found["silence"]["count"] == 6
    assert found["silence"]["avg_ms"] == pytest.approx(1100)
    assert 300 <= found["silence"]["p50_ms"] <= 360
    assert 3000 <= found["silence"]["p99_ms"] <= 3600


async def test_tally_counts_once_what_is_sent_twice(redis: AzureRedisManager) -> None:
    """A commit whose answer is lost is sent again, and what rides with it too."""
    tally = LatencyTally(redis, SystemClock())
    tally.note({"silence": 100.0})
    rider = tally.rider()
    assert rider is not None
    assert tally.rider() is rider
    for _ in range(3):
        await redis.run_script(rider.script, rider.keys, rider.args)
    tally.note({"silence": 100.0})
    assert tally.rider() is rider, "what was not delivered goes first"
    tally.delivered(rider)
    assert tally.rider() is not rider
    assert (await tally.read())["silence"]["count"] == 2


async def test_tally_forgets_what_is_older_than_a_day(redis: AzureRedisManager) -> None:
    """The tables are bounded in time, and in Redis they expire by themselves."""
    clock = FakeClock()
    tally = LatencyTally(redis, clock)
    tally.note({"silence": 100.0})
    assert (await tally.read())["silence"]["count"] == 1
    clock.elapsed_s += 23 * 3600
    assert (await tally.read())["silence"]["count"] == 1
    clock.elapsed_s += 3600
    assert await tally.read() == {}
    keys = await redis.execute("KEYS", "va:{latency}:20*")
    assert isinstance(keys, list)
    assert 0 < int(str(await redis.execute("TTL", str(keys[0])))) <= 25 * 3600


async def test_tally_is_bounded_in_names(redis: AzureRedisManager) -> None:
    """Whoever measures under ever new names must not fill the store."""
    tally = LatencyTally(redis, SystemClock())
    for number in range(3 * MAX_STAGES):
        tally.note({f"stage {number}": 1.0})
    found = await tally.read()
    assert len(found) == MAX_STAGES + 1
    assert found[OTHER]["count"] == 2 * MAX_STAGES


async def test_commit_goes_through_though_the_table_is_spoilt(
    store: SessionStore, redis: AzureRedisManager
) -> None:
    """A statistic must never cost a caller an answer."""
    store.tally.note({"silence": 100.0})
    rider = store.tally.rider()
    assert rider is not None
    await redis.execute("SET", rider.keys[0], "not a table")
    await commit(store)


async def test_tally_keeps_what_could_not_be_sent(wire: Wire, redis: AzureRedisManager) -> None:
    """It rides with the next commit that gets through."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}/0") as cut:
        store = store_of(cut, "three")
        store.tally.note({"silence": 100.0})
        rider = store.tally.rider()
    with pytest.raises(UpstreamError):
        await commit(store)
    assert store.tally.rider() is rider
    assert await LatencyTally(redis, SystemClock()).read() == {}
