"""The bank's records are in the database: what a tool does is there, and its outage is told."""

from collections.abc import AsyncIterator

import pytest

from simulator.app_client import AppClient
from simulator.cosmos import Fault
from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK


@pytest.fixture
async def stack() -> AsyncIterator[Stack]:
    """Everything up, one instance."""
    async with Stack(Plan(pace=QUICK)) as up:
        yield up


async def test_records_are_kept_in_the_database_or_not_at_all(stack: Stack) -> None:
    """A callback that was promised is stored; while the database is down, none is promised."""
    path = "/api/tools/schedule_callback"
    body = {"arguments": {"reason": "a question", "phone_number": "+15551230000"}}
    callbacks = stack.cosmos.store.container(stack.database, "callbacks")
    async with AppClient(stack) as app:
        stack.cosmos.inject(*[Fault("error", operation="create")] * 9)
        status, result = await app.request("POST", path, body, idempotency_key="k1")
        assert (status, result["success"]) == (200, False)
        assert "callback_id" not in result
        assert callbacks.items(None, stack.cosmos.store.now()) == []
        stack.cosmos.faults.replace([])
        status, result = await app.request("POST", path, body, idempotency_key="k2")
        assert (status, result["success"]) == (200, True)
        [(_, stored)] = callbacks.items(None, stack.cosmos.store.now())
        assert stored["id"] == result["callback_id"]
