"""The same filter for structures: keys say what stands under them."""

import json
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.telemetry.redaction import redact_value


class _Colour(StrEnum):
    RED = "red"


class _Unprintable:
    def __str__(self) -> str:
        raise RuntimeError("call +14155550100")


@pytest.mark.parametrize(
    "key",
    [
        "caller_name",
        "full_name",
        "fullName",
        "customer.name",
        "FirstName",
        "surname",
        "client_name",
    ],
)
def test_redact_value_takes_names_out_by_their_key(key: str) -> None:
    """In running text a name cannot be told from a word; a key can."""
    assert redact_value({key: "Ann Miller"}) == {key: "[name]"}


@pytest.mark.parametrize(
    ("key", "value", "left"),
    [
        ("pin", "0000", "[code]"),
        ("pin", 1234, "[code]"),
        ("otp", "a1b2c3", "[code]"),
        ("mfa_code", 482913, "[code]"),
        ("code", "482913", "[code]"),
        ("code", 482913, "[code]"),
        ("ssn_last4", "6789", "[ssn]"),
        ("ssn", 123456789, "[ssn]"),
        ("phone", 4155550100, "[phone]"),
        ("phoneNumber", "612345678", "[phone]"),
        ("email", "who knows", "[email]"),
        ("card", 4111111111111111, "[card]"),
        ("api_key", "sk-123", "[secret]"),
        ("connection_string", "InstrumentationKey=1", "[secret]"),
        ("password", ["a", "b"], "[secret]"),
        ("date_of_birth", "1980-02-03", "[birth]"),
    ],
)
def test_redact_value_knows_what_stands_under_a_key(key: str, value: object, left: str) -> None:
    """Bare digits say nothing; the key does."""
    assert redact_value({"a": [{key: value}]}) == {"a": [{key: left}]}


@pytest.mark.parametrize(
    "facts",
    [
        {"llm.tokens.prompt": 1234567, "gen_ai.usage.output_tokens": 4155550100},
        {"e": "x", "author": "y", "name": "lookup_account", "agent_name": "concierge"},
        {"code": "upstream_timeout", "status_code": 1006, "error_code": "40001"},
        {"order_id": "4155550100", "started_ms": 1764286775123, "used_memory": 4155550100},
        {"session_id": "0193f4c2-1111-7222-8333-444455556666", "port": 6380, "is_pin": True},
        {"pin": "", "otp": None, "share": 0.4155550100, "tools": ["a", "b"], "nothing": {}},
    ],
)
def test_redact_value_leaves_facts_alone(facts: dict[str, Any]) -> None:
    """Keys are compared word by word: what only contains a listed one is something else."""
    assert redact_value(facts) == facts


def test_redact_value_reaches_into_structures_and_their_keys() -> None:
    """A number may be the key of a table as well."""
    assert redact_value({"+14155550100": ({"to": "+442079460958"},)}) == {
        "[phone]": [{"to": "[phone]"}]
    }


def test_redact_value_describes_what_is_not_json() -> None:
    """A strange object must not cost the whole line."""
    circle: list[Any] = []
    circle.append(circle)
    odd = {
        "a": {1},
        "b": _Unprintable(),
        "c": float("nan"),
        "d": circle,
        "e": _Colour.RED,
        "f": object,
        3: b"x",
    }
    left = redact_value(odd)
    assert json.loads(json.dumps(left, allow_nan=False)) == left
    assert left["a"] == "{1}"
    assert left["b"] == "<_Unprintable>"
    assert left["c"] == "nan"
    assert left["e"] == "red"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8) | st.integers(), inner),
    max_leaves=20,
)


@given(VALUES)
def test_redact_value_always_gives_json(value: object) -> None:
    """Whatever goes in can be written down."""
    written = json.dumps(redact_value(value, "x"), allow_nan=False)
    assert isinstance(json.loads(written), dict) == isinstance(value, dict)
