"""The agents: who they are, what they say without a model, and what they may do.

Each ``*.yaml`` of the folder is one agent, laid over ``_defaults.yaml``. Everything that could go
wrong in the middle of a call is checked when they are loaded: tools, handoffs, templates. Which of
them work together, and who answers the phone, is said by a scenario; see `scenario.py`.
"""

from collections.abc import Mapping
from pathlib import Path

from shared.agent.checks import (
    ToolCatalog,
    check_edges,
    check_mentions,
    check_templates,
    check_tools,
)
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
    "load_agents",
    "read_voice",
    "render_line",
    "render_prompt",
]

STYLES = ("announced", "discrete")
DEFINITIONS = Path(__file__).with_name("definitions")


def load_agents(folder: Path, tools: ToolCatalog) -> dict[AgentName, AgentDefinition]:
    """The agents defined in *folder*, by file name; a scenario picks from them.

    Args:
        folder: Holds ``_defaults.yaml`` and one file for each agent; see `DEFINITIONS`.
        tools: The registered tools.

    Raises:
        AgentDefinitionError: Names the file and the field.
    """
    defaults = read_mapping(folder / "_defaults.yaml")
    agents: dict[AgentName, AgentDefinition] = {}
    files: dict[AgentName, Fields] = {}
    for path in sorted(folder.glob("*.yaml")):
        if path.name.startswith(("_", ".")):
            continue
        fields = Fields(path.name, merged(defaults, read_mapping(path)))
        agent = _read_agent(fields)
        if agent.name in agents:
            raise fields.error("name", f"is taken by {files[agent.name].file}")
        check_tools(agent, fields, tools)
        check_templates(agent, fields)
        check_mentions(agent, fields, tools)
        agents[agent.name], files[agent.name] = agent, fields
    for name, agent in agents.items():
        check_edges(agent, files[name], agents)
    return agents


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
        greeting=fields.text("greeting"),
        return_greeting=fields.text("return_greeting"),
        lines=_read_lines(fields.section("lines")),
        voice=read_voice(fields.section("voice")),
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
        when=fields.text("when"),
        is_announced=fields.choice("style", STYLES, default="announced") == "announced",
        shares_context=fields.flag("share_context", default=True),
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


def read_voice(fields: Fields) -> Voice:
    """How somebody sounds."""
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
