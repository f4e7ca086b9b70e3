"""What happened on the line, as the person holding the phone would tell it.

``at_s`` is in real seconds since the phone began to ring.
"""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class EndReason(StrEnum):
    """Why a call is over, seen from the phone."""

    CALLER_HUNG_UP = "caller_hung_up"
    AGENT_HUNG_UP = "agent_hung_up"
    TRANSFERRED = "transferred"
    REDIRECTED = "redirected"
    REJECTED = "rejected"
    NOT_ANSWERED = "not_answered"
    LINE_LOST = "line_lost"
    """The simulator was stopped."""


@dataclass(frozen=True, slots=True)
class Connected:
    """Both ends can hear each other."""

    at_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """A prompt began; ``interrupted`` is set later if it did not reach its end."""

    text: str
    at_s: float
    operation_context: str | None = None
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """The caller began to speak."""

    text: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Recognized:
    """What the service made of the sound of the last ``Said``; only where there was sound."""

    text: str
    """Empty: nothing."""
    confidence: float
    recognition_ms: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Pressed:
    """The caller began to press keys."""

    tones: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Mumbled:
    """The caller made an unintelligible sound."""

    at_s: float


@dataclass(frozen=True, slots=True)
class SilentFor:
    """The app waited ``seconds`` (unscaled) and the caller gave it nothing it could use."""

    seconds: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Transferred:
    """The app tried to connect the caller with someone else."""

    to: str
    outcome: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Ended:
    """The line is dead."""

    reason: EndReason
    at_s: float


Entry = Connected | Heard | Said | Recognized | Pressed | Mumbled | SilentFor | Transferred | Ended


def entry_json(entry: Entry) -> dict[str, Any]:
    """An entry for the control API: its fields and its ``kind`` in lower case."""
    return {"kind": type(entry).__name__.lower(), **asdict(entry)}
