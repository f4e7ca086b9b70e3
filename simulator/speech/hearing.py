"""What an utterance is understood as: by a script, by pocketsphinx, or not at all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

_S_PER_WORD = 0.25
"""How fast the words of a scripted utterance become known while it is being said."""


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word and where it was said, counted from the beginning of the utterance."""

    text: str
    offset_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What one utterance is understood as."""

    text: str
    status: str = "Success"
    """A RecognitionStatus of the protocol, for example ``NoMatch`` or ``TooManyRequests``."""
    confidence: float = 0.9
    words: tuple[HeardWord, ...] = ()
    """Empty: the length of the utterance is shared out evenly."""


class Utterance(Protocol):
    """Listens to one utterance."""

    async def feed(self, pcm: bytes) -> str:
        """Take more sound (PCM, 16 kHz); gives what is understood so far, perhaps nothing."""
        ...

    async def finish(self) -> Heard:
        """What it was; the utterance is over."""
        ...

    async def abandon(self) -> None:
        """Nobody wants to know any more."""
        ...


class Listener(Protocol):
    """Starts to listen."""

    async def begin(self, phrases: Sequence[str]) -> Utterance:
        """Listen to an utterance that is probably one of *phrases*; none: it may be anything."""
        ...

    async def aclose(self) -> None:
        """Stop whatever listens."""
        ...


class ScriptedUtterance:
    """Understood as told, a word every quarter of a second."""

    def __init__(self, heard: Heard) -> None:
        self._heard = heard
        self._heard_s = 0.0

    async def feed(self, pcm: bytes) -> str:
        """Take more sound; the last word is kept for the end."""
        self._heard_s += len(pcm) / 32000
        words = self._heard.text.split()
        return " ".join(words[: min(int(self._heard_s / _S_PER_WORD), len(words) - 1)])

    async def finish(self) -> Heard:
        """As told."""
        return self._heard

    async def abandon(self) -> None:
        """Nothing to stop."""


class Deaf:
    """Understands nothing, for machines without an engine."""

    async def begin(self, phrases: Sequence[str]) -> Utterance:
        """Listen in vain."""
        del phrases
        return ScriptedUtterance(Heard("", "NoMatch"))

    async def aclose(self) -> None:
        """Nothing to stop."""
