"""What was understood, read from the answers of the speech service."""

import json
from dataclasses import dataclass

from shared.types import Json

_TICKS_PER_MS = 10_000


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word and where it was said."""

    text: str
    offset_ms: float
    duration_ms: float


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """What a phrase seems to be while it is being said; the next one replaces it."""

    text: str
    offset_ms: float


@dataclass(frozen=True, slots=True)
class Phrase:
    """What was said between two pauses; times count from the beginning of the sound."""

    text: str
    offset_ms: float
    duration_ms: float
    confidence: float | None
    """0 to 1; None if the service does not say."""
    words: tuple[SpokenWord, ...]


def read_phrase(text: str, answer: str, *, offset_ticks: int, duration_ticks: int) -> Phrase:
    """Read a phrase.

    Args:
        text: What the SDK makes of the answer; it is cut off after 2048 bytes.
        answer: The ``speech.phrase`` message, detailed format.
        offset_ticks: Of the phrase, in units of 100 ns from the beginning of the sound.
        duration_ticks: Of the phrase.
    """
    try:
        body = json.loads(answer or "{}")
    except ValueError:
        body = {}
    best = _best(body)
    # Inside the answer, times count from the beginning of the turn: after a reconnection, later.
    base_ticks = offset_ticks - body.get("Offset", offset_ticks)
    return Phrase(
        text=str(best.get("Display") or body.get("DisplayText") or text),
        offset_ms=offset_ticks / _TICKS_PER_MS,
        duration_ms=duration_ticks / _TICKS_PER_MS,
        confidence=_number(best.get("Confidence")),
        words=tuple(
            SpokenWord(
                str(word.get("Word", "")),
                (word.get("Offset", 0) + base_ticks) / _TICKS_PER_MS,
                word.get("Duration", 0) / _TICKS_PER_MS,
            )
            for word in best.get("Words") or ()
        ),
    )


def _best(body: Json) -> Json:
    candidates = body.get("NBest") or [{}]
    best: Json = candidates[0]
    return best


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
