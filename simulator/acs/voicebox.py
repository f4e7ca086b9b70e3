"""What is between the phone and the words: the sound of the caller, and what is made of it."""

from dataclasses import dataclass
from typing import Protocol

RATE_HZ = 16_000
BYTES_PER_S = 2 * RATE_HZ
TEXT_CONFIDENCE = 0.93


@dataclass(frozen=True, slots=True)
class Utterance:
    """Something the caller says, and what the service makes of it."""

    said: str
    recognized: str
    """Empty: nothing was understood."""
    confidence: float = TEXT_CONFIDENCE
    pcm: bytes | None = None
    """16 kHz, mono, 16 bit; None where nothing is really spoken."""
    recognition_ms: float = 0.0
    """How long the recognition took once the sound was there."""


class Voicebox(Protocol):
    """Speaks for the people on the phone, and listens for the service."""

    @property
    def is_audible(self) -> bool:
        """Whether there is any sound."""
        ...

    async def utter(self, text: str) -> Utterance:
        """Let the caller say *text*."""
        ...

    async def render(self, text: str) -> bytes | None:
        """The sound of a text that the service speaks; None where there is no sound."""
        ...

    def caption(self, pcm: bytes) -> str | None:
        """What the sound of a file says, where that is known."""
        ...


class TextVoicebox:
    """No sound at all: what is said is what is recognized."""

    is_audible = False

    async def utter(self, text: str) -> Utterance:
        """Understood word for word, at once."""
        return Utterance(text, text)

    async def render(self, text: str) -> bytes | None:
        """No sound."""
        del text
        return None

    def caption(self, pcm: bytes) -> str | None:
        """Unknown."""
        del pcm
        return None
