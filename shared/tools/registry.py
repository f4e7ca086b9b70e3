"""The tools there are, and the one way to run them.

`ToolRegistry` is the mechanism; the functions at the end are the same on a registry of the process.
Running a tool here enforces its schema and its policy. What changes the world additionally goes
through `run.py`, which runs it once per idempotency key.
"""

import asyncio
import copy
import json
import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from shared.errors import ToolNotFoundError
from shared.tools.arguments import ArgumentRules, closed_parameters
from shared.tools.context import ToolContext
from shared.tools.definition import PreparedCall, ToolDefinition
from shared.tools.embedded import sessionless_context
from shared.tools.executors import build_invoke
from shared.tools.failures import (
    TOOL_FAILED,
    DuplicateToolError,
    ToolDefinitionError,
    ToolTimeoutError,
    failure_of,
)
from shared.tools.modules import MODULES
from shared.tools.policy import ToolPolicy, check, require_confirmation
from shared.tools.registration import Executor
from shared.types import Json

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


class ToolRegistry:
    """Tools by name."""

    def __init__(self) -> None:
        self._tools: dict[str, ToolDefinition] = {}

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
        """Add one tool.

        Args:
            name: 1 to 64 letters, digits, ``_`` or ``-``; the same as ``schema["name"]``.
            schema: The OpenAI function object; undeclared arguments will be refused.
            executor: Of a shape that `executors.py` describes.
            tags: Words to find it by.
            policy: None: anyone may call it, it has no side effects and five seconds.
            is_handoff: Its result names the agent that takes over.

        Raises:
            DuplicateToolError: The name is taken.
            ToolDefinitionError: Name, schema or executor cannot work.
        """
        if name in self._tools:
            raise DuplicateToolError(f"tool '{name}' is already registered")
        if not _NAME.fullmatch(name) or schema.get("name") != name:
            raise ToolDefinitionError(
                f"tool '{name}': schema and registration must agree on a name"
            )
        try:
            parameters = closed_parameters(schema.get("parameters", {}))
            invoke = build_invoke(executor, parameters)
        except ToolDefinitionError as err:
            raise ToolDefinitionError(f"tool '{name}': {err}") from err
        copied = {**copy.deepcopy(schema), "parameters": parameters}
        rules, labels = ArgumentRules(parameters), frozenset(tags or ())
        self._tools[name] = ToolDefinition(
            name, copied, executor, labels, policy or ToolPolicy(), is_handoff, rules, invoke
        )

    def get_tool_definition(self, name: str) -> ToolDefinition:
        """The tool of that name, with a schema of the caller's own.

        Raises:
            ToolNotFoundError: There is none.
        """
        tool = self._find(name)
        return replace(tool, schema=copy.deepcopy(tool.schema))

    def find(self, name: str) -> ToolDefinition | None:
        """The tool of that name as it is kept, or None; whoever reads it changes nothing."""
        return self._tools.get(name)

    def get_tool_schema(self, name: str) -> Json:
        """A copy of the function object of that tool; raises as `get_tool_definition`."""
        return self.get_tool_definition(name).schema

    def get_tool_executor(self, name: str) -> Executor:
        """The executor of that tool, as registered; raises as `get_tool_definition`."""
        return self._find(name).executor

    def is_handoff_tool(self, name: str) -> bool:
        """Whether there is a tool of that name that hands the caller to another agent."""
        return name in self._tools and self._tools[name].is_handoff

    def list_tools(
        self, *, tags: Collection[str] | None = None, handoffs_only: bool = False
    ) -> list[str]:
        """Names of the tools that carry all of *tags*, in the order of registration."""
        wanted = frozenset(tags or ())
        return [
            tool.name
            for tool in self._tools.values()
            if wanted <= tool.tags and (tool.is_handoff or not handoffs_only)
        ]

    def get_tools_for_agent(self, names: Iterable[str]) -> list[Json]:
        """The ``tools`` of a model request; an unknown name raises ToolNotFoundError."""
        return copy.deepcopy(self.offer(names))

    def offer(self, names: Iterable[str]) -> list[Json]:
        """The same with the schemas as they are kept; whoever reads them changes nothing."""
        return [{"type": "function", "function": self._find(name).schema} for name in names]

    def prepare(self, name: str, arguments: object, context: ToolContext) -> PreparedCall:
        """Decide whether the call may be made; nothing has been done when it raises.

        Raises:
            ToolNotFoundError: No such tool.
            InvalidArgumentsError: The schema forbids it.
            ToolRefusedError: Policy forbids it.
        """
        tool = self._find(name)
        accepted = tool.rules.accept(arguments)
        check(tool.policy, accepted, context)
        if tool.policy.needs_confirmation:
            require_confirmation(name, accepted, context)
        return PreparedCall(tool, accepted)

    async def invoke(self, call: PreparedCall, context: ToolContext) -> Json:
        """Run the executor under the tool's timeout.

        Returns:
            A JSON object with a boolean ``success``; a result that is no object is its ``result``.

        Raises:
            ToolTimeoutError: It took too long; a sync executor goes on in its thread.
            Exception: Whatever the executor raised.
        """
        try:
            async with asyncio.timeout(call.tool.policy.timeout_s):
                outcome = await call.tool.invoke(call.arguments, context)
        except TimeoutError as err:
            raise ToolTimeoutError("The tool took too long.") from err
        return _as_result(outcome)

    async def execute(self, name: str, arguments: object, context: ToolContext) -> Json:
        """Run a tool, whatever comes of it.

        Returns:
            The tool's result, or ``{"success": False, "error": code, "message": sentence}`` with a
            code of `failures.py`: ``unknown_tool``, ``invalid_arguments``, ``refused:<missing>``,
            ``retry``, ``tool_timeout`` or ``tool_failed``.
        """
        known = name if name in self._tools else "(unknown)"
        try:
            return await self.invoke(self.prepare(name, arguments, context), context)
        except Exception as err:  # noqa: BLE001 - the tool runner: each failure becomes an answer
            return failure_of(err, known)

    def _find(self, name: str) -> ToolDefinition:
        tool = self._tools.get(name)
        if tool is None:
            raise ToolNotFoundError("there is no such tool")
        return tool


def _as_result(outcome: object) -> Json:
    result: Json = dict(outcome) if isinstance(outcome, dict) else {"result": outcome}
    result = {"success": True, **result}
    result["success"] = bool(result["success"])
    if not result["success"]:
        result.setdefault("error", TOOL_FAILED)
    # Results are stored and sent as JSON; one that is none must fail here, not there.
    json.dumps(result, allow_nan=False)
    return result


def build_registry() -> ToolRegistry:
    """A new registry with every tool of `MODULES`."""
    registry = ToolRegistry()
    for module in MODULES:
        module.register(registry)
    return registry


class _Process:
    """The registry of this process, and whether `MODULES` are in it."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.registry = ToolRegistry()
        self.is_initialized = False


_process = _Process()


def initialize_tools() -> int:
    """Register every tool of `MODULES` in the process's registry; the second time does nothing.

    Returns:
        How many tools there are.
    """
    if not _process.is_initialized:
        for module in MODULES:
            module.register(_process.registry)
        _process.is_initialized = True
    return len(_process.registry.list_tools())


def reset_registry() -> None:
    """Forget every tool of the process; `initialize_tools` brings the shipped ones back."""
    _process.reset()


def register_tool(
    name: str,
    schema: Json,
    executor: Executor,
    *,
    tags: Collection[str] | None = None,
    policy: ToolPolicy | None = None,
    is_handoff: bool = False,
) -> None:
    """Add one tool to the process's registry; see `ToolRegistry.register`."""
    _process.registry.register(
        name, schema, executor, tags=tags, policy=policy, is_handoff=is_handoff
    )


def get_tool_schema(name: str) -> Json:
    """See `ToolRegistry.get_tool_schema`."""
    return _process.registry.get_tool_schema(name)


def get_tool_executor(name: str) -> Executor:
    """See `ToolRegistry.get_tool_executor`."""
    return _process.registry.get_tool_executor(name)


def is_handoff_tool(name: str) -> bool:
    """See `ToolRegistry.is_handoff_tool`."""
    return _process.registry.is_handoff_tool(name)


def list_tools(*, tags: Collection[str] | None = None, handoffs_only: bool = False) -> list[str]:
    """See `ToolRegistry.list_tools`."""
    return _process.registry.list_tools(tags=tags, handoffs_only=handoffs_only)


def get_tools_for_agent(names: Iterable[str]) -> list[Json]:
    """See `ToolRegistry.get_tools_for_agent`."""
    return _process.registry.get_tools_for_agent(names)


async def execute_tool(name: str, arguments: Json, context: ToolContext | None = None) -> Json:
    """See `ToolRegistry.execute`.

    Without *context* the call belongs to no session, so whatever needs an identified caller is
    refused, and so is what needs the records of the bank.
    """
    return await _process.registry.execute(name, arguments, context or sessionless_context())
