"""What there is to know of an agent."""

from dataclasses import dataclass, fields, replace

from shared.speech.voices import Voice
from shared.types import AgentName, ToolName

LINE_VARIABLES = frozenset({"agent_name", "caller_name", "reason"})
"""What canned lines may use; fillers use nothing."""

GREETING_VARIABLES = LINE_VARIABLES | {"is_continued"}
"""What greetings may use. ``is_continued``: the agent goes on at once with what the caller has just
said to another one, so the greeting asks nothing."""

PROMPT_VARIABLES = LINE_VARIABLES | {
    "is_authenticated",
    "client_id",
    "channel",
    "handoff",
    "handoffs",
    "tools",
    "today",
}
"""What a prompt may use. ``handoff`` is None, or says who passed the caller on and what came along:
``from_agent``, ``reason``, ``summary`` (None where nobody said) and ``details``.
``handoffs`` are the agent's edges and ``tools`` the names of the tools it can use; ``channel`` is
``phone`` or ``chat``; ``caller_name`` and ``client_id`` are None for a stranger; ``reason`` is
empty unless we placed the call."""


@dataclass(frozen=True, slots=True)
class AgentModel:
    """Which model an agent thinks with."""

    deployment: str | None
    """None: the deployment of the settings."""
    temperature: float
    max_tokens: int


@dataclass(frozen=True, slots=True)
class AgentLines:
    """What an agent says without a model; templates over `LINE_VARIABLES`."""

    reprompts: tuple[str, ...]
    """After the first, second and third silence in a row."""
    not_understood: str
    trouble: str
    offer_human: str
    goodbye: str
    transfer_next: str
    transfer_failed: str
    voicemail: str
    """Said when the recording runs; the caller speaks after it."""
    voicemail_failed: str
    fillers: tuple[str, ...]
    """Said while the answer takes its time; plain text."""


LINE_NAMES = tuple(one.name for one in fields(AgentLines) if one.type is str)
"""The lines of which an agent has one each."""


@dataclass(frozen=True, slots=True)
class HandoffEdge:
    """To whom a tool leads, and how the caller gets there."""

    tool: ToolName
    to: AgentName
    when: str
    """The situation in which the agent is to use it, for its prompt."""
    is_announced: bool = True
    """The new agent introduces itself; otherwise it simply goes on."""
    shares_context: bool = True
    """Why the caller is passed on and who they are goes along; otherwise the new agent begins as
    with a stranger."""


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """One agent."""

    name: AgentName
    description: str
    greeting: str
    return_greeting: str
    """Said to a caller who has spoken with this agent before in the session."""
    lines: AgentLines
    voice: Voice
    model: AgentModel
    tools: tuple[ToolName, ...]
    """What it may call, handoff tools included."""
    handoffs: tuple[HandoffEdge, ...]
    prompt: str
    """Template over `PROMPT_VARIABLES`, the rules of all agents included."""

    def edges_of(self, tool: str) -> tuple[HandoffEdge, ...]:
        """Where *tool* may lead; none for a tool that keeps the caller with this agent."""
        return tuple(edge for edge in self.handoffs if edge.tool == tool)

    def with_handoffs(self, handoffs: tuple[HandoffEdge, ...]) -> "AgentDefinition":
        """The same agent with other edges, and with the tools that belong to them."""
        before = {edge.tool for edge in self.handoffs}
        own = [tool for tool in self.tools if tool not in before]
        tools = tuple(dict.fromkeys([*own, *(edge.tool for edge in handoffs)]))
        return replace(self, handoffs=handoffs, tools=tools)
