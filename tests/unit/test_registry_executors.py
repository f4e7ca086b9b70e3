"""The shapes an executor may have."""

import functools
import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import BaseModel

from shared.tools.context import ToolContext
from shared.tools.failures import (
    ToolDefinitionError,
)
from shared.types import Json
from tests.unit.tool_fakes import context, registry_of


class Weather(BaseModel):
    """The arguments as a model."""

    city: str
    days: int = 1
    limit: float = 1.0
    is_loud: bool = False
    tags: list[str] = []
    where: dict[str, int] = {}


class AsyncObject:
    """Callable, and async only inside."""

    async def __call__(self, arguments: Json) -> str:
        """The city."""
        return str(arguments["city"])


async def takes_nothing() -> str:
    """No parameters."""
    return "Oslo"


async def takes_context(arguments: Json, context: ToolContext) -> str:
    """The arguments and the context, by name."""
    assert context.session_id is not None
    return str(arguments["city"])


async def takes_annotated(who: ToolContext, what: dict[str, Any]) -> str:
    """The context first, and under another name."""
    assert who.session_id is not None
    return str(what["city"])


async def takes_keywords(
    city: str,
    days: int,
    limit: float = 1,
    *,
    is_loud: bool = False,
    tags: tuple[str, ...] = (),
    where: Json | None = None,
    context: ToolContext,
) -> str:
    """Every property by keyword."""
    assert context.session_id is not None
    assert days == 3
    assert (limit, is_loud, tags, where) == (1, False, (), None)
    return city


async def takes_rest(city: str, **rest: object) -> str:
    """One property by name, the others together."""
    assert rest == {"days": 3}
    return city


async def takes_model(request: Weather) -> str:
    """A Pydantic model."""
    assert request.days == 3
    return request.city


def takes_positional(arguments: Json, context: ToolContext, /) -> str:
    """Positional only, and sync."""
    assert context.session_id is not None
    return str(arguments["city"])


async def takes_prefix(prefix: str, arguments: Json, *, suffix: str = "") -> str:
    """More than the schema knows; a partial fills it in."""
    return f"{prefix}{arguments['city']}{suffix}"


async def takes_all_named_alike(city: dict[str, Any]) -> str:
    """All arguments in a parameter that is called like one of them; the annotation decides."""
    return str(city["city"])


def returns_awaitable(arguments: Json) -> object:
    """Sync on the outside, a coroutine to await inside."""
    return AsyncObject()(arguments)


EXECUTORS: list[Callable[..., object]] = [
    takes_nothing,
    takes_context,
    takes_annotated,
    takes_keywords,
    takes_rest,
    takes_model,
    takes_positional,
    AsyncObject(),
    AsyncObject().__call__,
    functools.partial(AsyncObject()),
    functools.partial(takes_prefix, ""),
    functools.partial(takes_prefix, "", suffix=""),
    returns_awaitable,
    takes_all_named_alike,
    lambda args: args["city"],
    lambda **rest: rest["city"],
]


@pytest.mark.parametrize("executor", EXECUTORS)
async def test_execute_calls_every_shape_of_executor(executor: Callable[..., object]) -> None:
    """A shape that is called wrongly, or whose coroutine is not awaited, fails in a call."""
    result = await registry_of(executor).execute("weather", {"city": "Oslo"}, context())
    assert result == {"success": True, "result": "Oslo"}


async def missing_default(city: str, limit: float, **rest: object) -> None:
    """Wants what the schema does not promise."""


async def unknown_parameter(city: str, colour: str) -> None:
    """Wants what the schema does not have."""


async def ignores_properties(city: str, days: int) -> None:
    """Takes two of six properties."""


async def positional_properties(city: str, days: int, /, **rest: object) -> None:
    """Cannot be called by keyword."""


@pytest.mark.parametrize(
    "executor",
    [missing_default, unknown_parameter, ignores_properties, positional_properties, "text"],
)
def test_register_refuses_an_executor_that_does_not_fit(executor: Any) -> None:
    """The mismatch is found at start-up, not when the model first uses the property."""
    with pytest.raises(ToolDefinitionError, match="weather"):
        registry_of(executor)


async def test_execute_goes_by_names_where_annotations_cannot_be_read() -> None:
    """An annotation imported for type checkers only must not keep a tool out."""

    async def annotated(arguments: "Missing", context: "Missing") -> str:  # type: ignore[name-defined]  # noqa: F821
        assert isinstance(context, ToolContext)
        return str(arguments["city"])

    result = await registry_of(annotated).execute("weather", {"city": "Oslo"}, context())
    assert result["result"] == "Oslo"


def test_register_refuses_an_executor_whose_parameters_nobody_can_tell() -> None:
    """Guessing how to call it would fail in a call."""
    with pytest.raises(ToolDefinitionError, match="no readable signature"):
        registry_of(dict)


async def test_execute_runs_sync_executors_off_the_loop() -> None:
    """A blocking tool would stop every call of the instance."""
    threads: list[threading.Thread] = []

    def record(arguments: Json) -> None:
        threads.append(threading.current_thread())

    await registry_of(record).execute("weather", {"city": "Oslo"}, context())
    assert threads
    assert threads[0] is not threading.main_thread()


async def test_execute_reports_what_a_model_refuses_without_values() -> None:
    """A Pydantic error quotes its input; the model's answer must name the field only."""

    class Strict(BaseModel):
        city: str
        days: bool

    async def strict(request: Strict) -> None: ...

    result = await registry_of(strict).execute("weather", {"city": "Oslo", "days": 77}, context())
    assert result["error"] == "invalid_arguments"
    assert "days" in result["message"]
    assert "77" not in result["message"]
