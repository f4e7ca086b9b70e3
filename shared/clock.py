"""The two clocks of the app, passed in so that a test can move them."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time and waits for it to pass."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC; for instants that are stored."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; for durations within this process."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        ...


class SystemClock:
    """The clocks of the machine."""

    def now(self) -> datetime:
        """The wall clock, timezone-aware UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds since an arbitrary start."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        await asyncio.sleep(seconds)
