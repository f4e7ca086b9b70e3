"""Sound files the app wants played, and those it gets."""

import io
import math
import wave
from array import array
from functools import lru_cache

import aiohttp

from simulator.acs.results import FILE_DOWNLOAD, FILE_FORMAT, Result
from simulator.acs.voicebox import BYTES_PER_S, RATE_HZ

_DOWNLOAD_TIMEOUT_S = 5.0
_LOUDNESS = 3000


async def fetch_pcm(session: aiohttp.ClientSession, uri: str) -> bytes | Result:
    """Fetch a file and take the sound out of it; the failure if that does not work."""
    try:
        timeout = aiohttp.ClientTimeout(total=_DOWNLOAD_TIMEOUT_S)
        async with session.get(uri, timeout=timeout) as response:
            if response.status != 200:
                return FILE_DOWNLOAD
            data = await response.read()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return FILE_DOWNLOAD
    return pcm_of(data)


def pcm_of(wav: bytes) -> bytes | Result:
    """The samples of a mono 16-bit 16 kHz WAV file; the failure if it is anything else."""
    try:
        with wave.open(io.BytesIO(wav)) as file:
            shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
            if shape != (1, 2, RATE_HZ):
                return FILE_FORMAT
            # The header of a streamed file may promise more than there is.
            pcm: bytes = file.readframes(min(file.getnframes(), len(wav) // 2))
    except (wave.Error, EOFError):
        return FILE_FORMAT
    return pcm[: len(pcm) & ~1]


def wav_of(pcm: bytes) -> bytes:
    """A mono 16-bit 16 kHz WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(pcm)
    return buffer.getvalue()


def silence(seconds: float) -> bytes:
    """Nothing to hear, in whole samples; none for negative times."""
    return bytes(2 * max(0, round(seconds * RATE_HZ)))


def tone(seconds: float, hz: int) -> bytes:
    """A soft tone that stands for speech nobody has spoken."""
    wanted = 2 * max(0, round(seconds * RATE_HZ))
    second = _second_of(hz)
    return (second * (wanted // BYTES_PER_S + 1))[:wanted]


@lru_cache
def _second_of(hz: int) -> bytes:
    step = 2 * math.pi * hz / RATE_HZ
    return array("h", (int(_LOUDNESS * math.sin(step * at)) for at in range(RATE_HZ))).tobytes()
