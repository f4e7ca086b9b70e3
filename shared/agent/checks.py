"""What must hold of agents before a caller meets one; raises AgentDefinitionError."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Protocol

from shared.agent.definition import (
    GREETING_VARIABLES,
    LINE_NAMES,
    LINE_VARIABLES,
    PROMPT_VARIABLES,
    AgentDefinition,
)
from shared.agent.fields import Fields
from shared.agent.prompting import edge_variables
from shared.agent.templates import TemplateInvalidError, render, variables_of
from shared.tools.handoffs import ANY_AGENT_TOOL
from shared.types import AgentName, Json

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_WORD = re.compile(r"[A-Za-z0-9_]+")


class ToolCatalog(Protocol):
    """Knows which tools there are; the registry is one."""

    def list_tools(self) -> list[str]:
        """Their names."""
        ...

    def is_handoff_tool(self, name: str) -> bool:
        """Whether a tool passes the caller to another agent."""
        ...


def check_tools(agent: AgentDefinition, fields: Fields, tools: ToolCatalog) -> None:
    """Refuse a name that cannot stand in a prompt, unknown tools, and handoffs without an edge."""
    if not _NAME.fullmatch(agent.name):
        raise fields.error("name", "must be lower-case letters, digits and underscores")
    known = set(tools.list_tools())
    leading = {edge.tool for edge in agent.handoffs}
    for tool in agent.tools:
        field = "handoffs" if tool in leading else "tools"
        if tool not in known:
            raise fields.error(field, f"names no tool: {tool}")
        if tools.is_handoff_tool(tool) and tool not in leading:
            raise fields.error("tools", f"holds {tool}, which belongs to handoffs")
        if tool in leading and not tools.is_handoff_tool(tool):
            raise fields.error("handoffs", f"holds {tool}, which passes the caller to no agent")


def check_edges(agent: AgentDefinition, fields: Fields, agents: Collection[AgentName]) -> None:
    """Refuse edges to nobody, two edges to one agent, and tools that lead to two agents."""
    targets: set[AgentName] = set()
    leading: set[str] = set()
    for edge in agent.handoffs:
        if edge.to not in agents or edge.to == agent.name:
            raise fields.error("handoffs", f"leads to no other agent: {edge.to}")
        if edge.to in targets:
            raise fields.error("handoffs", f"leads to {edge.to} twice")
        if edge.tool in leading and edge.tool != ANY_AGENT_TOOL:
            raise fields.error("handoffs", f"leads {edge.tool} to two agents")
        targets.add(edge.to)
        leading.add(edge.tool)


def unreachable(
    agents: Mapping[AgentName, AgentDefinition], entries: Collection[AgentName]
) -> list[AgentName]:
    """The agents that no chain of handoffs reaches from any of *entries*, in order."""
    reached, waiting = set(entries), list(entries)
    while waiting:
        further = {edge.to for edge in agents[waiting.pop()].handoffs} - reached
        reached |= further
        waiting.extend(further)
    return [name for name in agents if name not in reached]


def check_templates(agent: AgentDefinition, fields: Fields) -> None:
    """Refuse templates that are broken or use what they will not be given."""
    for field, template, allowed in _templates(agent):
        try:
            unknown = sorted(variables_of(template) - allowed)
            if unknown:
                raise fields.error(field, f"uses unknown variables: {', '.join(unknown)}")
            for situation in _situations(agent):
                # Conditions hide parts of a template, so it is tried in each kind of call.
                if not render(template, situation):
                    raise fields.error(field, "says nothing in some calls")
        except TemplateInvalidError as err:
            raise fields.error(field, f"is no valid template: {err}") from err


def check_mentions(agent: AgentDefinition, fields: Fields, tools: ToolCatalog) -> None:
    """Refuse a prompt that sends the model to a tool which the agent does not have."""
    others = set(tools.list_tools()) - set(agent.tools)
    for situation in _situations(agent):
        wrong = sorted(others & set(_WORD.findall(render(agent.prompt, situation))))
        if wrong:
            raise fields.error("prompt", f"names tools it does not have: {', '.join(wrong)}")


def _templates(agent: AgentDefinition) -> Iterator[tuple[str, str, frozenset[str]]]:
    yield "prompt", agent.prompt, PROMPT_VARIABLES
    yield "greeting", agent.greeting, GREETING_VARIABLES
    yield "return_greeting", agent.return_greeting, GREETING_VARIABLES
    lines = agent.lines
    for name in LINE_NAMES:
        yield f"lines.{name}", getattr(lines, name), LINE_VARIABLES
    for line in lines.reprompts:
        yield "lines.reprompts", line, LINE_VARIABLES
    for line in lines.fillers:
        yield "lines.fillers", line, frozenset()


def _situations(agent: AgentDefinition) -> Iterator[Json]:
    stranger: Json = {
        "agent_name": agent.name,
        "caller_name": None,
        "is_authenticated": False,
        "is_continued": False,
        "client_id": None,
        "channel": "phone",
        "handoff": None,
        "handoffs": edge_variables(agent),
        "tools": list(agent.tools),
        "today": "Monday, 06 January 2025",
        "reason": "",
    }
    customer = {"caller_name": "A", "is_authenticated": True, "client_id": "B", "reason": "C"}
    handed: Json = {"from_agent": "D", "reason": None, "summary": None}
    told = {**handed, "reason": "F", "summary": "G", "details": {"H": "I", "J": False}}
    yield stranger
    yield stranger | customer
    yield stranger | {"channel": "chat", "handoff": {**handed, "details": {}}, "is_continued": True}
    yield stranger | customer | {"handoff": told, "is_continued": True}
