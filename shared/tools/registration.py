"""The door through which a module brings its tools in."""

from collections.abc import Callable, Collection
from typing import Protocol

from shared.tools.policy import ToolPolicy
from shared.types import Json

DATA_SOURCE = "cosmos"
"""Where the records of a result were read; nothing is ever read from anywhere else."""

CLIENT_ID_PROPERTY: Json = {
    "type": "string",
    "description": "May be left out: the verified caller's own records are used in any case.",
}

DEPARTMENT: Json = {
    "type": "string",
    "enum": ["general", "fraud", "loans", "investments", "complaints", "retention"],
    "default": "general",
}

REASON: Json = {"type": "string", "minLength": 1, "maxLength": 500}

ID_PATTERN = "^[A-Za-z0-9._-]{1,64}$"
"""Of JSON Schema, for what names a document."""

Executor = Callable[..., object]
"""Does the work of a tool; what it may look like is decided in `executors.py`."""


class ToolRegistrar(Protocol):
    """Takes the tools of a module; `ToolRegistry` is one."""

    def register(
        self,
        name: str,
        schema: Json,
        executor: Executor,
        *,
        tags: Collection[str] | None = None,
        policy: ToolPolicy | None = None,
        is_handoff: bool = False,
    ) -> None:
        """Add one tool; a name that is taken raises."""
        ...
