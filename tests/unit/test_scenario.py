"""Scenarios: who works together, who answers, and what is refused before anybody calls."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from shared.agent.loader import AgentDefinitionError
from shared.agent.scenario import SCENARIOS, Scenario, load_scenario
from shared.tools.registry import build_registry
from shared.types import AgentName, Json
from tests.unit.agent_fakes import FakeCatalog
from tests.unit.test_loader import DEFAULTS, changed

A, B, C = AgentName("a"), AgentName("b"), AgentName("c")
TOOLS = FakeCatalog("look_up", handoffs=("handoff_a", "handoff_b", "handoff_c", "handoff_to_agent"))
SCENARIO: Json = {"agents": ["b", "a"], "entry": "a"}


def agent(name: str, *edges: tuple[str, str], **fields: Any) -> Json:
    """A definition; *edges* are (tool, to)."""
    handoffs = [{"tool": tool, "to": to, "when": f"{to} is wanted"} for tool, to in edges]
    return {
        "name": name,
        "description": name,
        "tools": ["look_up"],
        "handoffs": handoffs,
        "prompt": f"You are {name}.",
        **fields,
    }


AGENTS = (
    agent("a", ("handoff_b", "b"), ("handoff_c", "c")),
    agent("b", ("handoff_a", "a")),
    agent("c", ("handoff_to_agent", "a"), ("handoff_to_agent", "b")),
)


def load(path: Path, scenario: Json, *agents: Json, tools: FakeCatalog = TOOLS) -> Scenario:
    """Load *scenario* over definitions written to *path*."""
    folder = path / "definitions"
    folder.mkdir(exist_ok=True)
    (folder / "_defaults.yaml").write_text(yaml.safe_dump(DEFAULTS), encoding="utf-8")
    for one in agents or AGENTS:
        (folder / f"{one['name']}.yaml").write_text(yaml.safe_dump(one), encoding="utf-8")
    file = path / "mine.yaml"
    file.write_text(yaml.safe_dump(scenario), encoding="utf-8")
    return load_scenario(str(file), tools, definitions=folder)


def test_scenario_picks_agents_and_puts_the_entry_first(tmp_path: Path) -> None:
    """Who is not picked does not exist, and neither do the ways to them."""
    scenario = load(tmp_path, SCENARIO)
    assert list(scenario.agents) == ["a", "b"]
    assert scenario.entry_agent is scenario.agents[A]
    assert scenario.agents[A].tools == ("look_up", "handoff_b")


def test_scenario_says_who_answers_which_number(tmp_path: Path) -> None:
    """A number of its own for each desk; every other one, and no number, goes to the entry."""
    scenario = load(tmp_path, {**SCENARIO, "numbers": {"+15559990001": "b"}})
    assert scenario.agent_for("+15559990001") == B
    assert scenario.agent_for("+15559990000") == A
    assert scenario.agent_for(None) == A


def test_scenario_reaches_agents_from_its_numbers_too(tmp_path: Path) -> None:
    """A desk that nobody passes callers to is well if it has a number."""
    lonely = agent("b", ("handoff_a", "a"))
    alone = agent("a")
    with pytest.raises(AgentDefinitionError, match="holds b, whom no handoff reaches"):
        load(tmp_path, SCENARIO, alone, lonely)
    scenario = load(tmp_path, {**SCENARIO, "numbers": {"+1555": "b"}}, alone, lonely)
    assert list(scenario.agents) == ["a", "b"]


def test_scenario_changes_and_adds_handoffs(tmp_path: Path) -> None:
    """What it says of an edge replaces what the definition says; the rest stays."""
    handoffs = [
        {"from": "a", "to": "b", "style": "discrete", "share_context": False},
        {"from": "b", "to": "a", "tool": "handoff_to_agent", "when": "B is done"},
        {"from": "b", "to": "c", "tool": "handoff_c", "when": "C is wanted"},
    ]
    scenario = load(tmp_path, {"agents": ["a", "b", "c"], "entry": "a", "handoffs": handoffs})
    changed_edge, kept = scenario.agents[A].handoffs
    assert (changed_edge.tool, changed_edge.when) == ("handoff_b", "b is wanted")
    assert (changed_edge.is_announced, changed_edge.shares_context) == (False, False)
    assert (kept.to, kept.is_announced, kept.shares_context) == (C, True, True)
    back, added = scenario.agents[B].handoffs
    assert (back.tool, back.when, back.to) == ("handoff_to_agent", "B is done", A)
    assert (added.tool, added.to) == ("handoff_c", C)
    assert scenario.agents[B].tools == ("look_up", "handoff_to_agent", "handoff_c")


def test_scenario_overrides_for_itself_only(tmp_path: Path) -> None:
    """A greeting of one scenario was once heard in every other one."""
    overrides = {
        "b": {"greeting": "Hi {{ agent_name }}.", "voice": {"name": "en-US-Z", "pitch": "-1st"}}
    }
    plain = load(tmp_path, SCENARIO)
    mine = load(tmp_path, {**SCENARIO, "overrides": overrides})
    again = load(tmp_path, SCENARIO)
    assert mine.agents[B].greeting == "Hi {{ agent_name }}."
    assert mine.agents[B].return_greeting == plain.agents[B].return_greeting
    voice = plain.agents[B].voice
    assert mine.agents[B].voice == replace(voice, name="en-US-Z", pitch="-1st")
    assert again == plain
    assert mine.agents[A] == plain.agents[A]


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"agents": None}, "agents must hold at least 1 texts"),
        ({"agents": ["a", "x"]}, "agents names no agent: x"),
        ({"agents": ["a", "b", "a"]}, "agents names a twice"),
        ({"agents": ["a", "b", "c"], "entry": "b"}, None),
        ({"entry": None}, "entry must be a text"),
        ({"entry": "c"}, "entry names no agent of the scenario: c"),
        ({"numbers": {"+1555": "c"}}, r"numbers\.\+1555 names no agent of the scenario: c"),
        ({"numbers": {"555-1234": "b"}}, r"numbers\.555-1234 must be a number like \+1555"),
        ({"numbers": {15559990001: "b"}}, r"numbers\.15559990001 must be written in quotation m"),
        ({"overrides": {"c": {}}}, r"overrides\.c names no agent of the scenario"),
        ({"overrides": {"b": {"prompt": "x"}}}, r"overrides\.b\.prompt is not a field"),
        ({"overrides": {"b": {"voice": {"nam": "x"}}}}, r"overrides\.b\.voice\.nam is not a f"),
        ({"overrides": {"b": {"greeting": ""}}}, r"overrides\.b\.greeting must be a text"),
        ({"overrides": {"b": {"greeting": "{{ x }}"}}}, r"overrides\.b\.greeting uses unknown v"),
        ({"overrides": {"b": {"greeting": "{{ x"}}}, r"overrides\.b\.greeting is no valid templ"),
        ({"handoffs": [{"from": "x", "to": "b"}]}, r"handoffs\[0\]\.from names no agent of the"),
        ({"handoffs": [{"from": "a", "to": "c"}]}, r"handoffs\[0\]\.to names no agent of the sc"),
        ({"handoffs": [{"from": "a", "to": "a"}]}, r"handoffs\[0\]\.tool must be a text"),
        ({"handoffs": [{"from": "a", "to": "b", "stile": "x"}]}, r"handoffs\[0\]\.stile is not a"),
        ({"handoffs": [{"from": "a", "to": "b", "tool": "look_up"}]}, r"agents\.a\.handoffs holds"),
        ({"handoffs": [{"from": "a", "to": "b", "tool": "nope"}]}, r"agents\.a\.handoffs names no"),
        ({"scenario": "x"}, "scenario is not a field"),
    ],
)
def test_scenario_names_file_and_field(tmp_path: Path, fields: Json, says: str | None) -> None:
    """Whoever wrote the scenario must find the mistake without reading our code."""
    scenario = changed(SCENARIO, **fields)
    if says is None:
        assert load(tmp_path, scenario).entry == B
        return
    with pytest.raises(AgentDefinitionError, match=rf"^mine\.yaml: {says}"):
        load(tmp_path, scenario)


def test_scenario_refuses_a_handoff_to_oneself(tmp_path: Path) -> None:
    """It would greet the caller again and again."""
    edge = {"from": "a", "to": "a", "tool": "handoff_a", "when": "w"}
    with pytest.raises(AgentDefinitionError, match=r"agents\.a\.handoffs leads to no other agent"):
        load(tmp_path, {**SCENARIO, "handoffs": [edge]})


def test_scenario_refuses_a_prompt_that_counts_on_an_agent_left_out(tmp_path: Path) -> None:
    """The prompt of a definition may name a handoff; without the agent it would lead nowhere."""
    talker = agent("a", ("handoff_b", "b"), ("handoff_c", "c"), prompt="Call handoff_c.")
    says = r"mine\.yaml: agents\.a\.prompt names tools it does not have: handoff_c"
    with pytest.raises(AgentDefinitionError, match=says):
        load(tmp_path, SCENARIO, talker, *AGENTS[1:])


def test_scenario_is_found_by_name_or_path() -> None:
    """A setting names a shipped one, or points to one's own."""
    registry = build_registry()
    assert load_scenario("bank", registry) == load_scenario(str(SCENARIOS / "bank.yaml"), registry)
    with pytest.raises(AgentDefinitionError, match=r"^bnak\.yaml: the file cannot be read"):
        load_scenario("bnak", registry)


def test_shipped_scenario_has_numbers_of_its_own_for_some_desks() -> None:
    """The demonstration bank shows what a called number can decide."""
    bank = load_scenario("bank", build_registry())
    assert bank.agent_for("+15559990000") == "concierge"
    assert bank.agent_for("+15559990001") == "fraud"
    compliance = [
        edge for one in bank.agents.values() for edge in one.handoffs if edge.to == "compliance"
    ]
    assert len(compliance) == 4
    assert [edge.shares_context for edge in compliance if edge.tool != "handoff_to_agent"] == [
        False,
        False,
    ]
