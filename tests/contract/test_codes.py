"""One-time codes and counted tries: what the scripts promise, and what the fakes promise too."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import cast

import pytest

from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.state.codec import session_key
from shared.state.codes import RedisCodes, RedisLimits
from shared.state.session_ids import new_session_id
from shared.tools.codes import CodeStore, TryLimits
from shared.types import SessionId
from tests.unit.bank import FakeCodeStore, FakeLimits

pytest_plugins = ("tests.contract.redis_fixture",)

KINDS = pytest.mark.parametrize("is_real", [True, False], ids=["valkey", "fake"])


def codes_of(redis: AzureRedisManager, is_real: bool) -> CodeStore:
    """The real store or the fake."""
    return cast(CodeStore, RedisCodes(redis) if is_real else FakeCodeStore())


def limits_of(redis: AzureRedisManager, is_real: bool) -> TryLimits:
    """The real counter or the fake."""
    return RedisLimits(redis) if is_real else FakeLimits()


@KINDS
async def test_codes_are_right_once_and_again_for_the_same_request(
    redis: AzureRedisManager, is_real: bool
) -> None:
    """A code that is overheard is worth nothing; an answer that was lost is given again."""
    codes, sid = codes_of(redis, is_real), new_session_id()
    await codes.put(sid, "mfa", "d", tries=5, ttl_s=60)
    tries = [("x", "a"), ("d", "b"), ("d", "b"), ("d", "c"), ("x", "b"), ("d", "")]
    found = [(await codes.attempt(sid, "mfa", [d], by=by)).state for d, by in tries]
    assert found == ["wrong", "right", "right", "none", "none", "none"]


@KINDS
async def test_codes_used_by_nobody_in_particular_are_not_right_again(
    redis: AzureRedisManager, is_real: bool
) -> None:
    """Without a name for the request, a second try is another request."""
    codes, sid = codes_of(redis, is_real), new_session_id()
    await codes.put(sid, "mfa", "d", tries=5, ttl_s=60)
    found = [(await codes.attempt(sid, "mfa", ["e", "d"], by="")).state for _ in range(2)]
    assert found == ["right", "none"]


@KINDS
async def test_codes_end_after_their_tries(redis: AzureRedisManager, is_real: bool) -> None:
    """The right code after five wrong ones comes too late; a new code starts anew."""
    codes, sid = codes_of(redis, is_real), new_session_id()
    await codes.put(sid, "mfa", "d", tries=5, ttl_s=60)
    found = [await codes.attempt(sid, "mfa", ["x"], by=str(n)) for n in range(5)]
    assert [(one.state, one.tries_left) for one in found] == [
        ("wrong", 4),
        ("wrong", 3),
        ("wrong", 2),
        ("wrong", 1),
        ("exhausted", 0),
    ]
    assert (await codes.attempt(sid, "mfa", ["d"], by="z")).state == "exhausted"
    await codes.put(sid, "mfa", "e", tries=5, ttl_s=60)
    assert (await codes.attempt(sid, "mfa", ["d"], by="z")).state == "wrong"
    assert (await codes.attempt(sid, "mfa", ["e"], by="z")).state == "right"


@KINDS
async def test_codes_that_nobody_sent_are_no_codes(redis: AzureRedisManager, is_real: bool) -> None:
    """Neither in another session, nor under another name, nor after it was dropped."""
    codes, sid = codes_of(redis, is_real), new_session_id()
    await codes.put(sid, "mfa", "d", tries=5, ttl_s=60)
    assert (await codes.attempt(new_session_id(), "mfa", ["d"], by="a")).state == "none"
    assert (await codes.attempt(sid, "other", ["d"], by="a")).state == "none"
    await codes.drop(sid, "mfa")
    assert (await codes.attempt(sid, "mfa", ["d"], by="a")).state == "none"


async def test_codes_share_their_tries_among_instances(redis: AzureRedisManager) -> None:
    """Forty guesses at once have five tries together, and a right one among them works once."""
    sid = new_session_id()
    await RedisCodes(redis).put(sid, "mfa", "d", tries=5, ttl_s=60)
    guesses = [RedisCodes(redis).attempt(sid, "mfa", [f"x{n}"], by=str(n)) for n in range(40)]
    found = Counter(one.state for one in await asyncio.gather(*guesses))
    assert found == Counter(wrong=4, exhausted=36)
    await RedisCodes(redis).put(sid, "mfa", "d", tries=5, ttl_s=60)
    right = [RedisCodes(redis).attempt(sid, "mfa", ["d"], by=str(n)) for n in range(20)]
    assert Counter(one.state for one in await asyncio.gather(*right)) == Counter(right=1, none=19)


async def test_codes_expire(redis: AzureRedisManager) -> None:
    """A code that nobody used in time is gone, wherever it is tried."""
    codes, sid = RedisCodes(redis), new_session_id()
    await codes.put(sid, "mfa", "d", tries=5, ttl_s=300)
    key = session_key(sid, "code:mfa")
    assert 290 < int(str(await redis.execute("TTL", key))) <= 300
    await redis.execute("PEXPIRE", key, 0)
    assert (await codes.attempt(sid, "mfa", ["d"], by="a")).state == "none"


@KINDS
async def test_limits_count_up_to_their_limit(redis: AzureRedisManager, is_real: bool) -> None:
    """One more is refused; what is given back may be taken again."""
    limits, scope = limits_of(redis, is_real), new_session_id()
    taken = await asyncio.gather(*(limits.take(scope, limit=5, ttl_s=60) for _ in range(20)))
    assert sum(taken) == 5
    await limits.give_back(scope)
    assert [await limits.take(scope, limit=5, ttl_s=60) for _ in range(2)] == [True, False]
    other = new_session_id()
    await limits.give_back(other)
    assert [await limits.take(other, limit=1, ttl_s=60) for _ in range(2)] == [True, False]


async def test_limits_end(redis: AzureRedisManager) -> None:
    """The time runs from the first try; later ones do not stretch it."""
    limits, scope = RedisLimits(redis), new_session_id()
    await limits.take(scope, limit=5, ttl_s=60)
    await limits.take(scope, limit=5, ttl_s=9999)
    assert 50 < int(str(await redis.execute("TTL", f"va:limit:{scope}"))) <= 60


Away = Callable[[AzureRedisManager], Awaitable[object]]


@pytest.mark.parametrize(
    "ask",
    [
        lambda redis: RedisCodes(redis).put(SessionId("s"), "m", "d", tries=1, ttl_s=1),
        lambda redis: RedisCodes(redis).attempt(SessionId("s"), "m", ["d"], by=""),
        lambda redis: RedisLimits(redis).take("s", limit=1, ttl_s=1),
        lambda redis: RedisLimits(redis).give_back("s"),
    ],
)
async def test_codes_and_limits_tell_that_redis_is_away(ask: Away) -> None:
    """Nobody may take an outage for a wrong code, or for a right one."""
    async with AzureRedisManager(url="redis://127.0.0.1:1/0") as nowhere:
        with pytest.raises(UpstreamError):
            await ask(nowhere)
