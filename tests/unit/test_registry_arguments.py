"""Arguments as models write them: mended, or refused without repeating a value."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.tools.registry import ToolRegistry
from shared.types import Json
from tests.unit.tool_fakes import PARAMETERS, context, echo, registry_of, weather_schema


async def got(arguments: object) -> Any:
    """What the executor saw for *arguments*."""
    return (await registry_of(echo).execute("weather", arguments, context()))["got"]


async def refusal(arguments: object) -> str:
    """The message for arguments that are refused."""
    result = await registry_of(echo).execute("weather", arguments, context())
    assert result["success"] is False
    assert result["error"] == "invalid_arguments"
    return str(result["message"])


async def test_execute_mends_harmless_differences() -> None:
    """Models write numbers as text and null for nothing; asking again would cost time."""
    assert await got(
        {
            "city": " Oslo ",
            "days": "5",
            "limit": "2.5",
            "is_loud": "True",
            "tags": [" a "],
            "where": {"floor": "2"},
        }
    ) == {
        "city": "Oslo",
        "days": 5,
        "limit": 2.5,
        "is_loud": True,
        "tags": ["a"],
        "where": {"floor": 2},
    }
    assert await got({"city": "Oslo", "days": None, "limit": None}) == {"city": "Oslo", "days": 3}
    assert await got({"city": "Oslo", "days": 2.0, "limit": "7"}) == {
        "city": "Oslo",
        "days": 2,
        "limit": 7,
    }


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "include city"),
        ({"city": None}, "include city"),
        ({"city": "Atlantis"}, "city must be one of Oslo, Rome"),
        ({"city": 7}, "city must be of type string"),
        ({"city": "Oslo", "days": "many"}, "days must be of type integer"),
        ({"city": "Oslo", "days": 0}, "days must be at least 1"),
        ({"city": "Oslo", "days": 2.5}, "days must be of type integer"),
        ({"city": "Oslo", "days": True}, "days must be of type integer"),
        ({"city": "Oslo", "limit": -1}, "limit must be greater than 0"),
        ({"city": "Oslo", "limit": 1e9}, "limit must be at most 100"),
        ({"city": "Oslo", "limit": float("nan")}, "limit must be a finite number"),
        ({"city": "Oslo", "limit": float("inf")}, "limit must be a finite number"),
        ({"city": "Oslo", "limit": "nan"}, "limit must be of type number"),
        ({"city": "Oslo", "tags": ["a", "b", "c"]}, "tags must have at most 2 items"),
        ({"city": "Oslo", "tags": [float("nan")]}, "tags must be a finite number"),
        ({"city": "Oslo", "where": {"roof": 1}}, "where may only include floor"),
        ({"city": "Oslo", "_session_profile": {}}, "may only include city, days"),
        ("Oslo", "one JSON object"),
        (None, "one JSON object"),
    ],
)
async def test_execute_refuses_what_the_schema_forbids(arguments: object, says: str) -> None:
    """The executor may rely on the schema, and the model learns which field to mend."""
    assert says in await refusal(arguments)


@settings(deadline=None)  # the machine may be busy
@given(secret=st.text(alphabet="qxz", min_size=6, max_size=12))
async def test_execute_never_repeats_a_value(secret: str) -> None:
    """What the caller said, wherever the model put it, must not come back in an error text."""
    for arguments in (
        {"city": secret},
        {"city": "Oslo", "days": secret},
        {"city": "Oslo", secret: 1},
        {"city": "Oslo", "where": {secret: secret}},
        {"city": "Oslo", "where": {"floor": secret}},
    ):
        assert secret not in await refusal(arguments)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None)  # the machine may be busy
@given(arguments=st.dictionaries(st.sampled_from([*PARAMETERS["properties"], "other"]), JSON))
async def test_execute_is_total(arguments: Json) -> None:
    """Whatever JSON the model writes, there is an answer with a code, and it is never a bug."""
    result = await registry_of(echo).execute("weather", arguments, context())
    assert result["success"] is True or result["error"] == "invalid_arguments"


async def test_execute_gives_each_run_its_own_defaults() -> None:
    """An executor that changes its arguments must not change the next call's."""
    registry = ToolRegistry()
    parameters = {"type": "object", "properties": {"a": {"type": "array", "default": []}}}

    async def spoil(arguments: Json) -> int:
        arguments["a"].append(1)
        return len(arguments["a"])

    registry.register("spoil", weather_schema("spoil", parameters), spoil)
    for _ in range(2):
        assert (await registry.execute("spoil", {}, context()))["result"] == 1
