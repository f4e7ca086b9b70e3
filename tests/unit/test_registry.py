"""The registry: what it takes in, and what comes back whatever happens."""

import asyncio
import logging
from collections.abc import Callable

import pytest

from shared.errors import ToolNotFoundError, UpstreamError
from shared.tools.failures import (
    DuplicateToolError,
    ToolDefinitionError,
    ToolFailedError,
    ToolRefusedError,
    ToolRetryError,
)
from shared.tools.modules import MODULES
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry, build_registry
from shared.types import Json
from tests.unit.tool_fakes import context, echo, registry_of, weather_schema


def test_register_refuses_a_taken_name() -> None:
    """A second tool of a name would silently answer for the first one, or never."""
    registry = registry_of(echo)
    with pytest.raises(DuplicateToolError, match="weather"):
        registry.register("weather", weather_schema(), echo)


def test_register_refuses_another_name_in_the_schema() -> None:
    """The model calls by the schema's name, which nobody would find."""
    with pytest.raises(ToolDefinitionError, match="agree on a name"):
        ToolRegistry().register("rain", weather_schema("weather"), echo)


@pytest.mark.parametrize("name", ["", "two words", "a" * 65, "über"])
def test_register_refuses_a_name_the_model_api_refuses(name: str) -> None:
    """One bad name would fail every request of every agent that has the tool."""
    with pytest.raises(ToolDefinitionError):
        ToolRegistry().register(name, weather_schema(name), echo)


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "strange"},
        {"type": "array"},
        {"type": "object", "properties": {"a": {"minimum": "low"}}},
        {"type": "object", "properties": {}, "additionalProperties": True},
    ],
)
def test_register_refuses_a_schema_that_cannot_guard(parameters: Json) -> None:
    """A schema that is wrong or open lets everything through; it is found when it is registered."""
    with pytest.raises(ToolDefinitionError, match="weather"):
        ToolRegistry().register("weather", weather_schema(parameters=parameters), echo)


def test_register_leaves_the_given_schema_alone_and_hands_out_copies() -> None:
    """Whoever changes a schema that was handed out must not change the tool."""
    given_schema = weather_schema(
        parameters={"type": "object", "properties": {"a": {"type": "string"}}}
    )
    registry = ToolRegistry()
    registry.register("weather", given_schema, echo)
    assert "additionalProperties" not in given_schema["parameters"]
    for copied in (
        registry.get_tool_schema("weather"),
        registry.get_tool_definition("weather").schema,
        registry.get_tools_for_agent(["weather"])[0]["function"],
    ):
        assert copied["parameters"]["additionalProperties"] is False
        copied["parameters"]["properties"].clear()
    assert registry.get_tool_schema("weather")["parameters"]["properties"] == {
        "a": {"type": "string"}
    }


def test_lookups_know_what_is_registered() -> None:
    """Agents are checked against these at load; a wrong answer surfaces in the middle of a call."""
    registry = ToolRegistry()
    registry.register("b", weather_schema("b"), echo, tags={"x", "y"})
    registry.register("a", weather_schema("a"), echo, tags={"x"}, is_handoff=True)
    assert registry.list_tools() == ["b", "a"]
    assert registry.list_tools(tags={"x"}) == ["b", "a"]
    assert registry.list_tools(tags={"x", "y"}) == ["b"]
    assert registry.list_tools(handoffs_only=True) == ["a"]
    assert registry.is_handoff_tool("a")
    assert not registry.is_handoff_tool("b")
    assert not registry.is_handoff_tool("c")
    assert registry.get_tool_executor("a") is echo
    assert registry.get_tool_definition("b").description == "d"
    assert [each["type"] for each in registry.get_tools_for_agent(["a", "b"])] == ["function"] * 2


@pytest.mark.parametrize(
    "lookup",
    [
        lambda registry: registry.get_tool_schema("nope"),
        lambda registry: registry.get_tool_executor("nope"),
        lambda registry: registry.get_tool_definition("nope"),
        lambda registry: registry.get_tools_for_agent(["weather", "nope"]),
    ],
)
def test_lookups_refuse_an_unknown_name(lookup: Callable[[ToolRegistry], object]) -> None:
    """An agent whose tool is left out silently cannot do its work."""
    with pytest.raises(ToolNotFoundError):
        lookup(registry_of(echo))


def test_shipped_tools_have_unique_names_and_closed_schemas() -> None:
    """Two modules once shared a name and the wrong one answered; and open schemas let ids in."""
    registry = build_registry()
    names = registry.list_tools()
    assert len(names) == len(set(names))
    assert len(set(MODULES)) == len(MODULES)
    for name in names:
        function = registry.get_tool_schema(name)
        assert function["description"]
        assert function["parameters"]["additionalProperties"] is False
        assert "session_id" not in function["parameters"]["properties"]


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        ({"a": 1}, {"success": True, "a": 1}),
        ({"success": True}, {"success": True}),
        ({"success": False}, {"success": False, "error": "tool_failed"}),
        ({"success": False, "error": "own"}, {"success": False, "error": "own"}),
        ({"success": 0}, {"success": False, "error": "tool_failed"}),
        ([1], {"success": True, "result": [1]}),
        (None, {"success": True, "result": None}),
    ],
)
async def test_execute_returns_one_convention(outcome: object, result: Json) -> None:
    """Everything that reads a result, the ledger and HTTP too, looks at ``success`` alone."""

    async def returns(arguments: Json) -> object:
        return outcome

    assert await registry_of(returns).execute("weather", {"city": "Oslo"}, context()) == result


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ToolRetryError("city is closed."), "retry", "city is closed."),
        (ToolFailedError("no weather."), "tool_failed", "no weather."),
        (ToolRefusedError("not now.", missing="mfa"), "refused:mfa", "not now."),
        (UpstreamError("host 10.0.0.7"), "tool_failed", "This is temporarily unavailable."),
        (KeyError("AccountKey=abc"), "tool_failed", "The tool failed."),
    ],
)
async def test_execute_turns_failures_into_codes(error: Exception, code: str, message: str) -> None:
    """The model acts on the code and says the message; neither may hold an internal."""

    async def fails(arguments: Json) -> None:
        raise error

    result = await registry_of(fails).execute("weather", {"city": "Oslo"}, context())
    assert result == {"success": False, "error": code, "message": message}


async def test_execute_logs_a_bug_without_its_values(caplog: pytest.LogCaptureFixture) -> None:
    """A bug must be findable, and an exception's text may quote what the caller said."""

    async def fails(arguments: Json) -> None:
        raise ValueError("Emily said 1234")

    with caplog.at_level(logging.ERROR):
        await registry_of(fails).execute("weather", {"city": "Oslo"}, context())
    (record,) = caplog.records
    assert record.message == "tool raised"
    facts = vars(record)
    assert facts["tool"] == "weather"
    assert facts["error_type"] == "ValueError"
    assert "in fails" in facts["stack"]
    assert "1234" not in record.getMessage() + str(record.exc_info) + str(record.args)


async def test_execute_refuses_a_result_that_is_no_json() -> None:
    """It would fail later, when the session is saved and the caller has heard it."""

    async def returns_object(arguments: Json) -> object:
        return {"city": object()}

    result = await registry_of(returns_object).execute("weather", {"city": "Oslo"}, context())
    assert result["error"] == "tool_failed"


async def test_execute_answers_for_an_unknown_tool() -> None:
    """Models invent tools; the turn must go on."""
    result = await ToolRegistry().execute("nope", {}, context())
    assert result["success"] is False
    assert result["error"] == "unknown_tool"


async def test_execute_ends_at_the_timeout() -> None:
    """A tool that hangs must not hold the caller's turn."""

    async def hangs(arguments: Json) -> None:
        await asyncio.Event().wait()

    registry = registry_of(hangs, policy=ToolPolicy(timeout_s=0.01))
    result = await registry.execute("weather", {"city": "Oslo"}, context())
    assert result["error"] == "tool_timeout"


async def test_execute_passes_cancellation_on() -> None:
    """A caller who has hung up must be able to end the turn."""
    started = asyncio.Event()

    async def hangs(arguments: Json) -> None:
        started.set()
        await asyncio.Event().wait()

    run = asyncio.create_task(registry_of(hangs).execute("weather", {"city": "Oslo"}, context()))
    await started.wait()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
