"""What the registry keeps of a tool, and a call that it has let through."""

from dataclasses import dataclass, field

from shared.tools.arguments import ArgumentRules
from shared.tools.executors import Invoke
from shared.tools.policy import ToolPolicy
from shared.tools.registration import Executor
from shared.types import Json


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """One tool, ready to run."""

    name: str
    schema: Json
    """The OpenAI function object: ``name``, ``description``, ``parameters``."""
    executor: Executor
    tags: frozenset[str]
    policy: ToolPolicy
    is_handoff: bool
    rules: ArgumentRules = field(repr=False)
    invoke: Invoke = field(repr=False)

    @property
    def description(self) -> str:
        """What the model is told about it."""
        return str(self.schema.get("description", ""))


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """A call that may be made: the tool exists, the arguments are valid, policy allows it."""

    tool: ToolDefinition
    arguments: Json = field(repr=False)
