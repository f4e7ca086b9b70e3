"""Where in a stream of sound somebody speaks, by loudness alone."""

from array import array
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from operator import mul

RATE_HZ = 16000
FRAME_SAMPLES = 320
"""20 ms."""
_LOUD = 300 * 300
"""Mean square from which a frame counts as voiced."""
_FRAMES_TO_START = 3
_FRAMES_BEFORE = 10
_LONGEST_FRAMES = 1500
"""A phrase is cut after 30 s."""


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody begins to speak."""

    offset_s: float


@dataclass(frozen=True, slots=True)
class Speech:
    """Sound that belongs to what is being said, a little before and after it included."""

    samples: "array[int]"


@dataclass(frozen=True, slots=True)
class Stopped:
    """It has been quiet for long enough."""

    offset_s: float


@dataclass(frozen=True, slots=True)
class Silence:
    """Nobody has spoken since the last phrase, or since the beginning."""

    duration_s: float


Sign = Started | Speech | Stopped | Silence


class Endpointer:
    """Cuts a stream into phrases. All times are of the sound, not of the clock."""

    def __init__(self, *, pause_s: float) -> None:
        """Begin to listen; a pause of *pause_s* ends a phrase."""
        self._pause_frames = max(1, round(pause_s * RATE_HZ / FRAME_SAMPLES))
        self._left: array[int] = array("h")
        self._before: deque[array[int]] = deque(maxlen=_FRAMES_BEFORE)
        self._at = 0
        self._started_at: int | None = None
        self._voiced = self._quiet = self._silent = 0

    @property
    def is_speaking(self) -> bool:
        """Whether a phrase has begun and not ended."""
        return self._started_at is not None

    @property
    def offset_s(self) -> float:
        """How much sound has been looked at."""
        return self._at * FRAME_SAMPLES / RATE_HZ

    def push(self, samples: "array[int]") -> Iterator[Sign]:
        """Look at the next samples (16 kHz)."""
        self._left.extend(samples)
        at = 0
        while at + FRAME_SAMPLES <= len(self._left):
            yield from self._frame(self._left[at : at + FRAME_SAMPLES])
            at += FRAME_SAMPLES
        self._left = self._left[at:]

    def finish(self) -> Iterator[Sign]:
        """The stream ends; so does a phrase that is not over."""
        if self.is_speaking:
            yield self._stop()

    def _frame(self, frame: "array[int]") -> Iterator[Sign]:
        is_loud = sum(map(mul, frame, frame)) >= _LOUD * FRAME_SAMPLES
        self._at += 1
        if self.is_speaking:
            yield Speech(frame)
            self._quiet = 0 if is_loud else self._quiet + 1
            if self._quiet >= self._pause_frames or self._length >= _LONGEST_FRAMES:
                yield self._stop()
            return
        self._before.append(frame)
        self._voiced = self._voiced + 1 if is_loud else 0
        self._silent += 1
        if self._voiced < _FRAMES_TO_START:
            yield Silence(self._silent * FRAME_SAMPLES / RATE_HZ)
            return
        self._started_at = self._at - self._voiced
        yield Started(self._started_at * FRAME_SAMPLES / RATE_HZ)
        for earlier in self._before:
            yield Speech(earlier)
        self._before.clear()

    @property
    def _length(self) -> int:
        return self._at - (self._started_at or 0)

    def _stop(self) -> Stopped:
        end = self._at - self._quiet
        self._started_at = None
        self._voiced = self._quiet = self._silent = 0
        return Stopped(end * FRAME_SAMPLES / RATE_HZ)
