"""A pool of resources that are ready before anyone asks for them."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Generic, TypeVar

from shared.clock import Clock, SystemClock
from shared.pools.allocation import AllocationTier, Owner
from shared.pools.failures import ForeignResourceError, PoolClosedError
from shared.pools.figures import figures_of
from shared.pools.lending import Lease, Lending
from shared.pools.limits import Limits
from shared.pools.stock import Stock
from shared.pools.workshop import Recipe, spawn
from shared.telemetry.logs import get_logger
from shared.types import Json

__all__ = ["AllocationTier", "Lease", "WarmableResourcePool"]

logger = get_logger(__name__)

T = TypeVar("T")

_CALLER = Owner.CALLER


class WarmableResourcePool(Generic[T]):
    """Lends resources: from a warm stock, from the session's own, or newly built.

    One event loop at a time; made without one, so that a module may hold it. Works before
    `prepare`, just not warm.

    - Every wait ends: at its deadline, at the end of a bounded line, or when the pool is shut down.
    - A resource has one owner: idle, one lease, one session, or being closed.
    - A session's resource may be used by several tasks of that session at once.
    - What is unfit (``is_ready``), broken or too old is closed, never handed out.
    - Building and closing go on in tasks of their own; a cancelled caller loses nothing.
    """

    def __init__(  # noqa: PLR0913 - keyword-only, as the specification has it
        self,
        *,
        factory: Callable[[], Awaitable[T]],
        name: str,
        warm_pool_size: int = 0,
        enable_background_warmup: bool = False,
        warmup_interval_sec: float = 30.0,
        session_awareness: bool = False,
        session_max_age_sec: float = 1800.0,
        warm_fn: Callable[[T], Awaitable[bool]] | None = None,
        max_size: int | None = None,
        max_waiters: int = 1024,
        acquire_timeout_sec: float = 5.0,
        build_concurrency: int = 10,
        build_timeout_sec: float = 10.0,
        max_lifetime_sec: float = float("inf"),
        max_idle_sec: float = 300.0,
        close_fn: Callable[[T], object] | None = None,
        close_timeout_sec: float = 5.0,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """Define the pool; nothing is built yet.

        Args:
            factory: Makes a new resource each time.
            name: For logs and errors.
            warm_pool_size: Idle resources `prepare` builds.
            enable_background_warmup: After `prepare`, build ahead of demand whenever one is taken,
                and look the stock over now and then.
            warmup_interval_sec: How often that is.
            session_awareness: Keep a session's resource for it between its uses.
            session_max_age_sec: Unused for this long, the session's resource is taken back.
            warm_fn: Run on every new resource; False means it is unfit.
            max_size: Resources there may be at once; default 64, or twice the warm size.
            max_waiters: Callers that may wait at once; one more fails at once.
            acquire_timeout_sec: For callers that name no timeout.
            build_concurrency: Builds that may go on at once.
            build_timeout_sec: For factory and warm-up together, whoever waits.
            max_lifetime_sec: Older ones are replaced when unused; 90 to 100 % of it, at random.
            max_idle_sec: Unused for this long, what exceeds the warm size is closed.
            close_fn: Closes a resource, now or as a coroutine; default ``aclose()`` or ``close()``.
            close_timeout_sec: Past it a close is given up.
            clock: For ages and intervals; deadlines are kept by the loop.
            rng: For the spread of lifetimes.

        Raises:
            ValueError: The limits contradict each other.
        """
        limits = Limits(
            warm_size=warm_pool_size,
            max_size=max(64, 2 * warm_pool_size) if max_size is None else max_size,
            max_waiters=max_waiters,
            build_concurrency=build_concurrency,
            session_max_age_s=session_max_age_sec,
            max_lifetime_s=max_lifetime_sec,
            max_idle_s=max_idle_sec,
        )
        recipe = Recipe(
            factory=factory,
            warm_fn=warm_fn,
            close_fn=close_fn,
            build_timeout_s=build_timeout_sec,
            close_timeout_s=close_timeout_sec,
        )
        self.name = name
        self._clock = clock or SystemClock()
        self._stock = Stock(limits, recipe, clock=self._clock, rng=rng or random.Random())  # noqa: S311
        self._lending = Lending(
            self._stock,
            name=name,
            is_session_aware=session_awareness,
            timeout_s=acquire_timeout_sec,
            clock=self._clock,
        )
        self._build_timeout_s = build_timeout_sec
        self._is_background = enable_background_warmup
        self._interval_s = warmup_interval_sec
        self._is_ready = False
        self._preparing = 0
        self._upkeep: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None

    async def prepare(self, timeout: float | None = None) -> None:  # noqa: ASYNC109
        """Fill the warm stock, side by side. Again: fills up what is missing. Reopens the pool.

        A build that fails or outlasts *timeout* (default: of a build) is logged and counted, and
        does not fail the preparation: callers are then served cold.

        Raises:
            PoolClosedError: The pool was shut down meanwhile.
        """
        while (stopping := self._stopping) is not None:
            await asyncio.shield(stopping)
            if self._stopping is stopping:
                self._stopping = None
        stock = self._stock
        stock.open()
        stock.tend()
        stock.fill()
        if self._is_background and (self._upkeep is None or self._upkeep.done()):
            self._upkeep = spawn(self._maintain())
        self._preparing += 1
        try:
            await self._filled(self._build_timeout_s if timeout is None else timeout)
        finally:
            self._preparing -= 1
            if not self._is_background and not self._preparing:
                stock.fill_to = 0
        if stock.is_closed:
            raise PoolClosedError("the pool was shut down")
        self._is_ready = True
        logger.info("pool prepared", extra={"pool": self.name, "idle": len(stock.idle)})

    async def shutdown(self, timeout: float = 2.0) -> None:  # noqa: ASYNC109
        """Refuse callers, close everything. Again: waits for the first shutdown, or does nothing.

        Args:
            timeout: Seconds for what is checked out to come back; then it is closed all the same.
        """
        if self._stopping is None:
            self._stopping = spawn(self._stop(timeout))
        # Shielded: a resource that is left open because its closer was cancelled is open for good.
        await asyncio.shield(self._stopping)

    def lease(
        self,
        *,
        session_id: str | None = None,
        timeout: float | None = None,
    ) -> Lease[T]:
        """``async with pool.lease() as (resource, tier)``: borrow for the length of a block.

        With a session, and in a session-aware pool, the resource stays the session's afterwards:
        its next lease is DEDICATED, until `release_for_session`, the session's age, or a caller
        for whom there is nothing else.

        Raises (on entry):
            PoolExhaustedError: Nothing became free in time, or too many wait already.
            PoolClosedError: The pool was shut down.
            Exception: What the build raised that the caller waited for.
        """
        return Lease(self._lending, session_id, timeout)

    async def acquire(self, timeout: float | None = None) -> T:  # noqa: ASYNC109
        """Borrow until `release`. Raises as `lease` does."""
        entry, _ = await self._lending.take(_CALLER, timeout)
        return entry.resource

    async def release(self, resource: T | None) -> None:
        """Give back what `acquire` or `acquire_for_session` returned; None is nothing.

        Raises:
            ForeignResourceError: It is not lent that way: a stranger's, or given back before.
        """
        entry = self._stock.entries.get(id(resource))
        if entry is not None and entry.owner is _CALLER:
            self._stock.give_back(entry)
        elif entry is not None and entry.is_held and entry.session_id is not None:
            self._stock.unbind(entry.session_id)
        elif resource is not None and not self._stock.is_closed:
            raise ForeignResourceError(f"pool {self.name} has not lent this resource")

    async def acquire_for_session(
        self,
        session_id: str | None,
        timeout: float | None = None,  # noqa: ASYNC109
    ) -> tuple[T, AllocationTier]:
        """Borrow until `release_for_session`; the same resource however often it is called.

        Without a session, or in a pool that is not session-aware: as `acquire`, until `release`.
        Raises as `lease` does.
        """
        if not session_id or not self._lending.is_session_aware:
            entry, tier = await self._lending.take(_CALLER, timeout)
            return entry.resource, tier
        entry, tier = await self._lending.claim(session_id, timeout)
        entry.claims -= 1
        entry.is_held = True
        return entry.resource, tier

    async def release_for_session(self, session_id: str | None, resource: T | None = None) -> bool:
        """End what the session has; what its open leases still use comes back with the last.

        Without a session, or in a pool that is not session-aware: `release` of *resource*.

        Returns:
            Whether there was something to release; False when it is done a second time.

        Raises:
            ForeignResourceError: As `release`.
        """
        if session_id and self._lending.is_session_aware:
            return self._stock.unbind(session_id)
        await self.release(resource)
        return resource is not None or not session_id

    def retire(self, resource: T) -> None:
        """Close a borrowed resource that turned out to be broken, as soon as it comes back.

        Raises:
            ForeignResourceError: It is not the pool's.
        """
        entry = self._stock.entries.get(id(resource))
        if entry is None:
            raise ForeignResourceError(f"pool {self.name} has not lent this resource")
        entry.is_broken = True

    @property
    def session_awareness_enabled(self) -> bool:
        """Whether sessions keep their resource between uses."""
        return self._lending.is_session_aware

    @property
    def active_sessions(self) -> int:
        """Sessions that have a resource."""
        return len(self._stock.sessions)

    def snapshot(self) -> Json:
        """Gauges of this moment and, under ``metrics``, counters since the start; fit for JSON."""
        figures = figures_of(self._stock, self._lending.counters)
        figures["metrics"]["timestamp"] = self._clock.now().isoformat()
        return {
            "name": self.name,
            "ready": self._is_ready,
            "session_awareness": self._lending.is_session_aware,
            "background_warmup": self._is_background,
            **figures,
        }

    async def _filled(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                while self._stock.is_filling:
                    builds = self._stock.workshop.builds
                    await asyncio.wait(builds, return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            logger.warning("pool not filled in time", extra={"pool": self.name})

    async def _maintain(self) -> None:
        while True:
            await self._clock.sleep(self._interval_s)
            self._stock.tend()
            self._stock.fill()
            self._lending.counters.warmup_cycles += 1

    async def _stop(self, drain_s: float) -> None:
        stock = self._stock
        self._is_ready = False
        if self._upkeep is not None:
            self._upkeep.cancel()
            self._upkeep = None
        stock.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(stock.emptied.wait(), drain_s)
        stock.close_lent()
        await stock.workshop.finish()
