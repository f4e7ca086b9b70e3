"""A stand-in for Azure Speech, and the app's clients of it."""

from array import array
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from shared.speech.service import SpeechAddress, SpeechService
from shared.speech.sound import Sound, SoundFormat
from shared.speech.voices import Voice, build_ssml
from simulator.speech import SpeechStandIn, ToneVoice
from simulator.speech.voice import Word

KEY = "speech-key"
VOICE = Voice("en-US-AvaMultilingualNeural", "en-US", rate="+0%")
WORD_BYTES = 8000
"""What a word of the tone voice takes: 250 ms of PCM_16KHZ."""


def ssml(text: str) -> str:
    """A document that says *text*."""
    return build_ssml(text, VOICE)


def tones(words: int, *, before_ms: int = 200, after_ms: int = 800) -> Sound:
    """Somebody "speaks" *words* words, with silence around it."""
    samples = array("h", bytes(32 * before_ms))

    def take(piece: "array[int] | Word") -> bool:
        if not isinstance(piece, Word):
            samples.extend(piece)
        return True

    ToneVoice().speak("word " * words, rate=1.0, take=take)
    samples.extend(array("h", bytes(32 * after_ms)))
    return Sound(samples.tobytes(), SoundFormat.PCM_16KHZ)


@asynccontextmanager
async def running_stand_in() -> AsyncIterator[SpeechStandIn]:
    """A stand-in whose voice makes the same sound on every machine."""
    server = SpeechStandIn(api_key=KEY, bearer_tokens=["t-1", "t-2"], voice=ToneVoice())
    await server.start()
    try:
        yield server
    finally:
        await server.aclose()


@asynccontextmanager
async def service_of(
    server: SpeechStandIn,
    *,
    key: str | None = KEY,
    is_endpoint: bool = False,
    first_byte_timeout_s: float = 1.0,
    connect_timeout_s: float = 1.0,
) -> AsyncIterator[SpeechService]:
    """What the app's synthesizers and recognizers share."""
    address = (
        SpeechAddress(endpoint=server.endpoint_url, key=key)
        if is_endpoint
        else SpeechAddress(host=server.host_url, key=key)
    )
    service = SpeechService(
        address,
        threads=8,
        first_byte_timeout_s=first_byte_timeout_s,
        connect_timeout_s=connect_timeout_s,
    )
    try:
        yield service
    finally:
        await service.aclose()
