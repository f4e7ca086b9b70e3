"""How the model can be told to misbehave: a queue of faults, one for each request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args
from typing import Literal as OneOf

Kind = OneOf[
    "throttle",
    "error",
    "slow",
    "hang",
    "cut",
    "malformed",
    "filter_request",
    "filter_reply",
    "unknown_tool",
    "broken_arguments",
    "empty",
    "short_vector",
]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for one request to go wrong.

    ``throttle`` answers 429, ``error`` answers ``status``, ``slow`` delays the first token,
    ``hang`` never goes on, ``cut`` drops the connection, ``malformed`` sends half a chunk,
    ``filter_request`` answers 400 content_filter, ``filter_reply`` ends the reply early with that
    finish reason, ``unknown_tool`` calls a tool nobody offered, ``broken_arguments`` calls one
    with half a JSON object, ``empty`` says and calls nothing (or gives no vectors),
    ``short_vector`` leaves out the last number of every vector.
    """

    kind: Kind
    retry_after_ms: int | None = None
    """``throttle``: what the header of that name says; None leaves it out."""
    status: int = 500
    """``error``: the HTTP status."""
    first_token_ms: float = 3000.0
    """``slow``: the delay."""
    after_tokens: int | None = None
    """``hang``, ``cut``, ``malformed``: how many pieces of text come first; None: not even the
    headers (``hang``, ``cut``), one piece (``malformed``)."""
    data: str = '{"id": "chatcmpl-0", "choices": [{"del'
    """``malformed``: what comes instead of the next chunk, on one line."""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Fault":
        """Read a fault from a JSON object whose keys are the fields.

        Raises:
            ValueError: It has an unknown kind or field.
        """
        known: set[str] = set(cls.__dataclass_fields__)
        if unknown := sorted(data.keys() - known):
            raise ValueError(f"unknown fields: {', '.join(unknown)}")
        if data.get("kind") not in KINDS:
            raise ValueError(f"kind is none of {', '.join(KINDS)}")
        return cls(**data)
