"""The agents: who they are, what they say without a model, and what they may do.

Each ``*.yaml`` of the folder is one agent, laid over ``_defaults.yaml``. Everything that could go
wrong in the middle of a call is checked when they are loaded: tools, handoffs, templates.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

from shared.agent.checks import check_graph, check_names, check_templates
from shared.agent.definition import (
    LINE_NAMES,
    AgentDefinition,
    AgentLines,
    AgentModel,
    HandoffEdge,
)
from shared.agent.fields import AgentDefinitionError, Fields, merged, read_mapping
from shared.agent.templates import render
from shared.speech.voices import Voice
from shared.types import AgentName, ToolName

__all__ = [
    "DEFINITIONS",
    "AgentDefinition",
    "AgentDefinitionError",
    "AgentLines",
    "AgentModel",
    "HandoffEdge",
    "entry_agent",
    "load_agents",
    "render_line",
    "render_prompt",
]

DEFINITIONS = Path(__file__).with_name("definitions")


def load_agents(folder: Path, known_tools: Collection[str]) -> dict[AgentName, AgentDefinition]:
    """The agents defined in *folder*, the entry agent first.

    Args:
        folder: Holds ``_defaults.yaml`` and one file for each agent; see `DEFINITIONS`.
        known_tools: Names of the registered tools.

    Raises:
        AgentDefinitionError: Names the file and the field.
    """
    defaults = read_mapping(folder / "_defaults.yaml")
    agents: dict[AgentName, AgentDefinition] = {}
    files: dict[AgentName, str] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name.startswith(("_", ".")):
            continue
        fields = Fields(path.name, merged(defaults, read_mapping(path)))
        agent = _read_agent(fields)
        if agent.name in agents:
            raise fields.error("name", f"is taken by {files[agent.name]}")
        check_names(agent, fields, known_tools)
        check_templates(agent, fields)
        agents[agent.name], files[agent.name] = agent, path.name
    check_graph(agents, files)
    first = entry_agent(agents)
    return {first.name: first, **agents}


def entry_agent(agents: Mapping[AgentName, AgentDefinition]) -> AgentDefinition:
    """The agent that answers a call."""
    return next(agent for agent in agents.values() if agent.is_entry)


def render_prompt(agent: AgentDefinition, variables: Mapping[str, object]) -> str:
    """The agent's system message; its first line is ``Agent: <name>``.

    Args:
        agent: Whose prompt.
        variables: All of `PROMPT_VARIABLES`; more do no harm.

    Raises:
        TemplateInvalidError: A variable is missing.
    """
    return f"Agent: {agent.name}\n{render(agent.prompt, variables)}"


def render_line(template: str, variables: Mapping[str, object]) -> str:
    """A greeting or canned line, on one line; raises as `render_prompt`."""
    return " ".join(render(template, variables).split())


def _read_agent(fields: Fields) -> AgentDefinition:
    handoffs = tuple(_read_edge(each) for each in fields.sections("handoffs"))
    own_tools = fields.texts("tools")
    led = [edge.tool for edge in handoffs]
    tools = tuple(ToolName(each) for each in dict.fromkeys([*own_tools, *led]))
    agent = AgentDefinition(
        name=AgentName(fields.text("name")),
        description=fields.text("description"),
        is_entry=fields.flag("entry"),
        greeting=fields.text("greeting"),
        return_greeting=fields.text("return_greeting"),
        lines=_read_lines(fields.section("lines")),
        voice=_read_voice(fields.section("voice")),
        model=_read_model(fields.section("model")),
        tools=tools,
        handoffs=handoffs,
        prompt=fields.text("prompt") + "\n\n" + fields.text("rules"),
    )
    fields.done()
    return agent


def _read_edge(fields: Fields) -> HandoffEdge:
    edge = HandoffEdge(
        tool=ToolName(fields.text("tool")),
        to=AgentName(fields.text("to")),
        style=fields.choice("style", ("announced", "discrete"), default="announced"),
    )
    fields.done()
    return edge


def _read_lines(fields: Fields) -> AgentLines:
    lines = AgentLines(
        reprompts=fields.texts("reprompts", at_least=3, at_most=3),
        fillers=fields.texts("fillers", at_least=1),
        **{name: fields.text(name) for name in LINE_NAMES},
    )
    fields.done()
    return lines


def _read_voice(fields: Fields) -> Voice:
    voice = Voice(
        name=fields.text("name"),
        locale=fields.text("locale"),
        style=fields.optional_text("style"),
        rate=fields.optional_text("rate"),
        pitch=fields.optional_text("pitch"),
    )
    fields.done()
    return voice


def _read_model(fields: Fields) -> AgentModel:
    model = AgentModel(
        deployment=fields.optional_text("deployment"),
        temperature=fields.number("temperature", 0, 2),
        max_tokens=fields.whole("max_tokens", 1, 4096),
    )
    fields.done()
    return model
