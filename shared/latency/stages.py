"""Where the time of a turn went: named stages whose parts sum to the whole."""

from collections.abc import Callable

MAX_PARTS = 48


class Stages:
    """Splits the time since an instant into stages, one after the other.

    Does no I/O and reads no clock but the one it is given. A stage that is reached again (the
    second model call of a turn) adds to its first time, so the sum of all stages is always the
    time from the start to the last stage reached.
    """

    def __init__(self, monotonic: Callable[[], float], *, started_at: float | None = None) -> None:
        """Start measuring.

        Args:
            monotonic: Seconds, monotonic.
            started_at: Where the first stage begins, in the same clock; now when not given.
        """
        self._monotonic = monotonic
        self._started_at = monotonic() if started_at is None else started_at
        self._last = self._started_at
        self._spent: dict[str, float] = {}
        self._parts: list[tuple[str, float]] = []
        self._is_closed = False

    def reached(self, stage: str) -> None:
        """The time since the stage before this one was spent on *stage*."""
        if self._is_closed:
            return
        now = self._monotonic()
        spent_s, self._last = now - self._last, now
        self._spent[stage] = self._spent.get(stage, 0.0) + spent_s
        if len(self._parts) < MAX_PARTS or not self._add_to_earlier(stage, spent_s):
            self._parts.append((stage, spent_s))

    def close(self, stage: str) -> None:
        """The last stage: what follows does not count. Closing again changes nothing."""
        self.reached(stage)
        self._is_closed = True

    @property
    def is_closed(self) -> bool:
        """Whether the last stage was reached."""
        return self._is_closed

    def spent_ms(self) -> dict[str, float]:
        """Milliseconds by stage, in the order in which they were first reached."""
        return {stage: round(seconds * 1000, 3) for stage, seconds in self._spent.items()}

    def parts_ms(self) -> list[tuple[str, float]]:
        """Stages and milliseconds as they followed each other, a stage as often as it came.

        Of very many the later ones are added to earlier ones of their name.
        """
        return [(stage, round(seconds * 1000, 3)) for stage, seconds in self._parts]

    def _add_to_earlier(self, stage: str, spent_s: float) -> bool:
        for place in range(len(self._parts) - 1, -1, -1):
            if self._parts[place][0] == stage:
                self._parts[place] = (stage, self._parts[place][1] + spent_s)
                return True
        return False

    @property
    def total_ms(self) -> float:
        """Milliseconds from the start to the last stage reached."""
        return round((self._last - self._started_at) * 1000, 3)
