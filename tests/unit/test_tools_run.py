"""A tool that changes the world changes it once, and nobody is told otherwise."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from shared.errors import UpstreamError
from shared.tools.context import ToolContext
from shared.tools.failures import ToolFailedError, ToolRefusedError, ToolRetryError
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registry import ToolRegistry
from shared.tools.run import run_tool
from shared.types import Json, SessionId
from tests.unit.tool_fakes import SESSION, FakeLedger, context

SCHEMA: Json = {
    "name": "pay",
    "parameters": {"type": "object", "properties": {"amount": {"type": "number"}}},
}


class Till:
    """Counts what was paid; *then* decides how it ends."""

    def __init__(self, then: Callable[[], Awaitable[object]] | None = None) -> None:
        self.paid: list[object] = []
        self._then = then

    async def __call__(self, arguments: Json) -> object:
        """Pay."""
        self.paid.append(arguments.get("amount"))
        return await self._then() if self._then else {"paid": arguments.get("amount")}


def registry_of(till: Till, **policy: object) -> ToolRegistry:
    """A registry with the tool ``pay``; it has side effects unless told otherwise."""
    registry = ToolRegistry()
    rules = ToolPolicy(**{"has_side_effects": True, **policy})  # type: ignore[arg-type]
    registry.register("pay", SCHEMA, till, policy=rules)
    return registry


def raising(error: Exception) -> Till:
    """A till that pays and then raises."""

    async def fail() -> object:
        raise error

    return Till(fail)


async def run(
    till: Till, ledger: FakeLedger, who: ToolContext | None = None, arguments: Json | None = None
) -> Json:
    """Run ``pay``."""
    arguments = {"amount": 5} if arguments is None else arguments
    return await run_tool(registry_of(till), "pay", arguments, who or context(), ledger)


async def test_run_tool_gives_a_duplicate_the_first_result() -> None:
    """A redelivered turn, on whatever instance, must not pay again and must say the same."""
    till, ledger = Till(), FakeLedger()
    first = await run(till, ledger)
    second = await run(till, ledger, arguments={"amount": 5.0})
    assert first == second == {"success": True, "paid": 5}
    assert till.paid == [5]


async def test_run_tool_runs_again_under_another_key_or_in_another_session() -> None:
    """What is asked for twice on purpose is done twice."""
    till, ledger = Till(), FakeLedger()
    await run(till, ledger)
    await run(till, ledger, context(key="key-2"))
    await run(till, ledger, context(session_id=SessionId("other")))
    assert till.paid == [5, 5, 5]


async def test_run_tool_refuses_a_key_that_was_used_for_something_else() -> None:
    """Answering with the other call's result would be a lie."""
    till, ledger = Till(), FakeLedger()
    await run(till, ledger)
    result = await run(till, ledger, arguments={"amount": 6})
    assert result["error"] == "idempotency_mismatch"
    assert till.paid == [5]


async def test_run_tool_does_not_let_two_tools_share_a_key() -> None:
    """A client that reuses its key for another tool must not hear the first tool's result."""
    ledger, registry = FakeLedger(), registry_of(Till())
    registry.register(
        "pay_back", {**SCHEMA, "name": "pay_back"}, Till(), policy=ToolPolicy(has_side_effects=True)
    )
    await run_tool(registry, "pay", {"amount": 5}, context(), ledger)
    result = await run_tool(registry, "pay_back", {"amount": 5}, context(), ledger)
    assert result["error"] == "idempotency_mismatch"


async def test_run_tool_reports_a_run_in_progress_as_unknown() -> None:
    """The second instance must neither pay nor claim that it is paid or not."""
    going_on, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> object:
        going_on.set()
        await may_end.wait()
        return {"paid": 5}

    till, ledger = Till(slow), FakeLedger()
    first = asyncio.create_task(run(till, ledger))
    await going_on.wait()
    second = await run(till, ledger)
    may_end.set()
    assert second["error"] == "outcome_unknown"
    assert (await first)["success"] is True
    assert till.paid == [5]


@pytest.mark.parametrize(
    "error",
    [
        UpstreamError("the bank did not answer"),
        RuntimeError("a bug"),
        TimeoutError(),
    ],
)
async def test_run_tool_never_repeats_what_may_have_happened(error: Exception) -> None:
    """The money may be gone although the connection broke: say so and do not try again."""
    till, ledger = raising(error), FakeLedger()
    for _ in range(3):
        result = await run(till, ledger)
        assert result["success"] is False
        assert result["error"] == "outcome_unknown"
    assert till.paid == [5]


async def test_run_tool_that_times_out_stays_unknown() -> None:
    """A timeout says nothing about the payment."""

    async def hang() -> object:
        return await asyncio.Event().wait()

    till, ledger = Till(hang), FakeLedger()
    registry = registry_of(till, timeout_s=0.01)
    for _ in range(2):
        result = await run_tool(registry, "pay", {"amount": 5}, context(), ledger)
        assert result["error"] == "outcome_unknown"
    assert till.paid == [5]


async def test_run_tool_that_is_cancelled_stays_unknown() -> None:
    """The caller hung up in the middle; the redelivered turn must not pay a second time."""
    going_on = asyncio.Event()

    async def hang() -> object:
        going_on.set()
        return await asyncio.Event().wait()

    till, ledger = Till(hang), FakeLedger()
    first = asyncio.create_task(run(till, ledger))
    await going_on.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert (await run(till, ledger))["error"] == "outcome_unknown"
    assert till.paid == [5]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ToolRetryError("amount is odd."), "retry"),
        (ToolRefusedError("closed.", missing="opening"), "refused:opening"),
    ],
)
async def test_run_tool_gives_the_key_back_when_nothing_was_done(
    error: Exception, code: str
) -> None:
    """The executor said that it did nothing, so trying again is no repetition."""
    ledger = FakeLedger()
    assert (await run(raising(error), ledger))["error"] == code
    assert ledger.entries == {}
    assert (await run(Till(), ledger))["success"] is True


async def test_run_tool_keeps_a_final_no() -> None:
    """A final failure is a result: a duplicate hears it again and nothing runs."""
    till, ledger = raising(ToolFailedError("refunded before.")), FakeLedger()
    first = await run(till, ledger)
    assert first == {"success": False, "error": "tool_failed", "message": "refunded before."}
    assert await run(till, ledger) == first
    assert len(till.paid) == 1


async def test_run_tool_does_nothing_when_the_ledger_is_down() -> None:
    """Without the ledger a duplicate could not be seen, so nothing may be paid."""
    till, ledger = Till(), FakeLedger(down={"begin"})
    result = await run(till, ledger)
    assert result["error"] == "tool_failed"
    assert till.paid == []


async def test_run_tool_tells_what_was_done_although_it_could_not_be_recorded() -> None:
    """This caller may know that it is paid; a duplicate finds no result and must not pay."""
    till, ledger = Till(), FakeLedger(down={"finish"})
    assert (await run(till, ledger))["success"] is True
    assert (await run(till, ledger))["error"] == "outcome_unknown"
    assert till.paid == [5]


async def test_run_tool_answers_although_the_key_could_not_be_given_back() -> None:
    """The model must learn what to correct even while the session store is away."""
    ledger = FakeLedger(down={"forget"})
    assert (await run(raising(ToolRetryError("odd.")), ledger))["error"] == "retry"


async def test_run_tool_refuses_side_effects_without_a_key() -> None:
    """A client that sends no idempotency key could not be protected from its own retry."""
    till, ledger = Till(), FakeLedger()
    result = await run(till, ledger, context(key="", channel="http"))
    assert result["error"] == "refused:idempotency_key"
    assert till.paid == []


async def test_run_tool_claims_no_key_for_a_call_that_may_not_be_made() -> None:
    """A refused call did nothing; once the caller is verified the same call must go through."""
    till, ledger = Till(), FakeLedger()
    registry = registry_of(till, authentication=Authentication.IDENTIFIED)
    refused = await run_tool(registry, "pay", {"amount": 5}, context(), ledger)
    invalid = await run_tool(registry, "pay", {"amount": "much"}, context(), ledger)
    unknown = await run_tool(registry, "nope", {}, context(), ledger)
    assert refused["error"] == "refused:authentication"
    assert invalid["error"] == "invalid_arguments"
    assert unknown["error"] == "unknown_tool"
    assert ledger.entries == {}
    assert till.paid == []


async def test_run_tool_leaves_the_ledger_alone_for_tools_that_only_read() -> None:
    """A balance must be read anew every time, and needs no key."""
    till, ledger = Till(), FakeLedger(down={"begin"})
    registry = registry_of(till, has_side_effects=False)
    for _ in range(2):
        result = await run_tool(registry, "pay", {}, context(key=""), ledger)
        assert result["success"] is True
    assert len(till.paid) == 2
    failing = registry_of(raising(RuntimeError()), has_side_effects=False)
    assert (await run_tool(failing, "pay", {}, context(), ledger))["error"] == "tool_failed"


async def test_run_tool_stores_under_the_session_of_the_context() -> None:
    """The entry must lie in the session's own slot and expire with it."""
    ledger = FakeLedger()
    await run(Till(), ledger)
    assert list(ledger.entries) == [(SESSION, "key-1")]
