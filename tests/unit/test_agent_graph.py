"""Handoff graphs of any shape: loaded if and only if every edge and every agent makes sense."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.agent.handoff import HandoffNote
from shared.agent.loader import AgentDefinitionError
from shared.agent.passing import MAX_HANDOFFS, Passing, Results
from shared.agent.scenario import load_scenario
from shared.tools.registry import build_registry
from shared.types import AgentName, Json
from tests.unit.agent_fakes import FakeCatalog
from tests.unit.fakes import FakeMemory, call
from tests.unit.test_scenario import agent, load
from tests.unit.turn_stage import request

NAMES = tuple("abcdef")
CATALOG = FakeCatalog("look_up", handoffs=tuple(f"handoff_{name}" for name in NAMES))
BANK = load_scenario("bank", build_registry()).agents


@dataclass(frozen=True)
class Graph:
    """Agents, who of them leads to whom, and who has a number."""

    names: tuple[str, ...]
    edges: frozenset[tuple[str, str]]
    entries: tuple[str, ...]
    """The entry agent first."""

    @property
    def misled(self) -> str | None:
        """The first agent, by file, with an edge to itself or to nobody."""
        wrong = [one for one, to in self.edges if to == one or to not in self.names]
        return min(wrong, default=None)

    @property
    def unreached(self) -> set[str]:
        """By squaring the relation until nothing is added: not how the app does it."""
        related = set(self.edges)
        while True:
            further = {(a, d) for a, b in related for c, d in related if b == c} - related
            if not further:
                break
            related |= further
        reached = set(self.entries) | {to for one, to in related if one in self.entries}
        return set(self.names) - reached


@st.composite
def graphs(draw: st.DrawFn, *, is_sound: bool = False) -> Graph:
    """Up to five agents; unless *is_sound*, edges may lead to oneself and to a sixth."""
    names = NAMES[: draw(st.integers(1, 5))]
    pairs = st.tuples(st.sampled_from(names), st.sampled_from(names if is_sound else NAMES))
    edges = draw(st.frozensets(pairs, max_size=12))
    if is_sound:
        edges = frozenset((one, to) for one, to in edges if one != to)
    entries = draw(st.lists(st.sampled_from(names), min_size=1, max_size=2))
    return Graph(names, edges, tuple(entries))


def load_graph(graph: Graph) -> list[str]:
    """Load it; the agents' names."""
    agents = [
        agent(name, *((f"handoff_{to}", to) for one, to in sorted(graph.edges) if one == name))
        for name in graph.names
    ]
    scenario: Json = {"agents": list(graph.names), "entry": graph.entries[0]}
    numbers = {f"+1555{index}": name for index, name in enumerate(graph.entries)}
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(Path(folder), {**scenario, "numbers": numbers}, *agents, tools=CATALOG)
    for name, one in loaded.agents.items():
        leads = {to for start, to in graph.edges if start == name}
        assert {edge.to for edge in one.handoffs} == leads
        assert set(one.tools) == {"look_up", *(f"handoff_{to}" for to in leads)}
    return list(loaded.agents)


@settings(max_examples=60, deadline=None)
@given(graph=graphs())
def test_graph_with_a_wrong_edge_is_refused_by_the_file_it_stands_in(graph: Graph) -> None:
    """However the rest looks: an edge to nobody or to oneself never reaches a caller."""
    if graph.misled is None:
        return
    says = rf"^{graph.misled}\.yaml: handoffs leads to no other agent"
    with pytest.raises(AgentDefinitionError, match=says):
        load_graph(graph)


@settings(max_examples=60, deadline=None)
@given(graph=graphs(is_sound=True))
def test_graph_is_loaded_if_and_only_if_every_agent_is_reached(graph: Graph) -> None:
    """By handoffs from the entry or from a number; who is not is named."""
    if graph.unreached:
        says = rf"^mine\.yaml: agents holds {min(graph.unreached)}, whom no handoff reaches"
        with pytest.raises(AgentDefinitionError, match=says):
            load_graph(graph)
        return
    names = load_graph(graph)
    assert names[0] == graph.entries[0]
    assert sorted(names) == sorted(graph.names)


_tools = st.sampled_from(
    [edge.tool for one in BANK.values() for edge in one.handoffs] + ["get_account_summary", "x"]
)
_targets = st.sampled_from([*BANK, "admin", "", 7, None])
_calls = st.lists(st.tuples(_tools, _targets, st.booleans(), st.booleans()), max_size=4)


@given(agents=st.sampled_from(list(BANK)), rounds=st.lists(_calls, max_size=6))
def test_handoffs_of_any_turn_follow_the_graph(
    agents: AgentName, rounds: list[list[tuple[str, object, bool, bool]]]
) -> None:
    """Whatever the model calls and whatever tools return: from edge to edge, and not for ever."""
    memory = FakeMemory()
    passing = Passing(request(memory=memory, agent=agents), BANK)
    for calls in rounds:
        before = BANK[passing.agent]
        results = []
        for tool, target, is_success, _ in calls:
            one = call(tool, json.dumps({"target_agent": target}))
            refusal = passing.refusal(tool, {"target_agent": target})
            results.append((one, refusal or {"success": is_success, "target_agent": "admin"}))
        may_switch = all(one[3] for one in calls)
        decided, to = passing.decide(results, may_switch=may_switch)
        assert len(decided) == len(results)
        made = [one["target_agent"] for one in _made(decided, before.name)]
        if to is None:
            assert passing.agent == before.name
            assert made == []
        else:
            assert may_switch
            assert made == [to]
            assert to in {edge.to for edge in before.handoffs}
            note = HandoffNote.of(memory)
            assert note is not None
            assert (note.from_agent, note.to) == (before.name, to)
            assert note.number <= MAX_HANDOFFS


def _made(decided: Results, agent: AgentName) -> list[Json]:
    """The results that say an agent takes over; a lookup may say what it likes."""
    return [
        result
        for one, result in decided
        if result.get("success") and BANK[agent].edges_of(one.name)
    ]
