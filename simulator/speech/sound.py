"""Samples: what is asked for by the name of a format, resampling, and G.711."""

import math
import re
from array import array
from dataclasses import dataclass
from functools import lru_cache
from operator import mul

TICKS_PER_S = 10_000_000
"""The protocol counts in units of 100 ns."""
_TAPS = 16


class UnknownFormatError(ValueError):
    """Nobody here can make or read that format."""


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """Mono sound: samples per second, and how a sample is written."""

    rate_hz: int
    encoding: str = "pcm"
    """``pcm`` (16 bit, little endian), ``mulaw`` or ``alaw`` (8 bit)."""

    @property
    def bytes_per_sample(self) -> int:
        """2 for PCM, 1 for G.711."""
        return 2 if self.encoding == "pcm" else 1

    def bytes_in(self, ms: float) -> int:
        """How many bytes *ms* milliseconds take, in whole samples."""
        return int(self.rate_hz * ms / 1000) * self.bytes_per_sample


_NAMED = re.compile(r"raw-(\d+)(k?)hz-(16bit-mono-pcm|8bit-mono-(?:mulaw|alaw))")
_RATES = frozenset({8000, 16000, 22050, 24000, 44100, 48000})


def output_format(name: str) -> SoundFormat:
    """The format with that name in the protocol, for example ``raw-16khz-16bit-mono-pcm``.

    Raises:
        UnknownFormatError: Compressed formats are not made here.
    """
    match = _NAMED.fullmatch(name)
    if match is None:
        raise UnknownFormatError(f"Unsupported output format {name[:80]}.")
    rate_hz = int(match[1]) * (1000 if match[2] else 1)
    if rate_hz not in _RATES:
        raise UnknownFormatError(f"Unsupported output format {name[:80]}.")
    return SoundFormat(rate_hz, match[3].rpartition("-")[2])


def input_format(header: bytes) -> SoundFormat:
    """The format that the RIFF header in front of a caller's audio announces.

    Raises:
        UnknownFormatError: It is no such header, or not mono PCM, mu-law or A-law.
    """
    if header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt ":
        raise UnknownFormatError("The audio does not begin with a RIFF header.")
    tag, channels = (int.from_bytes(header[at : at + 2], "little") for at in (20, 22))
    rate_hz = int.from_bytes(header[24:28], "little")
    bits = int.from_bytes(header[34:36], "little")
    encoding = {(1, 16): "pcm", (6, 8): "alaw", (7, 8): "mulaw"}.get((tag, bits))
    if encoding is None or channels != 1 or not rate_hz:
        raise UnknownFormatError("Only mono PCM of 16 bit, mu-law and A-law are understood.")
    return SoundFormat(rate_hz, encoding)


def encode(samples: "array[int]", encoding: str) -> bytes:
    """Write samples in an encoding."""
    if encoding == "pcm":
        return samples.tobytes()
    table = _mulaw_codes() if encoding == "mulaw" else _alaw_codes()
    return bytes(table[(sample >> 2) + 8192] for sample in samples)


def decode(data: bytes, encoding: str) -> "array[int]":
    """Read samples from an encoding; half a sample at the end is dropped."""
    if encoding == "pcm":
        return array("h", data[: len(data) & ~1])
    expand = _mulaw_value if encoding == "mulaw" else _alaw_value
    table = [expand(code) for code in range(256)]
    return array("h", (table[code] for code in data))


class Resampler:
    """Changes the rate of a stream, piece by piece, with a windowed sinc of sixteen taps."""

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = math.gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._kernels = _kernels(self._up, self._down) if from_hz != to_hz else ()
        self._left = [0] * (_TAPS // 2)
        self._phase = 0

    def push(self, samples: "array[int]") -> "array[int]":
        """The next samples at the new rate; the last few come with the next piece."""
        if not self._kernels:
            return samples
        source = [*self._left, *samples]
        up, down, kernels, phase = self._up, self._down, self._kernels, self._phase
        out: array[int] = array("h")
        at = 0
        while at + _TAPS <= len(source):
            value = int(sum(map(mul, kernels[phase], source[at : at + _TAPS])))
            out.append(max(-32768, min(32767, value)))
            phase += down
            at += phase // up
            phase %= up
        self._left = source[at:]
        self._phase = phase
        return out

    def flush(self) -> "array[int]":
        """What is left at the end of the stream."""
        return self.push(array("h", [0] * (_TAPS // 2))) if self._kernels else array("h")


@lru_cache
def _kernels(up: int, down: int) -> tuple[tuple[float, ...], ...]:
    cut = min(1.0, up / down) * 0.95
    kernels = []
    for phase in range(up):
        taps = []
        for tap in range(_TAPS):
            # The new sample lies between the two middle taps.
            x = tap - _TAPS / 2 + 1 - phase / up
            window = 0.5 + 0.5 * math.cos(math.pi * x / (_TAPS / 2)) if abs(x) < _TAPS / 2 else 0.0
            taps.append(
                cut * (math.sin(math.pi * x * cut) / (math.pi * x * cut) if x else 1.0) * window
            )
        total = sum(taps)
        kernels.append(tuple(tap / total for tap in taps))
    return tuple(kernels)


def _mulaw_value(code: int) -> int:
    code = ~code & 0xFF
    value = ((((code & 0x0F) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -value if code & 0x80 else value


def _alaw_value(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 0x0F
    value = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return value if code & 0x80 else -value


@lru_cache(maxsize=1)
def _mulaw_codes() -> bytes:
    return _nearest_codes([_mulaw_value(code) for code in range(256)])


@lru_cache(maxsize=1)
def _alaw_codes() -> bytes:
    return _nearest_codes([_alaw_value(code) for code in range(256)])


def _nearest_codes(values: list[int]) -> bytes:
    """For every sample value, in steps of 4 from -32768, the code that comes nearest."""
    order = sorted(range(256), key=values.__getitem__)
    codes, at = bytearray(), 0
    for sample in range(-32768, 32768, 4):
        while at < 255 and abs(values[order[at + 1]] - sample) <= abs(values[order[at]] - sample):
            at += 1
        codes.append(order[at])
    return bytes(codes)
