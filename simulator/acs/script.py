"""What a scripted caller does, one step for each time the app listens."""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from simulator.acs.transcript import Heard

TONE_NAMES: dict[str, str] = {
    **dict(
        zip(
            "0123456789",
            ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
            strict=True,
        )
    ),
    **{letter: letter for letter in "abcd"},
    "#": "pound",
    "*": "asterisk",
}
"""Key on the phone to tone name on the wire."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say something; with *interrupts* already while the prompt is playing, if it may be."""

    text: str
    interrupts: bool = False


@dataclass(frozen=True, slots=True)
class Press:
    """Press keys (``0``-``9``, ``A``-``D``, ``*``, ``#``), in order."""

    tones: str
    interrupts: bool = False

    def __post_init__(self) -> None:
        if not self.tones or any(tone.lower() not in TONE_NAMES for tone in self.tones):
            raise ValueError("tones must be keys of a phone")

    @property
    def names(self) -> list[str]:
        """The keys by their names on the wire."""
        return [TONE_NAMES[tone.lower()] for tone in self.tones]


@dataclass(frozen=True, slots=True)
class Stay:
    """Say nothing until the app gives up waiting."""

    silent: Literal[True] = True


@dataclass(frozen=True, slots=True)
class Mumble:
    """Make a sound that no recognizer understands."""

    interrupts: bool = False


@dataclass(frozen=True, slots=True)
class HangUp:
    """Hang up; with *interrupts* in the middle of the prompt."""

    interrupts: bool = False


Step = Say | Press | Stay | Mumble | HangUp
Responder = Callable[[Sequence[Heard]], Awaitable[Step]]
"""Decides the next step from what was heard since the last one; may take its time."""


class ScriptedResponder:
    """Takes the steps of a script one after the other, and hangs up when they are used up."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = deque(steps)

    async def __call__(self, heard: Sequence[Heard]) -> Step:
        """The next step, whatever was *heard*."""
        return self._steps.popleft() if self._steps else HangUp()


def parse_step(data: dict[str, Any]) -> Step:
    """Read one step of the control API, for example ``{"say": "hello"}``.

    Raises:
        ValueError: It names no known step, or its value has the wrong type.
    """
    interrupts = data.get("interrupts", False) is True
    match data:
        case {"say": str(text)}:
            return Say(text, interrupts)
        case {"press": str(tones)}:
            return Press(tones, interrupts)
        case {"stay_silent": True}:
            return Stay()
        case {"mumble": True}:
            return Mumble(interrupts)
        case {"hang_up": True}:
            return HangUp(interrupts)
        case _:
            raise ValueError("a step is one of say, press, stay_silent, mumble, hang_up")
