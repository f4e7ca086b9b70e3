"""What can be heard on the line, piece by piece: the caller and the app never speak at once.

Speech has its natural length on a tape, however fast the simulated people speak; the gaps between
the pieces last as long as they really did.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from simulator.acs.audio import silence, tone
from simulator.acs.voicebox import BYTES_PER_S

Side = Literal["agent", "caller"]
Span = tuple[float, float]
"""From when to when, as `time.monotonic` reads."""
_RENDERING_S = 30.0
_TONES_HZ: dict[Side, int] = {"agent": 220, "caller": 330}


@dataclass(frozen=True, slots=True)
class Clip:
    """Words and, where there is any, their sound; *length_s* at natural speed."""

    text: str
    length_s: float
    pcm: bytes | None = None


@dataclass(eq=False, slots=True)
class Piece:
    """One side speaks; *lasts_s* is how long that really takes."""

    side: Side
    clips: list[Clip]
    lasts_s: float
    began_at: float
    ended_at: float
    share: float = 1.0
    """How much of it was heard."""
    rendering: asyncio.Task[None] | None = None
    """Fills in the sound of the clips."""

    @property
    def text(self) -> str:
        """All words."""
        return " ".join(clip.text for clip in self.clips)

    def cut(self) -> None:
        """It ends now, before its time."""
        now = time.monotonic()
        if now < self.ended_at:
            self.share = max(0.0, (now - self.began_at) / self.lasts_s)
            self.ended_at = now

    async def sound(self) -> bytes:
        """What was heard of it; a tone stands for words that nobody spoke."""
        if self.rendering is not None:
            await asyncio.wait({self.rendering}, timeout=_RENDERING_S)
        parts = [clip.pcm or tone(clip.length_s, _TONES_HZ[self.side]) for clip in self.clips]
        return _fraction(b"".join(parts), 0.0, self.share)


class Tape:
    """The pieces of one call, in order."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []

    def begin(
        self, side: Side, clips: Sequence[Clip], *, lasts_s: float, at: float | None = None
    ) -> Piece:
        """A side begins to speak: now, or a moment ago."""
        began_at = time.monotonic() if at is None else at
        piece = Piece(side, list(clips), lasts_s, began_at, began_at + lasts_s)
        self.pieces.append(piece)
        return piece

    def clear(self) -> None:
        """Nobody wants to hear it any more."""
        self.pieces = []


async def joined(pieces: Sequence[Piece], spans: Sequence[Span] | None = None) -> bytes:
    """One sound of both sides: PCM of the *spans* of time, by default of everything."""
    if spans is None:
        spans = [(pieces[0].began_at, pieces[-1].ended_at)] if pieces else []
    sound = bytearray()
    for start, stop in spans:
        at = start
        for piece in pieces:
            first, last = max(start, piece.began_at), min(stop, piece.ended_at)
            if first >= last:
                continue
            length_s = piece.ended_at - piece.began_at
            sound += silence(first - at)
            sound += _fraction(
                await piece.sound(),
                (first - piece.began_at) / length_s,
                (last - piece.began_at) / length_s,
            )
            at = last
        sound += silence(stop - at)
    return bytes(sound)


def duration_s(pcm: bytes) -> float:
    """How long a sound is."""
    return len(pcm) / BYTES_PER_S


def _fraction(pcm: bytes, start: float, stop: float) -> bytes:
    """The part of a sound between two fractions of its length, in whole samples."""
    samples = len(pcm) // 2
    return pcm[2 * round(samples * start) : 2 * round(samples * stop)]
