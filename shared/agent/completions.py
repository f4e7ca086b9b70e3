"""What a language model answers with, free of any SDK."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class TextDelta:
    """A piece of the reply's text, as it arrives."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A tool the model wants to be run."""

    id: str
    name: str
    """As the model wrote it; it may name a tool that does not exist."""
    arguments: str = field(repr=False)
    """Raw JSON text as the model wrote it; it may be malformed."""


@dataclass(frozen=True, slots=True)
class Completion:
    """The end of a reply."""

    finish_reason: str
    """``stop``, ``tool_calls`` or ``length`` (what the model wrote is cut off)."""
    tool_calls: tuple[ToolCall, ...]
    input_tokens: int
    """0 where the service reported no usage."""
    output_tokens: int
    model: str
    """The model behind the deployment."""
    cached_tokens: int = 0
    """How many of the input tokens the service had read before."""
