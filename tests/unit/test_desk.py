"""Tools for clients outside: the agent's path, with failures of the call as errors.

With a session: tests/contract/test_desk.py.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from shared.clock import SystemClock
from shared.errors import (
    AppError,
    ConflictError,
    ForbiddenError,
    InvalidRequestError,
    ToolNotFoundError,
    UpstreamTimeoutError,
)
from shared.redis.manager import AzureRedisManager
from shared.state.store import SessionStore
from shared.tools.desk import ToolDesk
from shared.tools.failures import ToolFailedError
from shared.tools.policy import Authentication, ToolPolicy
from shared.types import Json
from tests.unit.tool_fakes import FakeLedger, echo, registry_of, services

ROME = {"city": "Rome"}


def desk_of(
    executor: Callable[..., Any] = echo, ledger: FakeLedger | None = None, **policy: Any
) -> ToolDesk:
    """A desk with the one tool ``weather``, and a store that a unit test cannot reach."""
    unreachable = AzureRedisManager(url="redis://127.0.0.1:1/0")
    return ToolDesk(
        registry_of(executor, policy=ToolPolicy(**policy)),
        SessionStore(unreachable, instance_id="i", lease_s=1, ttl_s=1, clock=SystemClock()),
        ledger=ledger or FakeLedger(),
        services=services(),
    )


async def run(desk: ToolDesk, arguments: Json, *, name: str = "weather", key: str = "") -> Json:
    """Run a tool without a session."""
    return await desk.run(name, arguments, session_id=None, idempotency_key=key)


async def test_desk_returns_the_tools_result_and_asks_no_store() -> None:
    """A tool that needs no session works while the session store is away."""
    result = await run(desk_of(), ROME)
    assert result["success"] is True
    assert result["got"]["city"] == "Rome"


async def test_desk_returns_the_tools_own_no_as_a_result() -> None:
    """The call went well and the answer is no: that is not an error of the call."""

    async def refuse(arguments: Json) -> Json:
        raise ToolFailedError("The city is closed.")

    result = await run(desk_of(refuse), ROME)
    assert (result["success"], result["error"]) == (False, "tool_failed")


@pytest.mark.parametrize(
    ("name", "arguments", "error", "said"),
    [
        ("wether", ROME, ToolNotFoundError, "There is no such tool."),
        ("weather", {}, InvalidRequestError, "city"),
        ("weather", {"city": "Atlantis"}, InvalidRequestError, "city"),
        ("weather", {**ROME, "days": "secret"}, InvalidRequestError, "days"),
    ],
)
async def test_desk_raises_what_is_wrong_with_the_call(
    name: str, arguments: Json, error: type[AppError], said: str
) -> None:
    """The client reads a 4xx that names the field, never the value."""
    with pytest.raises(error) as caught:
        await run(desk_of(), arguments, name=name)
    assert said in str(caught.value)
    assert "Atlantis" not in str(caught.value)
    assert "secret" not in str(caught.value)


async def test_desk_refuses_what_policy_refuses() -> None:
    """HTTP is no way around the policy: nobody is identified without a session."""
    desk = desk_of(authentication=Authentication.IDENTIFIED)
    with pytest.raises(ForbiddenError):
        await run(desk, ROME)


async def test_desk_wants_a_key_for_what_changes_the_world() -> None:
    """Without one a retry of the client's would do it twice."""
    with pytest.raises(ForbiddenError) as caught:
        await run(desk_of(has_side_effects=True), ROME)
    assert "key" in str(caught.value)


async def test_desk_runs_once_for_a_key_and_repeats_the_result() -> None:
    """A client that lost the answer asks again and gets it (G2)."""
    runs: list[Json] = []

    async def book(arguments: Json) -> Json:
        runs.append(arguments)
        return {"booked": len(runs)}

    desk = desk_of(book, has_side_effects=True)
    results = [await run(desk, ROME, key="k1") for _ in range(3)]
    assert results == [results[0]] * 3
    assert len(runs) == 1


async def test_desk_refuses_a_key_that_is_too_long() -> None:
    """A key is a name and no place to store things; what it says is not repeated."""
    desk = desk_of(has_side_effects=True)
    assert (await run(desk, ROME, key="k" * 200))["success"] is True
    with pytest.raises(InvalidRequestError) as caught:
        await run(desk, ROME, key="k" * 201)
    assert "Idempotency-Key" in str(caught.value)
    assert "kkk" not in str(caught.value)


async def test_desk_refuses_a_key_that_stood_for_another_call() -> None:
    """A client's mistake with keys must not look like success."""
    desk = desk_of(has_side_effects=True)
    await run(desk, ROME, key="k1")
    with pytest.raises(ConflictError):
        await run(desk, {"city": "Oslo"}, key="k1")


async def test_desk_raises_when_a_harmless_tool_takes_too_long() -> None:
    """A tool without side effects may simply be asked again: 504."""

    async def hang(arguments: Json) -> Json:
        await asyncio.Event().wait()
        return {}

    with pytest.raises(UpstreamTimeoutError):
        await run(desk_of(hang, timeout_s=0.01), ROME)


async def test_desk_reports_an_unknown_outcome_as_unknown() -> None:
    """What may have changed the world is neither a success nor a plain failure."""

    async def hang(arguments: Json) -> Json:
        await asyncio.Event().wait()
        return {}

    desk = desk_of(hang, has_side_effects=True, timeout_s=0.01)
    for _ in range(2):  # and it stays unknown
        result = await run(desk, ROME, key="k1")
        assert (result["success"], result["error"]) == (False, "outcome_unknown")


async def test_desk_run_that_is_cancelled_is_not_repeated_blindly() -> None:
    """A host that stopped in the middle leaves the key claimed: the next one hears "unknown"."""
    has_begun, runs = asyncio.Event(), []

    async def hang(arguments: Json) -> Json:
        runs.append(1)
        has_begun.set()
        await asyncio.Event().wait()
        return {}

    ledger = FakeLedger()
    desk = desk_of(hang, ledger, has_side_effects=True)
    task = asyncio.create_task(run(desk, ROME, key="k1"))
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await run(desk, ROME, key="k1"))["error"] == "outcome_unknown"
    assert len(runs) == 1


async def test_desk_runs_nothing_while_the_ledger_is_away() -> None:
    """Better not done, and said so, than done twice."""
    runs: list[int] = []

    async def book(arguments: Json) -> Json:
        runs.append(1)
        return {}

    desk = desk_of(book, FakeLedger(down={"begin"}), has_side_effects=True)
    assert (await run(desk, ROME, key="k1"))["error"] == "tool_failed"
    assert runs == []
