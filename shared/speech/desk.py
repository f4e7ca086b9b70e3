"""Speaking and listening as the app does it: with what a pool lends, timed, within a deadline."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from shared.errors import UpstreamTimeoutError
from shared.pools.allocation import AllocationTier
from shared.pools.warmable import WarmableResourcePool
from shared.speech.rendition import Allocation
from shared.speech.sound import Sound, SoundFormat
from shared.speech.synthesizer import Spoken
from shared.speech.transcript import Hypothesis, Phrase
from shared.speech.voices import Voice
from shared.telemetry.metrics import POOL_WAIT, record

_MAX_UNPOOLED = 4
"""Synthesizers of another format than the pool's there may be at once."""


class Speaker(Protocol):
    """Speaks; `shared.speech.synthesizer` is one."""

    async def warm(self, voices: Sequence[Voice] = ()) -> None:
        """Connect, and let every voice say a syllable."""
        ...

    async def synthesize(self, ssml: str, *, deadline_s: float) -> Spoken:
        """Speak a document."""
        ...

    async def aclose(self) -> None:
        """Let go of the connection."""
        ...


class Listener(Protocol):
    """Listens; `shared.speech.recognizer` is one."""

    async def warm(self) -> None:
        """Connect."""
        ...

    def transcribe(
        self, sound: Sound, *, deadline_s: float
    ) -> AsyncGenerator[Hypothesis | Phrase, None]:
        """Recognize everything."""
        ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """What was spoken."""

    sound: Sound
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was understood, in order."""

    phrases: tuple[Phrase, ...]
    duration_ms: float
    """Of the sound."""
    allocation: Allocation

    @property
    def text(self) -> str:
        """All of it."""
        return " ".join(phrase.text for phrase in self.phrases)


class SpeechDesk:
    """Borrows who speaks and who listens. Errors are those of pools, synthesizer and recognizer."""

    def __init__(
        self,
        tts_pool: WarmableResourcePool[Speaker],
        stt_pool: WarmableResourcePool[Listener],
        *,
        build_speaker: Callable[[SoundFormat], Speaker],
        voice: Voice,
    ) -> None:
        """Use the pools.

        Args:
            tts_pool: Of speakers of PCM_16KHZ.
            stt_pool: Of listeners.
            build_speaker: Makes one for another format, for a single request.
            voice: Who speaks where nobody else is asked for.
        """
        self.voice = voice
        self._tts_pool = tts_pool
        self._stt_pool = stt_pool
        self._build_speaker = build_speaker
        self._unpooled = asyncio.Semaphore(_MAX_UNPOOLED)

    async def speak(
        self,
        ssml: str,
        *,
        deadline_s: float,
        session_id: str | None = None,
        sound_format: SoundFormat = SoundFormat.PCM_16KHZ,
    ) -> Utterance:
        """Speak a document.

        Args:
            ssml: As `voices.build_ssml` writes it.
            deadline_s: For everything, the wait for a speaker included.
            session_id: Whose next document shall find the same connection.
            sound_format: PCM_16KHZ comes from the pool; any other takes a new connection.

        Raises:
            PoolExhaustedError: No speaker became free in time.
            InvalidRequestError: The service cannot read the document.
            UpstreamError: The service failed; the same call may be made again.
        """
        if sound_format is not SoundFormat.PCM_16KHZ:
            return await self._speak_unpooled(ssml, sound_format, deadline_s)
        clock = asyncio.get_running_loop().time
        started_at = clock()
        lease = self._tts_pool.lease(session_id=session_id, timeout=deadline_s)
        async with lease as (speaker, tier):
            wait_s = clock() - started_at
            _measure(self._tts_pool.name, tier, wait_s)
            spoken = await speaker.synthesize(ssml, deadline_s=deadline_s - wait_s)
        return Utterance(spoken.sound, Allocation(tier, wait_s * 1000, spoken.first_byte_ms))

    async def transcribe(self, sound: Sound, *, deadline_s: float) -> Transcript:
        """Understand all that is said; nothing intelligible is no phrase.

        Raises:
            PoolExhaustedError: No listener became free in time.
            UpstreamError: The service failed; the same call may be made again.
        """
        clock = asyncio.get_running_loop().time
        started_at = clock()
        async with self._stt_pool.lease(timeout=deadline_s) as (listener, tier):
            wait_s = clock() - started_at
            _measure(self._stt_pool.name, tier, wait_s)
            items = listener.transcribe(sound, deadline_s=deadline_s - wait_s)
            async with aclosing(items):
                phrases = tuple([item async for item in items if isinstance(item, Phrase)])
        return Transcript(phrases, sound.duration_ms, Allocation(tier, wait_s * 1000))

    async def _speak_unpooled(
        self, ssml: str, sound_format: SoundFormat, deadline_s: float
    ) -> Utterance:
        clock = asyncio.get_running_loop().time
        started_at = clock()
        try:
            async with asyncio.timeout(deadline_s):
                await self._unpooled.acquire()
        except TimeoutError as err:
            raise UpstreamTimeoutError("no connection for the sound format in time") from err
        try:
            speaker = self._build_speaker(sound_format)
            wait_s = clock() - started_at
            try:
                spoken = await speaker.synthesize(ssml, deadline_s=deadline_s - wait_s)
            finally:
                await speaker.aclose()
        finally:
            self._unpooled.release()
        allocation = Allocation(AllocationTier.COLD, wait_s * 1000, spoken.first_byte_ms)
        return Utterance(spoken.sound, allocation)


def _measure(pool: str, tier: AllocationTier, wait_s: float) -> None:
    record(POOL_WAIT, wait_s * 1000, {"pool": pool, "tier": tier.value})
