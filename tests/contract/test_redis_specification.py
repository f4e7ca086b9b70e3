"""The specification's Redis sample, import paths aside."""

from shared.redis.manager import AzureRedisManager

pytest_plugins = ("tests.contract.redis_fixture",)


async def test_redis_specification_session_data_with_a_time_to_live(
    redis: AzureRedisManager,
) -> None:
    """The sample stores an object that can be read back and does not stay for ever."""
    redis_mgr = redis
    session_id = "spec-redis"
    data = {"caller": "x", "turns": [1, 2]}

    # Session data with TTL
    await redis_mgr.set_value_async(f"session:{session_id}", data, expire=3600)

    assert await redis_mgr.get_json_async(f"session:{session_id}") == data
    assert 3590 < int(str(await redis.execute("TTL", f"session:{session_id}"))) <= 3600


class DefaultAzureCredential:
    """Stands where the sample constructs azure.identity's; it must not be asked."""

    def get_token(self, *scopes: str) -> "DefaultAzureCredential":
        """Fail the test."""
        raise AssertionError("asked for a token while nothing was to be done")

    token = ""
    expires_on = 0


async def test_redis_specification_constructor_does_nothing_yet() -> None:
    """The sample's constructor connects to nothing and asks for no token, so importing is cheap."""
    redis_mgr = AzureRedisManager(
        host="your-redis.redis.cache.windows.net",
        credential=DefaultAzureCredential(),
    )

    assert redis_mgr.snapshot()["connections_idle"] == 0
    assert redis_mgr.round_trips_total == 0
    await redis_mgr.aclose()
