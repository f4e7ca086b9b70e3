"""A session store on the Redis of the contract tests."""

from collections.abc import AsyncIterator

import pytest

from shared.redis.manager import AzureRedisManager
from shared.state.store import SessionStore
from tests.contract.store_parts import store_of


@pytest.fixture
async def store(redis: AzureRedisManager) -> AsyncIterator[SessionStore]:
    """A store whose leases last."""
    yield store_of(redis)
