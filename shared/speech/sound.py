"""Sound in memory: what it is made of, and how long it lasts."""

import io
import wave
from dataclasses import dataclass, field
from enum import Enum

from shared.errors import InvalidRequestError


class SoundFormat(Enum):
    """Mono sound as it travels; the value is samples per second and bytes per sample."""

    PCM_16KHZ = (16000, 2)
    """16 bit, little endian; what ACS plays."""
    PCM_8KHZ = (8000, 2)
    PCM_24KHZ = (24000, 2)
    MULAW_8KHZ = (8000, 1)
    """G.711 as in North American telephony."""

    @property
    def rate_hz(self) -> int:
        """Samples per second."""
        return self.value[0]

    @property
    def bytes_per_sample(self) -> int:
        """2 for PCM, 1 for G.711."""
        return self.value[1]

    @property
    def bytes_per_s(self) -> int:
        """How much a second takes."""
        return self.rate_hz * self.bytes_per_sample


@dataclass(frozen=True, slots=True)
class Sound:
    """Samples without a header."""

    data: bytes = field(repr=False)
    format: SoundFormat

    @property
    def duration_ms(self) -> float:
        """How long it lasts."""
        return len(self.data) / self.format.bytes_per_s * 1000

    def to_wav(self) -> bytes:
        """The same as a WAV file, 16 bit mono; for ACS, the format must be PCM_16KHZ.

        Raises:
            InvalidRequestError: It is not PCM.
        """
        if self.format.bytes_per_sample != 2:
            raise InvalidRequestError("only PCM can be written as a WAV file")
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(self.format.rate_hz)
            wav.writeframes(self.data)
        return file.getvalue()

    @classmethod
    def from_wav(cls, data: bytes) -> "Sound":
        """Read a WAV file: PCM, 16 bit, mono, 8, 16 or 24 kHz.

        Raises:
            InvalidRequestError: It is anything else.
        """
        try:
            with wave.open(io.BytesIO(data)) as wav:
                shape = (wav.getnchannels(), wav.getsampwidth(), wav.getframerate())
                samples = wav.readframes(wav.getnframes())
        except (wave.Error, EOFError) as err:
            raise InvalidRequestError("the audio is not a WAV file with PCM") from err
        formats = {
            (1, 2, sound.rate_hz): sound for sound in SoundFormat if sound.bytes_per_sample == 2
        }
        if shape not in formats:
            raise InvalidRequestError("the audio is not mono, 16 bit and 8, 16 or 24 kHz")
        return cls(samples, formats[shape])
