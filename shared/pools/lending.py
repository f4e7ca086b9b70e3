"""How a caller gets a resource, and what becomes of one who waits in vain."""

import asyncio
from types import TracebackType
from typing import Generic, TypeVar

from shared.clock import Clock
from shared.errors import PoolExhaustedError
from shared.pools.allocation import AllocationTier, Entry, Owner
from shared.pools.failures import PoolClosedError
from shared.pools.figures import Counters
from shared.pools.line import Grant
from shared.pools.stock import Stock
from shared.telemetry import names
from shared.telemetry.tracing import span

T = TypeVar("T")

# Looked up once: the attribute of an enum costs as much as the rest of a check.
_DEDICATED, _WARM = AllocationTier.DEDICATED, AllocationTier.WARM
_CALLER, _SCOPE, _CLOSING = Owner.CALLER, Owner.SCOPE, Owner.CLOSING


class Lending(Generic[T]):
    """Serves callers from the stock: at once if it can, else in the order they came."""

    def __init__(
        self,
        stock: Stock[T],
        *,
        name: str,
        is_session_aware: bool,
        timeout_s: float,
        clock: Clock,
    ) -> None:
        self.stock = stock
        self.is_session_aware = is_session_aware
        self.counters = Counters()
        self._name = name
        self._timeout_s = timeout_s
        self._monotonic = clock.monotonic

    async def take(self, owner: Owner, timeout_s: float | None) -> Grant[T]:
        """A resource for *owner*, a caller or a block without a session."""
        entry = self.stock.take_idle()
        if entry is not None:
            entry.owner = owner
            self.counters.warm_total += 1
            return entry, _WARM
        entry, tier = await self._wait(None, self._deadline(timeout_s))
        entry.owner = owner
        self.counters.count(tier)
        return entry, tier

    async def claim(self, session_id: str, timeout_s: float | None) -> Grant[T]:
        """The session's resource, with a claim on it that the caller ends."""
        grant = self._claim_at_once(session_id)
        if grant is None:
            deadline = self._deadline(timeout_s)
            while grant is None:
                entry, tier = await self._wait(session_id, deadline)
                if entry.session_id == session_id:
                    grant = entry, tier
                else:
                    # Released between the grant and now: what the session had is not its any more.
                    self.stock.end_claim(entry)
                    grant = self._claim_at_once(session_id)
        self.counters.count(grant[1])
        return grant

    def _claim_at_once(self, session_id: str) -> Grant[T] | None:
        entry = self.stock.take_bound(session_id)
        if entry is not None:
            entry.claims += 1
            return entry, _DEDICATED
        entry = self.stock.take_idle()
        if entry is not None:
            self.stock.bind(entry, session_id, claims=1)
            return entry, _WARM
        return None

    async def _wait(self, session_id: str | None, deadline: float) -> Grant[T]:
        """Wait and count it, however it ends."""
        counters = self.counters
        started_at = self._monotonic()
        try:
            with span(names.SPAN_LEASE, {names.POOL: self._name}, is_detail=True) as waiting:
                entry, tier = await self._granted(session_id, deadline)
                waiting.set(names.POOL_TIER, tier.value)
                return entry, tier
        except asyncio.CancelledError:
            counters.cancelled_total += 1
            raise
        except BaseException:
            counters.failures_total += 1
            raise
        finally:
            counters.waits_total += 1
            counters.wait_ms_total += (self._monotonic() - started_at) * 1000

    async def _granted(self, session_id: str | None, deadline: float) -> Grant[T]:
        """Stand in line until *deadline*, on the clock of the loop."""
        stock = self.stock
        if stock.is_closed:
            raise PoolClosedError("the pool is shut down")
        if stock.line.callers >= stock.limits.max_waiters:
            raise PoolExhaustedError("too many callers wait for the pool")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Grant[T]] = loop.create_future()
        place = stock.line.join(session_id, future)
        timer = loop.call_at(deadline, _expire, future)
        stock.reclaim_aged()
        stock.pump()
        try:
            return await future
        except asyncio.CancelledError:
            if future.done() and not future.cancelled() and future.exception() is None:
                stock.take_back(future.result()[0])
            raise
        finally:
            timer.cancel()
            stock.line.leave(place, future)

    def _deadline(self, timeout_s: float | None) -> float:
        now = asyncio.get_running_loop().time()
        return now + (self._timeout_s if timeout_s is None else timeout_s)


class Lease(Generic[T]):
    """One block's hold on a resource; entered once."""

    __slots__ = ("_entry", "_lending", "_session_id", "_timeout_s")

    def __init__(
        self, lending: Lending[T], session_id: str | None, timeout_s: float | None
    ) -> None:
        self._lending = lending
        self._session_id = session_id
        self._timeout_s = timeout_s
        self._entry: Entry[T] | None = None

    async def __aenter__(self) -> tuple[T, AllocationTier]:
        if self._entry is not None:
            raise RuntimeError("a lease is entered once; ask the pool for another")
        if self._session_id and self._lending.is_session_aware:
            entry, tier = await self._lending.claim(self._session_id, self._timeout_s)
        else:
            entry, tier = await self._lending.take(_SCOPE, self._timeout_s)
        self._entry = entry
        return entry.resource, tier

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Nothing here awaits, so no cancellation can come between."""
        entry = self._entry
        if entry is None or entry.owner is _CLOSING:
            return
        if entry.owner is _SCOPE:
            self._lending.stock.give_back(entry)
        else:
            self._lending.stock.end_claim(entry)


def _expire(future: asyncio.Future[Grant[T]]) -> None:
    if not future.done():
        future.set_exception(PoolExhaustedError("no resource became free in time"))
