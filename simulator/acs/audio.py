"""Sound files the app wants played."""

import io
import wave

import aiohttp

from simulator.acs.results import FILE_DOWNLOAD, FILE_FORMAT, Result

_DOWNLOAD_TIMEOUT_S = 5.0


async def file_duration_s(session: aiohttp.ClientSession, uri: str) -> float | Result:
    """Fetch a file and read its length from its header; the failure if that does not work."""
    try:
        timeout = aiohttp.ClientTimeout(total=_DOWNLOAD_TIMEOUT_S)
        async with session.get(uri, timeout=timeout) as response:
            if response.status != 200:
                return FILE_DOWNLOAD
            data = await response.read()
    except (aiohttp.ClientError, TimeoutError, ValueError):
        return FILE_DOWNLOAD
    return wav_duration_s(data)


def wav_duration_s(data: bytes) -> float | Result:
    """The length of a mono 16-bit 16 kHz WAV file; the failure if it is anything else."""
    try:
        with wave.open(io.BytesIO(data)) as wav:
            shape = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate())
            # The header of a streamed file may promise more than there is.
            frames = min(wav.getnframes(), len(data) // 2)
    except (wave.Error, EOFError):
        return FILE_FORMAT
    return frames / 16000 if shape == (1, 2, 16000) else FILE_FORMAT
