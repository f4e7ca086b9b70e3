"""What must hold of agents before a caller meets one; raises AgentDefinitionError."""

import re
from collections.abc import Collection, Iterator, Mapping

from shared.agent.definition import LINE_NAMES, LINE_VARIABLES, PROMPT_VARIABLES, AgentDefinition
from shared.agent.fields import AgentDefinitionError, Fields
from shared.agent.templates import TemplateInvalidError, render, variables_of
from shared.types import AgentName, Json

_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")


def check_names(agent: AgentDefinition, fields: Fields, known_tools: Collection[str]) -> None:
    """Refuse a name that cannot stand in a prompt, unknown tools, and handoffs to two agents."""
    if not _NAME.fullmatch(agent.name):
        raise fields.error("name", "must be lower-case letters, digits and underscores")
    leading = [edge.tool for edge in agent.handoffs]
    for tool in agent.tools:
        if tool not in known_tools:
            raise fields.error("handoffs" if tool in leading else "tools", f"names no tool: {tool}")
        if tool.startswith("handoff_") and tool not in leading:
            raise fields.error("tools", f"holds {tool}, which belongs to handoffs")
    for index, tool in enumerate(leading):
        if tool in leading[:index]:
            raise fields.error("handoffs", f"leads {tool} to two agents")


def check_graph(
    agents: Mapping[AgentName, AgentDefinition], files: Mapping[AgentName, str]
) -> None:
    """Refuse a folder without one entry, with handoffs to nobody, or with unreachable agents."""
    entries = [agent.name for agent in agents.values() if agent.is_entry]
    if len(entries) != 1:
        raise AgentDefinitionError("entry must be true in exactly one file")
    for agent in agents.values():
        for edge in agent.handoffs:
            if edge.to not in agents or edge.to == agent.name:
                raise AgentDefinitionError(
                    f"{files[agent.name]}: handoffs leads to no other agent: {edge.to}"
                )
    reached, waiting = set(entries), list(entries)
    while waiting:
        further = {edge.to for edge in agents[waiting.pop()].handoffs} - reached
        reached |= further
        waiting.extend(further)
    for name in agents:
        if name not in reached:
            raise AgentDefinitionError(f"{files[name]}: name is reached by no handoff")


def check_templates(agent: AgentDefinition, fields: Fields) -> None:
    """Refuse templates that are broken or use what they will not be given."""
    for field, template, allowed in _templates(agent):
        try:
            unknown = sorted(variables_of(template) - allowed)
            if unknown:
                raise fields.error(field, f"uses unknown variables: {', '.join(unknown)}")
            for situation in _situations(agent):
                # Conditions hide parts of a template, so it is tried in each kind of call.
                render(template, situation)
        except TemplateInvalidError as err:
            raise fields.error(field, f"is no valid template: {err}") from err


def _templates(agent: AgentDefinition) -> Iterator[tuple[str, str, frozenset[str]]]:
    yield "prompt", agent.prompt, PROMPT_VARIABLES
    yield "greeting", agent.greeting, LINE_VARIABLES
    yield "return_greeting", agent.return_greeting, LINE_VARIABLES
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
        "client_id": None,
        "channel": "phone",
        "handoff": None,
        "today": "Monday, 06 January 2025",
        "reason": "",
    }
    customer = {"caller_name": "A", "is_authenticated": True, "client_id": "B", "reason": "C"}
    handed = {"from_agent": "D", "caller_said": "E"}
    yield stranger
    yield stranger | customer
    yield stranger | {"channel": "chat", "handoff": handed}
    yield stranger | customer | {"handoff": {**handed, "reason": "F", "summary": "G"}}
