"""What tools, pools and prompts tell of themselves."""

from collections.abc import Callable
from typing import Any

import pytest

from shared.telemetry import names
from shared.telemetry.tracing import span
from shared.tools.failures import ToolFailedError, ToolRefusedError, ToolRetryError
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.span_fakes import Traced, traced
from tests.unit.test_prompts import HELLO
from tests.unit.test_prompts import Stage as PromptStage
from tests.unit.test_speech_desk import Stage as DeskStage
from tests.unit.test_tools_run import Till, raising, registry_of
from tests.unit.tool_fakes import FakeLedger, context


def measured(told: Traced, name: str) -> list[Any]:
    """The labels of what was measured under a name."""
    return [dict(labels) for one, _, labels in told.values if one == name]


def facts_of(told: Traced, name: str) -> dict[str, Any]:
    """The attributes of the one span of that name."""
    (found,) = told.named(name)
    return dict(found.attributes or {})


@pytest.mark.parametrize(
    ("make", "code", "outcome"),
    [
        (Till, "ok", "ok"),
        (lambda: raising(ToolRefusedError("no", missing="mfa")), "refused:mfa", "refused"),
        (lambda: raising(ToolRetryError("+1 425 555 0123")), "retry", "failed"),
        (lambda: raising(ToolFailedError("no")), "tool_failed", "failed"),
        (lambda: raising(ValueError("4111111111111111")), "outcome_unknown", "unknown"),
    ],
)
async def test_tool_tells_what_came_of_it(
    make: Callable[[], Till], code: str, outcome: str
) -> None:
    """By a code, never by words: a failure's text may hold what the caller said."""
    with traced() as told:
        await run_tool(registry_of(make()), "pay", {"amount": 5}, context(), FakeLedger())
    facts = facts_of(told, "execute_tool pay")
    assert facts[names.TOOL_OUTCOME] == code
    assert (facts.get(names.ERROR_TYPE) is None) is (outcome in ("ok", "refused"))
    assert facts[names.GEN_AI_TOOL] == "pay"
    assert measured(told, "voice.tool.duration") == [{"tool": "pay", "outcome": outcome}]
    assert len(measured(told, "voice.refusals")) == (outcome == "refused")
    assert "amount" not in str(facts)


async def test_tool_that_does_not_exist_has_no_name_of_its_own() -> None:
    """Whatever the model makes up must not become a span's name."""
    with traced() as told:
        await run_tool(registry_of(Till()), "drop_tables", {}, context(), FakeLedger())
    assert facts_of(told, "execute_tool unknown")[names.TOOL_OUTCOME] == "unknown_tool"
    assert "drop_tables" not in str([(one.name, one.attributes) for one in told.ended])


async def test_tool_keeps_its_arguments_only_where_content_may_be_kept() -> None:
    """For a test system they are worth gold; elsewhere they are what the caller said."""
    arguments: Json = {"amount": 5}
    with traced(may_hold_content=True) as told:
        await run_tool(registry_of(Till()), "pay", arguments, context(), FakeLedger())
    assert facts_of(told, "execute_tool pay")[names.TOOL_ARGUMENTS] == '{"amount": 5}'


async def test_every_allocation_of_a_speech_pool_is_told() -> None:
    """How a speaker was come by, for each, and a span for the one that was waited for."""
    stage = DeskStage("hello")
    with traced() as told, span("turn"):
        for session in (None, "s", "s"):
            await stage.desk.speak("<speak/>", deadline_s=1, session_id=session)
    tiers = [one["tier"] for one in measured(told, "voice.pool.wait")]
    assert tiers == ["cold", "warm", "dedicated"]
    assert {one["pool"] for one in measured(told, "voice.pool.wait")} == {"tts"}
    assert facts_of(told, "wait for lease") == {names.POOL: "tts", names.POOL_TIER: "cold"}


async def test_prompt_tells_how_it_was_made_and_not_what_it_says() -> None:
    """One span for each that is synthesized, none for one that is there."""
    stage = PromptStage()
    with traced() as told:
        await stage.render()
        await stage.render()
    facts = facts_of(told, "synthesize prompt")
    assert facts[names.CHARACTERS] == len(HELLO.text)
    assert facts[names.POOL_TIER] == "cold"
    assert names.FIRST_BYTE_MS in facts
    assert HELLO.text not in str(facts)
