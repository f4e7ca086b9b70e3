"""Agent definitions: a mistake is found when they are loaded, with file and field."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.agent.loader import (
    AgentDefinition,
    AgentDefinitionError,
    HandoffEdge,
    load_agents,
    render_line,
    render_prompt,
)
from shared.agent.templates import TemplateInvalidError
from shared.types import AgentName, Json, ToolName
from tests.unit.agent_fakes import FakeCatalog

TOOLS = FakeCatalog("look_up", "file_it", "handoff_person", handoffs=("handoff_b", "handoff_a"))

DEFAULTS: Json = {
    "greeting": "Hello {{ caller_name or 'there' }}.",
    "return_greeting": "Welcome back.",
    "rules": "Today is {{ today }}.",
    "voice": {"name": "en-US-X", "locale": "en-US", "rate": "+5%"},
    "model": {"temperature": 0.2, "max_tokens": 300},
    "lines": {
        "reprompts": ["1", "2", "3"],
        "not_understood": "n",
        "trouble": "t",
        "offer_human": "o",
        "goodbye": "g",
        "transfer_next": "x",
        "transfer_failed": "f",
        "voicemail": "v",
        "voicemail_failed": "vf",
        "fillers": ["w"],
    },
}
ENTRY: Json = {
    "name": "a",
    "description": "first",
    "tools": ["look_up"],
    "handoffs": [{"tool": "handoff_b", "to": "b", "when": "B is wanted"}],
    "prompt": "You are A.",
}
OTHER: Json = {
    "name": "b",
    "description": "second",
    "handoffs": [
        {
            "tool": "handoff_a",
            "to": "a",
            "when": "done",
            "style": "discrete",
            "share_context": False,
        }
    ],
    "voice": {"name": "en-US-Y"},
    "prompt": "You are B.",
}


def folder(path: Path, **files: Json) -> Path:
    """A folder of definitions; the two above unless replaced."""
    content: dict[str, Json] = {"_defaults": DEFAULTS, "one": ENTRY, "two": OTHER, **files}
    for name, fields in content.items():
        (path / f"{name}.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    return path


def load(path: Path, **files: Json) -> dict[AgentName, AgentDefinition]:
    """Load that folder."""
    return load_agents(folder(path, **files), TOOLS)


VARIABLES: Json = {
    "agent_name": "a",
    "caller_name": "Emily Rivera",
    "is_authenticated": True,
    "client_id": "CLT-1001",
    "channel": "phone",
    "handoff": None,
    "handoffs": [],
    "tools": [],
    "today": "Wednesday, 05 March 2025",
    "reason": "",
}


def test_load_agents_merges_over_the_defaults(tmp_path: Path) -> None:
    """An agent says only what is its own; the rest must not be lost."""
    agents = load(tmp_path)
    a, b = agents[AgentName("a")], agents[AgentName("b")]
    assert list(agents) == ["a", "b"]
    assert (a.voice.name, b.voice.name) == ("en-US-X", "en-US-Y")
    assert b.voice.locale == "en-US"
    assert (b.voice.rate, b.voice.pitch, b.voice.style) == ("+5%", None, None)
    assert (b.model.deployment, b.model.temperature, b.model.max_tokens) == (None, 0.2, 300)
    assert b.lines.reprompts == ("1", "2", "3")
    assert b.lines.fillers == ("w",)


def test_load_agents_gives_every_agent_its_handoff_tools(tmp_path: Path) -> None:
    """Agents once had edges and no tool to use them with."""
    agents = load(tmp_path)
    assert agents[AgentName("a")].tools == ("look_up", "handoff_b")
    (announced,), (discrete,) = (agent.handoffs for agent in agents.values())
    assert announced == HandoffEdge(ToolName("handoff_b"), AgentName("b"), "B is wanted")
    assert (announced.is_announced, announced.shares_context) == (True, True)
    assert (discrete.is_announced, discrete.shares_context) == (False, False)


def test_load_agents_skips_hidden_files(tmp_path: Path) -> None:
    """A draft in the folder must not keep the app from starting."""
    (tmp_path / ".draft.yaml").write_text("not: an agent", encoding="utf-8")
    assert list(load(tmp_path, one=OTHER, two=ENTRY)) == ["b", "a"]


def changed(base: Json, **fields: Any) -> Json:
    """*base* with other fields; None leaves one out."""
    return {key: value for key, value in {**base, **fields}.items() if value is not None}


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (changed(ENTRY, name=None), r"one\.yaml: name must be a text"),
        (changed(ENTRY, name="Two Words"), r"one\.yaml: name must be lower-case"),
        (changed(ENTRY, prompt=" "), r"one\.yaml: prompt must be a text"),
        (changed(ENTRY, promt="x"), r"one\.yaml: promt is not a field"),
        (changed(ENTRY, entry=True), r"one\.yaml: entry is not a field"),
        (changed(ENTRY, tools=["nope"]), r"one\.yaml: tools names no tool: nope"),
        (changed(ENTRY, tools="look_up"), r"one\.yaml: tools must be a list"),
        (changed(ENTRY, tools=[1]), r"one\.yaml: tools must hold texts only"),
        (changed(ENTRY, tools=["handoff_a"]), r"one\.yaml: tools holds handoff_a"),
        (changed(ENTRY, lines={"reprompts": ["1"]}), r"one\.yaml: lines\.reprompts must hold 3"),
        (changed(ENTRY, lines={"fillers": []}), r"one\.yaml: lines\.fillers must hold at least 1"),
        (changed(ENTRY, lines={"goodbye": 7}), r"one\.yaml: lines\.goodbye must be a text"),
        (changed(ENTRY, lines={"shout": "x"}), r"one\.yaml: lines\.shout is not a field"),
        (changed(ENTRY, lines="x"), r"one\.yaml: lines must be a mapping"),
        (changed(ENTRY, voice={"rate": 5}), r"one\.yaml: voice\.rate must be a text"),
        (changed(ENTRY, model={"temperature": 3}), r"one\.yaml: model\.temperature must be from"),
        (changed(ENTRY, model={"temperature": "x"}), r"one\.yaml: model\.temperature must be a n"),
        (changed(ENTRY, model={"max_tokens": 1.5}), r"one\.yaml: model\.max_tokens must be a who"),
        (changed(ENTRY, handoffs={}), r"one\.yaml: handoffs must be a list"),
        (changed(ENTRY, handoffs=["b"]), r"one\.yaml: handoffs\[0\] must be a mapping"),
        (changed(ENTRY, handoffs=[{"to": "b"}]), r"one\.yaml: handoffs\[0\]\.tool must be a text"),
    ],
)
def test_load_agents_names_file_and_field(tmp_path: Path, entry: Json, says: str) -> None:
    """Whoever wrote the definition must find the mistake without reading our code."""
    with pytest.raises(AgentDefinitionError, match=says):
        load(tmp_path, one=entry)


@pytest.mark.parametrize(
    ("edges", "says"),
    [
        ([{"tool": "handoff_x"}], "handoffs names no tool: handoff_x"),
        ([{"tool": "look_up"}], "handoffs holds look_up, which passes the caller to no agent"),
        ([{"to": "x"}], "handoffs leads to no other agent: x"),
        ([{"to": "a"}], "handoffs leads to no other agent: a"),
        ([{"style": "loud"}], r"handoffs\[0\]\.style must be one"),
        ([{"share_context": "no"}], r"handoffs\[0\]\.share_context must be true or false"),
        ([{"when": " "}], r"handoffs\[0\]\.when must be a text"),
        ([{"wen": "x"}], r"handoffs\[0\]\.wen is not a field"),
        ([{}, {"tool": "handoff_a"}], "handoffs leads to b twice"),
        ([{}, {"to": "c"}], "handoffs leads handoff_b to two agents"),
    ],
)
def test_load_agents_refuses_handoffs_that_lead_nowhere(
    tmp_path: Path, edges: list[Json], says: str
) -> None:
    """Five of fifteen handoffs once pointed at agents that did not exist."""
    written = [{"tool": "handoff_b", "to": "b", "when": "w", **edge} for edge in edges]
    third = changed(OTHER, name="c")
    with pytest.raises(AgentDefinitionError, match=rf"one\.yaml: {says}"):
        load(tmp_path, one=changed(ENTRY, handoffs=written), three=third)


def test_load_agents_refuses_a_prompt_with_tools_the_agent_does_not_have(tmp_path: Path) -> None:
    """The model would call it, be refused, and the caller would hear of it."""
    prompt = "{% if channel == 'chat' %}Use file_it.{% endif %} Use look_up."
    says = r"one\.yaml: prompt names tools it does not have: file_it$"
    with pytest.raises(AgentDefinitionError, match=says):
        load(tmp_path, one=changed(ENTRY, prompt=prompt))


def test_load_agents_lets_a_person_be_reached_by_a_tool_that_is_called_handoff(
    tmp_path: Path,
) -> None:
    """What a tool is called does not decide what it does: this one leads to no agent."""
    agent = load(tmp_path, one=changed(ENTRY, tools=["handoff_person"]))[AgentName("a")]
    assert agent.tools == ("handoff_person", "handoff_b")


def test_load_agents_refuses_two_of_a_name(tmp_path: Path) -> None:
    """Which of the two answers once depended on the order of a directory."""
    with pytest.raises(AgentDefinitionError, match=r"two\.yaml: name is taken by one\.yaml"):
        load(tmp_path, two=changed(OTHER, name="a"))


@pytest.mark.parametrize(
    ("field", "template", "says"),
    [
        ("prompt", "{{ institution }}", "prompt uses unknown variables: institution"),
        ("prompt", "{{ caller_name", "prompt is no valid template: syntax error in line"),
        ("prompt", "{% if handoff %}{{ handoff.resaon }}{% endif %}", "no attribute 'resaon'"),
        ("prompt", "{{ handoff.reason }}", "prompt is no valid template"),
        ("prompt", "A {% for edge in handoffs %}{{ edge.too }}{% endfor %}", "no attribute 'too'"),
        ("greeting", "{% if caller_name %}Hi.{% endif %}", "greeting says nothing in some calls"),
        ("prompt", "{{ caller_name + 'x' }}", "prompt is no valid template: an expression"),
        ("prompt", "{{ caller_name.__class__ }}", "prompt is no valid template"),
        ("greeting", "Hi {{ client_id }}", "greeting uses unknown variables: client_id"),
        ("return_greeting", "{% for %}", "return_greeting is no valid template"),
    ],
)
def test_load_agents_tries_every_template(
    tmp_path: Path, field: str, template: str, says: str
) -> None:
    """A broken template was once spoken to a caller, braces and all."""
    with pytest.raises(AgentDefinitionError, match=rf"one\.yaml: .*{says}"):
        load(tmp_path, one=changed(ENTRY, **{field: template}))


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ({"goodbye": "{{ today }}"}, r"lines\.goodbye uses unknown variables: today"),
        ({"reprompts": ["1", "2", "{{ x }}"]}, r"lines\.reprompts uses unknown variables: x"),
        ({"fillers": ["{{ caller_name }}"]}, r"lines\.fillers uses unknown variables"),
    ],
)
def test_load_agents_tries_every_line(tmp_path: Path, lines: Json, says: str) -> None:
    """Lines are said when something has failed already; they must not fail too."""
    with pytest.raises(AgentDefinitionError, match=says):
        load(tmp_path, one=changed(ENTRY, lines=lines))


@pytest.mark.parametrize(
    ("text", "says"),
    [("a: [", "not valid YAML"), ("- a", "must be a mapping"), ("", "must be a mapping")],
)
def test_load_agents_refuses_files_that_are_none(tmp_path: Path, text: str, says: str) -> None:
    """The message names the file, not a line of the parser."""
    path = folder(tmp_path)
    (path / "one.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(AgentDefinitionError, match=rf"one\.yaml: {says}"):
        load_agents(path, TOOLS)


def test_load_agents_needs_the_defaults(tmp_path: Path) -> None:
    """A wrong folder must not look like an app without agents."""
    with pytest.raises(AgentDefinitionError, match=r"_defaults\.yaml: the file cannot be read"):
        load_agents(tmp_path, TOOLS)


def test_render_prompt_names_the_agent_first(tmp_path: Path) -> None:
    """Whoever reads a request to the model sees whose it is."""
    agent = load(tmp_path)[AgentName("a")]
    text = render_prompt(agent, VARIABLES)
    assert text.splitlines()[0] == "Agent: a"
    assert "You are A." in text
    assert text.endswith("Today is Wednesday, 05 March 2025.")


def test_render_refuses_a_missing_variable_and_ignores_a_spare_one(tmp_path: Path) -> None:
    """Nothing in the place of a name is worse than a canned sentence."""
    agent = load(tmp_path)[AgentName("a")]
    with pytest.raises(TemplateInvalidError, match="today"):
        render_prompt(agent, {})
    assert render_prompt(agent, {**VARIABLES, "spare": 1})


def test_render_line_is_one_line_of_plain_text() -> None:
    """It goes to a voice: no line breaks, and a name with an ampersand as it is."""
    line = "Hello\n {{ caller_name }}. \n"
    assert render_line(line, {"caller_name": "Mei & Sons"}) == "Hello Mei & Sons."
    assert render_line("{{ caller_name }}", {"caller_name": "{{ today }}"}) == "{{ today }}"
