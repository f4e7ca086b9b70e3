"""The Redis manager against a real server."""

import asyncio
import uuid

import pytest

from shared.errors import InvalidRequestError, UpstreamError
from shared.redis.manager import AzureRedisManager, count_round_trips
from shared.redis.script import Script, ScriptCall, load_script

pytest_plugins = ("tests.contract.redis_fixture",)


def key() -> str:
    """A key of this test's own."""
    return f"test:{uuid.uuid4()}"


ECHO = Script(
    text="return {KEYS[1], ARGV[1]}",
    sha="d006f1a90249474274c76f5be725b8f5804a346b",
)


async def test_manager_values_come_back_as_they_went(redis: AzureRedisManager) -> None:
    """Text stays text and everything else is JSON, never Python's repr."""
    name = key()
    for value, text in (
        ("é text", "é text"),
        (b"raw", "raw"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
    ):
        await redis.set_value_async(name, value)
        assert await redis.get_value_async(name) == text
    assert await redis.get_json_async(name) == {"a": [1, None]}
    assert await redis.exists_async(name)
    assert await redis.delete_async(name) == 1
    assert await redis.get_value_async(name) is None
    assert await redis.get_json_async(name) is None
    assert not await redis.exists_async(name)


async def test_manager_values_that_are_no_json_are_refused(redis: AzureRedisManager) -> None:
    """What could not be read back is not written, and what is no JSON is not an empty value."""
    name = key()
    with pytest.raises(InvalidRequestError):
        await redis.set_value_async(name, object())
    await redis.set_value_async(name, "{broken")
    with pytest.raises(UpstreamError, match="not JSON"):
        await redis.get_json_async(name)


async def test_manager_hashes_and_expiry(redis: AzureRedisManager) -> None:
    """Fields are set one by one and time to live is in seconds, fractions included."""
    name = key()
    await redis.hash_set_async(name, {"a": "1", "b": "2"})
    await redis.hash_set_async(name, {"b": "3"})
    await redis.hash_set_async(name, {})
    assert await redis.hash_get_all_async(name) == {"a": "1", "b": "3"}
    assert await redis.hash_get_async(name, "b") == "3"
    assert await redis.hash_get_async(name, "c") is None
    assert await redis.expire_async(name, 0.5)
    assert 0 < int(str(await redis.execute("PTTL", name))) <= 500
    assert not await redis.expire_async(key(), 1)


async def test_manager_counts_round_trips_by_task(redis: AzureRedisManager) -> None:
    """A pipeline is one round trip, and only one's own trips are counted."""
    name = key()
    await redis.ping_async()
    before = redis.round_trips_total

    async def other() -> None:
        await redis.ping_async()

    stranger = asyncio.create_task(other())
    with count_round_trips() as trips:
        replies = await redis.pipeline([("SET", name, 1), ("INCR", name), ("GET", name)])
    await stranger

    assert replies == ["OK", 2, "2"]
    assert trips.total == 1
    assert redis.round_trips_total - before == 2
    assert redis.snapshot()["round_trips_total"] == redis.round_trips_total


async def test_manager_teaches_scripts_the_server_does_not_know(redis: AzureRedisManager) -> None:
    """A restarted server forgets scripts; the call then carries the text, in order, run once."""
    script = load_script("settle")
    name = key()
    await redis.execute("ZADD", name, 1, "m")
    await redis.execute("SCRIPT FLUSH")
    call = ScriptCall(script, (name,), ("m", "1"))

    with count_round_trips() as trips:
        assert await redis.pipeline([("ZADD", name, 1, "m"), call]) == [0, 1]
    assert trips.total == 2
    assert await redis.exists_async(name) is False
    with count_round_trips() as trips:
        await redis.run_script(script, (name,), ("m", "1"))
    assert trips.total == 1


async def test_manager_refused_command_tells_no_key_and_no_value(
    redis: AzureRedisManager,
) -> None:
    """A refusal says what kind it is, nothing of the data, and harms nobody else's call."""
    name = f"secret-key-{uuid.uuid4()}"
    await redis.set_value_async(name, "secret-value")

    with pytest.raises(UpstreamError) as caught:
        await redis.pipeline([("HGET", name, "secret-field")])

    assert str(caught.value) == "session store refused a command (WRONGTYPE)"
    assert await redis.get_value_async(name) == "secret-value"
    assert redis.snapshot()["connections_lost_total"] == 0


def test_manager_stays_with_its_loop(redis_url: str) -> None:
    """Use on another loop is said plainly instead of failing somewhere inside."""
    redis = AzureRedisManager(url=redis_url)

    async def use() -> None:
        await redis.ping_async()

    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(use())
        with pytest.raises(RuntimeError, match="another event loop"):
            second.run(use())
        first.run(redis.aclose())


async def test_manager_blocking_scripts(redis: AzureRedisManager) -> None:
    """The blocking path teaches unknown scripts too, counts its trips and closes."""
    await redis.execute("SCRIPT FLUSH")
    before = redis.round_trips_total
    for _ in range(2):
        assert redis.run_script_blocking(ECHO, ["k"], ["v"]) == ["k", "v"]
    assert redis.round_trips_total == before + 2
    with pytest.raises(UpstreamError, match="refused"):
        redis.run_script_blocking(Script("return redis.call('NOPE')", "0" * 40), [])
