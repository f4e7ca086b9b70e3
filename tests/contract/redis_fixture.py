"""A real Redis for the contract tests: one server per run, sessions told apart by their ids."""

from collections.abc import AsyncIterator, Iterator

import pytest

from shared.redis.manager import AzureRedisManager
from tests.contract.redis_wire import Wire, running_server


@pytest.fixture
async def wire(redis_url: str) -> AsyncIterator[Wire]:
    """A line to the server of this run."""
    yield Wire(int(redis_url.rsplit(":", 1)[1].split("/", maxsplit=1)[0]))


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """Where the server of this run is."""
    with running_server() as port:
        yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[AzureRedisManager]:
    """A manager of this test's own."""
    async with AzureRedisManager(url=redis_url) as manager:
        yield manager
