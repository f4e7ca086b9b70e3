"""What the app wants the caller to hear and wants to hear from the caller; the queue of it."""

from collections import deque
from dataclasses import dataclass, field
from typing import Literal

from simulator.acs.results import Result

InputType = Literal["dtmf", "choices", "speech", "speechOrDtmf"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The request an event answers: its context, and where its events go if not to the call's."""

    operation_context: str | None = None
    callback_uri: str | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """One piece of a prompt: text to speak, or a file to fetch."""

    text: str
    file_uri: str | None = None
    problem: Result | None = None
    """Why it cannot be played, where that shows only when it is tried."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One option of a menu."""

    label: str
    phrases: tuple[str, ...]
    tone: str | None


@dataclass(frozen=True, slots=True)
class RecognizeOptions:
    """How to listen; tones by their names on the wire."""

    input_type: InputType
    interrupt_prompt: bool
    initial_silence_s: float
    end_silence_s: float | None = None
    inter_tone_s: float = 2.0
    max_tones: int | None = None
    stop_tones: frozenset[str] = frozenset()
    choices: tuple[Choice, ...] = ()

    @property
    def takes_speech(self) -> bool:
        """Whether spoken words count."""
        return self.input_type != "dtmf"

    @property
    def takes_tones(self) -> bool:
        """Whether pressed keys count."""
        return self.input_type != "speech"


@dataclass(eq=False, slots=True)
class Play:
    """Say something. The entry of the transcript is kept while it can be heard."""

    sources: tuple[Source, ...]
    origin: Origin
    interrupts: bool = False
    loop: bool = False
    is_sub_leg: bool = False
    """Played to one participant only; excludes other operations of that kind."""
    heard_as: int | None = None
    canceled_event = "PlayCanceled"
    failed_event = "PlayFailed"


@dataclass(eq=False, slots=True)
class Recognize:
    """Say something and listen."""

    sources: tuple[Source, ...]
    origin: Origin
    options: RecognizeOptions
    interrupts: bool = False
    is_sub_leg: bool = False
    heard_as: int | None = None
    canceled_event = "RecognizeCanceled"
    failed_event = "RecognizeFailed"


Operation = Play | Recognize


@dataclass(slots=True)
class MediaQueue:
    """First in, first out; one operation runs at a time. Decides, does nothing."""

    running: Operation | None = None
    waiting: deque[Operation] = field(default_factory=deque)

    def add(self, operation: Operation) -> list[Operation]:
        """Queue *operation*; returns what it pushes aside, in order, if it interrupts."""
        canceled = self.cancel_all() if operation.interrupts else []
        self.waiting.append(operation)
        return canceled

    def start_next(self) -> Operation | None:
        """The operation to start now; None while one runs or none waits."""
        if self.running is not None or not self.waiting:
            return None
        self.running = self.waiting.popleft()
        return self.running

    def finish(self, operation: Operation) -> bool:
        """*operation* has ended; False if it was canceled before."""
        if self.running is not operation:
            return False
        self.running = None
        return True

    def cancel_all(self) -> list[Operation]:
        """Empty the queue; returns what was in it, the running operation first."""
        canceled = ([self.running] if self.running else []) + list(self.waiting)
        self.running = None
        self.waiting.clear()
        return canceled

    @property
    def has_sub_leg(self) -> bool:
        """Whether an operation on one participant runs or waits."""
        running = [self.running] if self.running else []
        return any(operation.is_sub_leg for operation in (*running, *self.waiting))
