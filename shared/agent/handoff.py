"""Passing the caller on within a turn: to whom, what goes along, and what is said first. Pure."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

from shared.agent.definition import AgentDefinition, HandoffEdge
from shared.agent.turn import Memory, TurnRequest
from shared.tools.handoff_context import HandoffContext
from shared.tools.handoffs import ANY_AGENT_TOOL, TARGET_AGENT
from shared.types import AgentName, Json

_KEY = "handoff"


@dataclass(frozen=True, slots=True, kw_only=True)
class HandoffNote:
    """What the session remembers of the last handoff."""

    to: AgentName
    from_agent: AgentName
    turn: int
    number: int
    """Which handoff of its turn it is, from 1."""
    is_return: bool
    """The caller has spoken with ``to`` before."""
    is_unsaid: bool
    """``to`` has still to introduce itself."""
    hides_caller: bool
    """``to`` must not be told whom the session had verified by then."""
    caller_said: str = field(default="", repr=False)
    """What ``to`` is to answer, for its own history does not have it; empty if it is to ask."""
    context: HandoffContext | None = field(default=None, repr=False)
    """None: nothing was to go along."""

    @property
    def shares_context(self) -> bool:
        """Whether the new agent knows what it is about."""
        return self.context is not None

    def keep(self, memory: Memory) -> None:
        """Remember it in the session."""
        along = self.context.as_json() if self.context is not None else None
        memory.set_context(_KEY, {**asdict(self), "context": along})

    @classmethod
    def of(cls, memory: Memory) -> Self | None:
        """The last handoff of the session, if there was one."""
        kept = memory.get_context(_KEY)
        if not isinstance(kept, dict) or kept.keys() != set(cls.__slots__):
            return None  # none, or of another release: then nothing is known of it
        along = kept["context"]
        context = HandoffContext.from_json(along) if isinstance(along, dict) else None
        return cls(**{**kept, "context": context})


def note_for(memory: Memory, agent: AgentName) -> HandoffNote | None:
    """How the caller came to *agent*; None if nobody passed them on."""
    note = HandoffNote.of(memory)
    return note if note is not None and note.to == agent else None


def edge_for(agent: AgentDefinition, tool: str, arguments: Json) -> HandoffEdge | None:
    """Where *tool* leads from *agent*; None if nowhere, or to nobody the agent may name."""
    edges = agent.edges_of(tool)
    if tool == ANY_AGENT_TOOL:
        return next((edge for edge in edges if edge.to == arguments.get(TARGET_AGENT)), None)
    return edges[0] if edges else None


def targets_of(edges: Sequence[HandoffEdge]) -> str:
    """Their agents, for a sentence."""
    return ", ".join(sorted(edge.to for edge in edges))


def note_of(
    request: TurnRequest, from_agent: AgentName, edge: HandoffEdge, number: int, result: Json
) -> HandoffNote:
    """What is to be remembered when *edge* is taken, after the tool's *result*."""
    memory = request.memory
    along = result.get("handoff_context")
    context = HandoffContext.from_json(along if isinstance(along, dict) else {})
    return HandoffNote(
        to=edge.to,
        from_agent=from_agent,
        turn=request.turn,
        number=number,
        is_return=bool(memory.get_history(edge.to)),
        is_unsaid=edge.is_announced,
        hides_caller=not edge.shares_context and bool(memory.get_context("authenticated", False)),
        caller_said=request.cue.text if edge.shares_context or not edge.is_announced else "",
        context=context if edge.shares_context else None,
    )
