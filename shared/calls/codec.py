"""Events, commands and states as JSON objects, and back.

An object is its fields plus ``kind``, the name of its class; fields that hold their default are
left out. Enums travel as their text.
"""

from dataclasses import is_dataclass
from functools import cache
from typing import Any, cast

from pydantic import TypeAdapter, ValidationError

from shared.calls import commands, events
from shared.calls.state import CallState
from shared.state.codec import DamagedStateError
from shared.types import Json

_KINDS: dict[str, type] = {
    name: kind
    for module in (events, commands)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and is_dataclass(kind)
} | {CallState.__name__: CallState}


def encode(value: events.Event | commands.Command | CallState) -> Json:
    """The JSON object for *value*."""
    kind = type(value).__name__
    adapter = _adapter(kind)
    return {"kind": kind, **adapter.dump_python(value, mode="json", exclude_defaults=True)}


def decode_command(value: Json) -> commands.Command:
    """The command that *value* was made from."""
    return cast("commands.Command", _decode(value))


def decode_event(value: Json) -> events.Event:
    """The event that *value* was made from."""
    return cast("events.Event", _decode(value))


def decode_state(value: Json) -> CallState:
    """The state that *value* was made from."""
    return cast("CallState", _decode(value))


def trace_parent_of(call: Json | None) -> str:
    """The trace that a state names, whether or not it can be read otherwise; empty for none."""
    return str((call or {}).get("trace_parent", ""))


def _decode(value: Json) -> Any:
    fields = {name: field for name, field in value.items() if name != "kind"}
    try:
        return _adapter(value["kind"]).validate_python(fields)
    except (KeyError, ValidationError):
        # What newer code wrote, or nobody; the errors' own texts would quote what was said.
        raise DamagedStateError("session state: cannot be read by this version") from None


@cache
def _adapter(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(_KINDS[kind])
