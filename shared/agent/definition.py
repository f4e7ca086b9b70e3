"""What there is to know of an agent."""

from dataclasses import dataclass, fields

from shared.speech.voices import Voice
from shared.types import AgentName, ToolName

LINE_VARIABLES = frozenset({"agent_name", "caller_name", "reason"})
"""What greetings and canned lines may use; fillers use nothing."""

PROMPT_VARIABLES = LINE_VARIABLES | {
    "is_authenticated",
    "client_id",
    "channel",
    "handoff",
    "today",
}
"""What a prompt may use. ``handoff`` is None or has ``from_agent`` and ``caller_said``, and perhaps
``reason`` and ``summary``; ``channel`` is ``phone`` or ``chat``; ``caller_name`` and ``client_id``
are None for a stranger; ``reason`` is empty unless we placed the call."""


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
    """To whom a tool leads."""

    tool: ToolName
    to: AgentName
    style: str
    """``announced``: the new agent introduces itself; ``discrete``: it simply goes on."""


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """One agent."""

    name: AgentName
    description: str
    is_entry: bool
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
