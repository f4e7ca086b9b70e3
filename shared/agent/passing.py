"""Who answers within a turn: handoffs are refused, decided, resumed and introduced here."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from shared.agent.completions import ToolCall
from shared.agent.definition import AgentDefinition
from shared.agent.handoff import HandoffNote, edge_for, note_for, note_of, targets_of
from shared.agent.loader import render_line
from shared.agent.prompting import greeting_variables
from shared.agent.turn import TurnRequest
from shared.tools.handoffs import ANY_AGENT_TOOL, TARGET_AGENT
from shared.types import AgentName, Json

MAX_HANDOFFS = 3
"""In one turn."""

Results = Sequence[tuple[ToolCall, Json]]
"""The tools of one model call, each with what it returned."""


@dataclass(frozen=True, slots=True)
class Introduction:
    """What an agent says first to a caller who was passed to it."""

    text: str = field(repr=False)
    is_all: bool
    """The agent does not know the matter: it asks, and listens."""


class Passing:
    """Keeps who answers. What must outlast the process is kept in the session."""

    def __init__(self, request: TurnRequest, agents: Mapping[AgentName, AgentDefinition]) -> None:
        self.agent = request.agent
        self._request = request
        self._agents = agents
        self._handoffs = 0

    def resume(self) -> bool:
        """Go on where the turn was taken over; True if a handoff was kept and is now made."""
        note = HandoffNote.of(self._request.memory)
        if note is None or note.turn != self._request.turn:
            return False
        self._handoffs = note.number
        is_open = note.from_agent == self.agent
        if is_open:
            self.agent = note.to
        return is_open

    def introduction(self) -> Introduction | None:
        """What the agent has to say before anything else; once."""
        request = self._request
        note = note_for(request.memory, self.agent)
        if note is None or not note.is_unsaid or note.turn != request.turn:
            return None
        replace(note, is_unsaid=False).keep(request.memory)
        agent = self._agents[self.agent]
        template = agent.return_greeting if note.is_return else agent.greeting
        is_continued = note.shares_context
        variables = greeting_variables(agent.name, request, is_continued=is_continued)
        return Introduction(render_line(template, variables), is_all=not is_continued)

    def refusal(self, tool: str, arguments: Json) -> Json | None:
        """Why *tool* may not pass the caller on; None if it may, or if it is no handoff."""
        agent = self._agents[self.agent]
        edges = agent.edges_of(tool)
        if not edges:
            return None
        if self._handoffs >= MAX_HANDOFFS:
            return refused("limit_reached", "Passed on too often: answer the caller yourself.")
        if edge_for(agent, tool, arguments) is None:
            return refused("unknown_agent", f"You may pass the caller to: {targets_of(edges)}.")
        return None

    def decide(
        self, results: Results, *, may_switch: bool
    ) -> tuple[list[tuple[ToolCall, Json]], AgentName | None]:
        """Decide who goes on, and let what the tools said agree with that.

        The first handoff that succeeded wins. Where it leads stands in the agent's edges, whatever
        the tool's result says.
        """
        agent, target = self._agents[self.agent], None
        decided: list[tuple[ToolCall, Json]] = []
        for call, result in results:
            arguments = arguments_of(call)
            edge = None if isinstance(arguments, str) else edge_for(agent, call.name, arguments)
            if edge is None or not result.get("success"):
                decided.append((call, result))
            elif target is not None or not may_switch:
                answer = refused("not_passed_on", "The caller goes elsewhere already.")
                decided.append((call, answer))
            else:
                target = edge.to
                self._handoffs += 1
                note = note_of(self._request, agent.name, edge, self._handoffs, result)
                note.keep(self._request.memory)
                decided.append((call, {**result, "target_agent": target}))
        if target is not None:
            self.agent = target
        return decided, target


def name_targets(tool: Json, agent: AgentDefinition) -> Json:
    """*tool* as the model is told of it; one that may lead to several agents lists them."""
    function = tool["function"]
    if function["name"] != ANY_AGENT_TOOL:
        return tool
    targets = [edge.to for edge in agent.edges_of(ANY_AGENT_TOOL)]
    parameters = function["parameters"]
    known: Json = parameters["properties"]
    properties = {**known, TARGET_AGENT: {**known[TARGET_AGENT], "enum": targets}}
    narrowed = {**function, "parameters": {**parameters, "properties": properties}}
    return {**tool, "function": narrowed}


def arguments_of(call: ToolCall) -> Json | str:
    """What the model wrote for a tool, or a sentence about what is wrong with it."""
    try:
        arguments = json.loads(call.arguments or "{}")
    except ValueError:
        return "The arguments are not valid JSON."
    return arguments if isinstance(arguments, dict) else "The arguments are not a JSON object."


def refused(error: str, message: str) -> Json:
    """The result of a tool that was not run."""
    return {"success": False, "error": error, "message": message}
