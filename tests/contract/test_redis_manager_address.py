"""Where the Redis manager goes, and what it refuses to understand."""

import pytest

from shared.errors import InvalidRequestError, SettingsError
from shared.redis.address import Address
from shared.redis.manager import AzureRedisManager


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [
        ("x.redis.cache.windows.net", None, ("x.redis.cache.windows.net", 6380)),
        ("x.westeurope.redis.azure.net", None, ("x.westeurope.redis.azure.net", 10000)),
        ("x.redis.cache.windows.net:7000", None, ("x.redis.cache.windows.net", 7000)),
        ("localhost", 6379, ("localhost", 6379)),
        ("localhost:1", 2, ("localhost", 2)),
    ],
)
def test_manager_address_of_a_host(host: str, port: int | None, expected: tuple[str, int]) -> None:
    """Both Azure services are found without a port, and a port can be given either way."""
    address = Address.of_host(host, port)
    assert (address.host, address.port) == expected
    assert address.is_encrypted


def test_manager_address_of_a_url() -> None:
    """A URL says everything, and what is secret in it does not show."""
    address = Address.of_url("rediss://me:pass@host:7/3")
    assert (address.host, address.port, address.db, address.is_encrypted) == ("host", 7, 3, True)
    assert (address.user_name, address.password) == ("me", "pass")
    assert "pass" not in repr(address)
    plain = Address.of_url("redis://host")
    assert (plain.port, plain.is_encrypted) == (6379, False)


def test_manager_address_that_makes_no_sense() -> None:
    """A wrong setting is said to be one, without repeating it."""
    for bad in ("http://secret", "redis://secret:port"):
        with pytest.raises(SettingsError) as caught:
            Address.of_url(bad)
        assert "secret" not in str(caught.value)
    with pytest.raises(SettingsError):
        Address.of_host("host:x")
    with pytest.raises(InvalidRequestError):
        AzureRedisManager()
    with pytest.raises(InvalidRequestError):
        AzureRedisManager("host", url="redis://host")
