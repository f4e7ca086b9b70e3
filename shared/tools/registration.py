"""The door through which a module brings its tools in."""

from collections.abc import Callable, Collection
from typing import Protocol

from shared.tools.policy import ToolPolicy
from shared.types import Json

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
