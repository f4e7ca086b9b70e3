"""Stand-ins for what speaks, listens and keeps sound."""

import asyncio
from collections.abc import AsyncGenerator, Sequence

from shared.errors import AppError
from shared.pools.allocation import AllocationTier
from shared.speech.desk import Utterance
from shared.speech.rendition import Allocation
from shared.speech.sound import Sound, SoundFormat
from shared.speech.synthesizer import Spoken
from shared.speech.transcript import Hypothesis, Phrase
from shared.speech.voices import Voice

AVA = Voice("en-US-AvaMultilingualNeural", "en-US")
SOUND = Sound(b"\x01\x00" * 160, SoundFormat.PCM_16KHZ)
COLD = Allocation(AllocationTier.COLD, 12.34, 56.78)


class FakeDesk:
    """Speaks at once, or fails, or waits until it may go on."""

    def __init__(self) -> None:
        self.said: list[tuple[str, str | None]] = []
        self.error: AppError | None = None
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()
        self.has_begun = asyncio.Event()

    async def speak(
        self, ssml: str, *, deadline_s: float, session_id: str | None = None
    ) -> Utterance:
        """Speak a document."""
        self.said.append((ssml, session_id))
        self.has_begun.set()
        await self.may_go_on.wait()
        if self.error is not None:
            raise self.error
        return Utterance(SOUND, COLD)


class FakeSoundCache:
    """Keeps files in memory; counts round trips."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ttl_s: dict[str, float] = {}
        self.trips = 0
        self.error: AppError | None = None
        self.has_kept = asyncio.Event()

    def _trip(self) -> None:
        self.trips += 1
        if self.error is not None:
            raise self.error

    async def get(self, prompt_id: str) -> bytes | None:
        """The file."""
        self._trip()
        return self.files.get(prompt_id)

    async def put(self, prompt_id: str, wav: bytes, ttl_s: float) -> None:
        """Keep a file."""
        self._trip()
        self.files[prompt_id] = wav
        self.ttl_s[prompt_id] = ttl_s
        self.has_kept.set()

    async def renew(self, prompt_ids: Sequence[str], ttl_s: float) -> list[bool]:
        """Keep them for longer."""
        self._trip()
        return [one in self.files for one in prompt_ids]


class FakeSpeaker:
    """A synthesizer."""

    def __init__(self, sound_format: SoundFormat = SoundFormat.PCM_16KHZ) -> None:
        self.format = sound_format
        self.deadlines: list[float] = []
        self.error: Exception | None = None
        self.is_closed = False

    async def warm(self, voices: Sequence[Voice] = ()) -> None:
        """Nothing to connect."""

    async def synthesize(self, ssml: str, *, deadline_s: float) -> Spoken:
        """Speak."""
        self.deadlines.append(deadline_s)
        if self.error is not None:
            raise self.error
        return Spoken(Sound(SOUND.data, self.format), 7.0, 9.0)

    async def aclose(self) -> None:
        """Close."""
        self.is_closed = True


class FakeListener:
    """A recognizer that understands what it is told to."""

    def __init__(self, *phrases: str) -> None:
        self.phrases = phrases
        self.error: AppError | None = None

    async def warm(self) -> None:
        """Nothing to connect."""

    async def transcribe(
        self, sound: Sound, *, deadline_s: float
    ) -> AsyncGenerator[Hypothesis | Phrase, None]:
        """Recognize."""
        for number, text in enumerate(self.phrases):
            yield Hypothesis(text[:1], number * 10.0)
            yield Phrase(text, number * 10.0, 8.0, 0.9, ())
        if self.error is not None:
            raise self.error
