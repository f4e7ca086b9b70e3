"""Time that passes only when nothing else can happen, and resources that remember their lives."""

import asyncio
import functools
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, ParamSpec

from shared.pools.warmable import AllocationTier, WarmableResourcePool

P = ParamSpec("P")

Pool = WarmableResourcePool["FakeClient"]

DEDICATED, WARM, COLD = AllocationTier.DEDICATED, AllocationTier.WARM, AllocationTier.COLD


class _PatientSelector(selectors.SelectSelector):
    """Lets the time pass at once when there is nothing to do but wait."""

    elapsed_s = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready now; else the time moves on to the next timer."""
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that can never happen")
            self.elapsed_s += max(0.0, timeout)
        return ready


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """A loop whose timers fire in order and at once; a wait without end is an error."""

    def __init__(self) -> None:
        self._patient = _PatientSelector()
        super().__init__(self._patient)

    def time(self) -> float:
        """Seconds since the loop was made, as its timers see them."""
        return self._patient.elapsed_s


def in_virtual_time(
    test: Callable[P, Coroutine[Any, Any, None]],
) -> Callable[P, None]:
    """Run an async test on a `VirtualTimeLoop`: no time is slept, yet every wait has a length."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(test(*args, **kwargs))

    return run


class LoopClock:
    """The clock of the running loop."""

    def now(self) -> datetime:
        """The wall clock."""
        return datetime(2026, 11, 22, 9, 0, tzinfo=UTC) + timedelta(seconds=self.monotonic())

    def monotonic(self) -> float:
        """Seconds since the loop was made."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait *seconds*."""
        await asyncio.sleep(seconds)


class FakeClient:
    """A pooled resource."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.is_ready = True
        self.cleared = 0
        self.closed = 0
        self.clearing_fails = False
        self.close_takes_s = 0.0
        self.users: list[str] = []

    def clear_session_state(self) -> None:
        """Forget the session."""
        if self.clearing_fails:
            raise ValueError
        self.cleared += 1

    async def aclose(self) -> None:
        """End; takes as long as told."""
        self.closed += 1
        await asyncio.sleep(self.close_takes_s)


class FakeFactory:
    """Makes clients; slowly, badly or never, as told."""

    def __init__(self, *, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.hangs = False
        self.failures = 0
        """So many of the next builds fail."""
        self.made: list[FakeClient] = []
        self.running = 0
        self.peak = 0
        self.calls = 0

    async def __call__(self) -> FakeClient:
        """The next client."""
        self.calls += 1
        self.running += 1
        self.peak = max(self.peak, self.running)
        try:
            if self.hangs:
                await asyncio.get_running_loop().create_future()
            await asyncio.sleep(self.takes_s)
            if self.failures:
                self.failures -= 1
                raise ConnectionError("refused")
        finally:
            self.running -= 1
        client = FakeClient(len(self.made))
        self.made.append(client)
        return client

    @property
    def open(self) -> int:
        """Clients that nobody has closed."""
        return sum(not client.closed for client in self.made)


def make_pool(factory: Callable[[], Coroutine[Any, Any, FakeClient]], **options: Any) -> Pool:
    """A pool on the clock of the loop."""
    return WarmableResourcePool(
        factory=factory, **{"name": "test", "clock": LoopClock(), **options}
    )


def elapsed_s() -> float:
    """How much of the loop's time has passed."""
    return round(asyncio.get_running_loop().time(), 6)


async def turns_of_the_loop(number: int = 5) -> None:
    """Let everything run that can run now."""
    for _ in range(number):
        await asyncio.sleep(0)


def metric(pool: Pool, name: str) -> Any:
    """One counter of the pool."""
    return pool.snapshot()["metrics"][name]
