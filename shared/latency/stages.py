"""Where the time of a turn went: named stages whose parts sum to the whole."""

from collections.abc import Callable


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
        self._is_closed = False

    def reached(self, stage: str) -> None:
        """The time since the stage before this one was spent on *stage*."""
        if self._is_closed:
            return
        now = self._monotonic()
        self._spent[stage] = self._spent.get(stage, 0.0) + now - self._last
        self._last = now

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

    @property
    def total_ms(self) -> float:
        """Milliseconds from the start to the last stage reached."""
        return round((self._last - self._started_at) * 1000, 3)
