"""Who speaks: espeak-ng where it is installed, else soft tones, one for each word."""

import math
import re
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Word:
    """A word and where in the audio it begins."""

    text: str
    offset_s: float


Piece = "array[int] | Word"
Take = Callable[["array[int] | Word"], bool]
"""Takes samples (16 bit) and words in order; False: nobody listens any more."""


class Voice(Protocol):
    """Turns text into sound."""

    @property
    def rate_hz(self) -> int:
        """Samples per second of what it makes."""
        ...

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        """Say *text* at *rate* times the usual speed; blocks until all is taken."""
        ...


class ToneVoice:
    """A tone of 200 ms for each word, and 50 ms of silence after it: the same on every machine."""

    rate_hz = 16000

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        """Say *text*; a rate of 2 halves the length."""
        tone = _tone(int(0.2 * self.rate_hz / rate), self.rate_hz)
        gap = array("h", bytes(2 * int(0.05 * self.rate_hz / rate)))
        at = 0
        for word in _words(text):
            if not take(Word(word, at / self.rate_hz)) or not take(tone + gap):
                return
            at += len(tone) + len(gap)


def _words(text: str) -> Iterator[str]:
    return (match[0] for match in re.finditer(r"[\w'-]+", text))


def _tone(length: int, rate_hz: int) -> "array[int]":
    step = 2 * math.pi * 220 / rate_hz
    return array("h", (int(6000 * math.sin(step * at)) for at in range(length)))
