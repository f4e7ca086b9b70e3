"""A scenario: which agents work together, how they pass callers on, and who answers which number.

The agents a scenario picks are copies of its own: what it changes, no other scenario sees.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from shared.agent.checks import (
    ToolCatalog,
    check_edges,
    check_mentions,
    check_templates,
    check_tools,
    unreachable,
)
from shared.agent.definition import AgentDefinition, HandoffEdge
from shared.agent.fields import Fields, read_mapping
from shared.agent.loader import DEFINITIONS, STYLES, load_agents
from shared.speech.voices import Voice
from shared.types import AgentName, ToolName

SCENARIOS = Path(__file__).with_name("scenarios")

_NUMBER = re.compile(r"\+[1-9][0-9]{1,14}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """Agents that work together."""

    agents: Mapping[AgentName, AgentDefinition]
    """The entry agent first."""
    entry: AgentName
    """Who answers chats, and every number that is not in ``numbers``."""
    numbers: Mapping[str, AgentName]
    """Called number, as ``+15551230000``, to the agent that answers it."""

    @property
    def entry_agent(self) -> AgentDefinition:
        """The agent that answers where nothing else is said."""
        return self.agents[self.entry]

    def agent_for(self, number: str | None) -> AgentName:
        """Who answers when *number* is called."""
        return self.numbers.get(number or "", self.entry)


def load_scenario(
    scenario: str, tools: ToolCatalog, *, definitions: Path = DEFINITIONS
) -> Scenario:
    """Read a scenario and the agents it picks.

    Args:
        scenario: The name of a shipped one, or the path of a file that ends in ``.yaml``.
        tools: The registered tools.
        definitions: The folder of the agents.

    Raises:
        AgentDefinitionError: Names the file and the field.
    """
    path = Path(scenario) if scenario.endswith(".yaml") else SCENARIOS / f"{scenario}.yaml"
    file = Fields(path.name, read_mapping(path))
    agents = _picked(file, load_agents(definitions, tools))
    _override(agents, file.section("overrides"))
    _connect(agents, file, tools)
    entry = _agent_in(file, "entry", agents)
    numbers = dict(_numbers(file.section("numbers"), agents))
    file.done()
    for name in unreachable(agents, [entry, *numbers.values()]):
        raise file.error("agents", f"holds {name}, whom no handoff reaches")
    return Scenario({entry: agents[entry], **agents}, entry, numbers)


def _picked(
    file: Fields, defined: Mapping[AgentName, AgentDefinition]
) -> dict[AgentName, AgentDefinition]:
    """The agents of the scenario; handoffs to others are left out with them."""
    names = [AgentName(name) for name in file.texts("agents", at_least=1)]
    for index, name in enumerate(names):
        if name not in defined:
            raise file.error("agents", f"names no agent: {name}")
        if name in names[:index]:
            raise file.error("agents", f"names {name} twice")
    return {
        name: defined[name].with_handoffs(
            tuple(edge for edge in defined[name].handoffs if edge.to in names)
        )
        for name in names
    }


def _agent_in(file: Fields, field: str, agents: Mapping[AgentName, AgentDefinition]) -> AgentName:
    name = AgentName(file.text(field))
    if name not in agents:
        raise file.error(field, f"names no agent of the scenario: {name}")
    return name


def _numbers(
    section: Fields, agents: Mapping[AgentName, AgentDefinition]
) -> Iterator[tuple[str, AgentName]]:
    for number in section.names():
        if not _NUMBER.fullmatch(number):
            raise section.error(number, "must be a number like +15551230000")
        yield number, _agent_in(section, number, agents)


def _override(agents: dict[AgentName, AgentDefinition], section: Fields) -> None:
    for text in section.names():
        name, fields = AgentName(text), section.section(text)
        if name not in agents:
            raise section.error(text, "names no agent of the scenario")
        agents[name] = replace(agents[name], **_changes(agents[name], fields))
        fields.done()
        check_templates(agents[name], fields)


def _changes(agent: AgentDefinition, fields: Fields) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for name in ("greeting", "return_greeting"):
        if (text := fields.optional_text(name)) is not None:
            changes[name] = text
    section = fields.section("voice")
    voice = {one.name: section.optional_text(one.name) for one in fields_of(Voice)}
    section.done()
    given = {name: value for name, value in voice.items() if value is not None}
    return {**changes, "voice": replace(agent.voice, **given)} if given else changes


def _connect(agents: dict[AgentName, AgentDefinition], file: Fields, tools: ToolCatalog) -> None:
    """Change the handoffs that the scenario names, and add those that are new."""
    for fields in file.sections("handoffs"):
        name, to = _agent_in(fields, "from", agents), _agent_in(fields, "to", agents)
        agent = agents[name]
        before = next((edge for edge in agent.handoffs if edge.to == to), None)
        edge = _edge(fields, to, before)
        fields.done()
        kept = tuple(edge if one is before else one for one in agent.handoffs)
        agents[name] = agent.with_handoffs(kept if before else (*kept, edge))
    for name, agent in agents.items():
        changed = Fields(file.file, {}, f"agents.{name}.")
        check_tools(agent, changed, tools)
        check_edges(agent, changed, agents)
        check_mentions(agent, changed, tools)


def _edge(fields: Fields, to: AgentName, before: HandoffEdge | None) -> HandoffEdge:
    if before is None:
        before = HandoffEdge(ToolName(fields.text("tool")), to, fields.text("when"))
    style = STYLES[0] if before.is_announced else STYLES[1]
    return HandoffEdge(
        tool=ToolName(fields.optional_text("tool") or before.tool),
        to=to,
        when=fields.optional_text("when") or before.when,
        is_announced=fields.choice("style", STYLES, default=style) == "announced",
        shares_context=fields.flag("share_context", default=before.shares_context),
    )
