"""The ledger of side effects against a real Redis."""

import asyncio
import uuid

import pytest

from shared.errors import InvalidRequestError
from shared.redis.manager import AzureRedisManager
from shared.state.codec import DamagedStateError, session_key
from shared.state.ledger import Begin, BeginState, RedisLedger
from shared.state.session_ids import new_session_id
from shared.types import SessionId
from tests.contract.redis_wire import Wire

pytest_plugins = ("tests.contract.redis_fixture",)

OWNERS = pytest.mark.parametrize("has_session", [True, False])


def session(has_session: bool) -> SessionId | None:
    """A session of this test's own, or none."""
    return new_session_id() if has_session else None


def key() -> str:
    """A key of this test's own."""
    return str(uuid.uuid4())


@OWNERS
async def test_ledger_gives_a_duplicate_the_stored_result(
    redis: AzureRedisManager, has_session: bool
) -> None:
    """The second request hears what the first one did, and the first result stays."""
    ledger, sid, name = RedisLedger(redis, 1000), session(has_session), key()
    assert await ledger.begin(sid, name, "f") == Begin(BeginState.FRESH)
    assert await ledger.begin(sid, name, "f") == Begin(BeginState.IN_PROGRESS)
    await ledger.finish(sid, name, {"ok": [], "é": 1})
    await ledger.finish(sid, name, {"ok": "late"})
    await ledger.forget(sid, name)
    assert await ledger.begin(sid, name, "f") == Begin(BeginState.DONE, {"ok": [], "é": 1})


@OWNERS
async def test_ledger_tells_other_arguments_apart(
    redis: AzureRedisManager, has_session: bool
) -> None:
    """A key that is used again for something else is never answered with the first result."""
    ledger, sid, name = RedisLedger(redis, 1000), session(has_session), key()
    await ledger.begin(sid, name, "f")
    assert (await ledger.begin(sid, name, "g")).state is BeginState.MISMATCH
    await ledger.finish(sid, name, {})
    assert (await ledger.begin(sid, name, "g")).state is BeginState.MISMATCH


@OWNERS
async def test_ledger_forgets_what_was_not_done(
    redis: AzureRedisManager, has_session: bool
) -> None:
    """A key given back can be claimed again; forgetting what is unknown does nothing."""
    ledger, sid, name = RedisLedger(redis, 1000), session(has_session), key()
    await ledger.forget(sid, name)
    await ledger.begin(sid, name, "f")
    await ledger.forget(sid, name)
    assert (await ledger.begin(sid, name, "g")).state is BeginState.FRESH


@OWNERS
async def test_ledger_old_claim_is_unknown_and_never_fresh(
    redis: AzureRedisManager, has_session: bool
) -> None:
    """A run that never reported may have happened: nobody may start it again."""
    ledger, sid, name = RedisLedger(redis, 1000, unknown_after_s=0), session(has_session), key()
    await ledger.begin(sid, name, "f")
    assert (await ledger.begin(sid, name, "f")).state is BeginState.UNKNOWN
    await ledger.finish(sid, name, {"late": True})
    assert await ledger.begin(sid, name, "f") == Begin(BeginState.DONE, {"late": True})


@OWNERS
async def test_ledger_one_of_many_is_fresh(redis: AzureRedisManager, has_session: bool) -> None:
    """Of twenty requests at once one runs, on whatever instance."""
    sid, name = session(has_session), key()
    begins = await asyncio.gather(
        *(RedisLedger(redis, 1000).begin(sid, name, "f") for _ in range(20))
    )
    assert [b.state for b in begins].count(BeginState.FRESH) == 1
    assert [b.state for b in begins].count(BeginState.IN_PROGRESS) == 19


async def test_ledger_entries_end(redis: AzureRedisManager) -> None:
    """Nothing stays for ever, and a key never shortens the life of its session's ledger."""
    sid, name = new_session_id(), key()
    await RedisLedger(redis, 1000).begin(sid, name, "f")
    await RedisLedger(redis, 10).begin(sid, key(), "f")
    await RedisLedger(redis, 10).finish(sid, name, {})
    await RedisLedger(redis, 1000).begin(None, name, "f")
    for redis_key in (session_key(sid, "ledger"), f"va:ledger:{name}"):
        assert 900 < int(str(await redis.execute("TTL", redis_key))) <= 1000
    await RedisLedger(redis, 500).finish(None, name, {})
    assert int(str(await redis.execute("TTL", f"va:ledger:{name}"))) <= 500


async def test_ledger_lost_answer_does_not_lock_the_caller_out(wire: Wire) -> None:
    """When the answer to a claim is lost, the repetition finds the claim to be its own."""
    async with wire.laid() as port, AzureRedisManager(url=f"redis://127.0.0.1:{port}") as redis:
        ledger, name = RedisLedger(redis, 1000), key()
        await ledger.begin(None, key(), "f")
        wire.hold()
        running = asyncio.create_task(ledger.begin(None, name, "f"))
        await wire.answers.wait()
        wire.cut()
        wire.release()
        assert (await running).state is BeginState.FRESH
        assert (await ledger.begin(None, name, "f")).state is BeginState.IN_PROGRESS


async def test_ledger_damage_is_not_fresh(redis: AzureRedisManager) -> None:
    """An entry that cannot be read may stand for something done."""
    ledger, sid = RedisLedger(redis, 1000), new_session_id()
    await redis.hash_set_async(session_key(sid, "ledger"), {"a": "?", "b": "D\nf\n{"})
    assert (await ledger.begin(sid, "a", "f")).state is BeginState.UNKNOWN
    with pytest.raises(DamagedStateError):
        await ledger.begin(sid, "b", "f")


async def test_ledger_result_of_an_expired_claim_matches_no_arguments(
    redis: AzureRedisManager,
) -> None:
    """A result whose claim is gone cannot say for which arguments it stands."""
    ledger, name = RedisLedger(redis, 1000), key()
    await ledger.finish(None, name, {"late": True})
    assert (await ledger.begin(None, name, "f")).state is BeginState.MISMATCH


async def test_ledger_refuses_bad_names(redis: AzureRedisManager) -> None:
    """What could break the stored form stops before Redis."""
    with pytest.raises(InvalidRequestError):
        await RedisLedger(redis, 1000).begin(None, "", "f")
    with pytest.raises(InvalidRequestError):
        await RedisLedger(redis, 1000).begin(None, "k", "a\nb")
