"""What the flow wants done in the world.

The ``id`` of a command is deterministic: whoever decides it names it alike. It is the operation
context of the ACS request, and the seed of its repeatability id.
"""

from dataclasses import dataclass, field

from shared.agent.turn import Cue
from shared.calls.events import Party
from shared.types import AgentName, CommandId


@dataclass(frozen=True, slots=True)
class Command:
    """Something to do."""

    id: CommandId


@dataclass(frozen=True, slots=True)
class Answer(Command):
    """Take the ringing call."""

    incoming_call_context: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Dial(Command):
    """Call someone."""

    target: Party


@dataclass(frozen=True, slots=True)
class Speak(Command):
    """Say one sentence; queued behind what is being said."""

    agent: AgentName
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listen(Command):
    """Say the last sentence and listen; the caller may interrupt it by speaking or typing."""

    agent: AgentName
    text: str = field(repr=False)
    """Empty: listen without saying anything."""
    target: Party
    is_message: bool = False
    """The caller leaves a message: words are not for us, a key ends it."""


@dataclass(frozen=True, slots=True)
class RunTurn(Command):
    """Let the agent respond to a cue."""

    turn: int
    agent: AgentName
    cue: Cue
    failures: int = 0
    """How many turns in a row have failed before this one."""


@dataclass(frozen=True, slots=True)
class Transfer(Command):
    """Connect the caller with a person."""

    target: Party


@dataclass(frozen=True, slots=True)
class StartRecording(Command):
    """Record the call from now until it ends."""


@dataclass(frozen=True, slots=True)
class Archive(Command):
    """Sum the session up and keep it; nobody waits for it."""


@dataclass(frozen=True, slots=True)
class HangUp(Command):
    """End the call for everyone."""
