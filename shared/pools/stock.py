"""The books of a pool: who owns what, who gets what next.

Nothing in this file awaits. On one event loop that makes every method atomic, which is what a
lock would be for, at none of its price.
"""

import asyncio
import random
from collections import OrderedDict, deque
from typing import Generic, TypeVar

from shared.clock import Clock
from shared.pools import care
from shared.pools.allocation import AllocationTier, Entry, Owner
from shared.pools.failures import PoolClosedError
from shared.pools.limits import Limits
from shared.pools.line import Line
from shared.pools.workshop import Recipe, Workshop
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

T = TypeVar("T")

# Looked up once: the attribute of an enum costs as much as the rest of a check.
_IDLE, _CLOSING = Owner.IDLE, Owner.CLOSING


class Stock(Generic[T]):
    """Resources that stand ready, are lent, or are bound to sessions, and the line for them.

    While somebody stands in line nothing is idle: what comes in goes to the oldest caller. So
    taking an idle resource never overtakes anyone.
    """

    def __init__(
        self, limits: Limits, recipe: Recipe[T], *, clock: Clock, rng: random.Random
    ) -> None:
        self.limits = limits
        self._monotonic = clock.monotonic
        self._rng = rng
        self.workshop = Workshop(
            recipe, on_built=self._accept, on_failed=self._fail, on_closed=self.pump
        )
        self.line = Line[T]()
        self.entries: dict[int, Entry[T]] = {}
        """By the identity of the resource; all but those that are being closed."""
        # Last in, first out: the warmest is handed out, what is not needed ages at the bottom.
        self.idle: deque[Entry[T]] = deque()
        self.sessions: dict[str, Entry[T]] = {}
        self.parked: OrderedDict[str, Entry[T]] = OrderedDict()
        """Bound to sessions that do not use them now, least recently used first."""
        self.fill_to = 0
        """The idle stock is kept at this number; 0 while nobody asked for it or builds fail."""
        self._is_pumping = False
        self.build_failures_total = 0
        self.is_closed = False
        self.emptied = asyncio.Event()
        """Closed, and nothing is checked out any more."""

    def take_idle(self) -> Entry[T] | None:
        """A ready resource without waiting. The caller becomes its owner before any `await`."""
        idle = self.idle
        while idle:
            entry = idle.pop()
            if self._is_fit(entry):
                if len(idle) < self.fill_to:
                    self.pump()
                return entry
            self._discard(entry)
        return None

    def take_bound(self, session_id: str) -> Entry[T] | None:
        """The resource the session has, if it is fit. The caller uses it before any `await`.

        One that is not fit is taken from the session: closed, or closed when its last user is done.
        """
        entry = self.sessions.get(session_id)
        if entry is None or self.is_closed:
            return None
        if entry.is_held or entry.claims:
            # Age does not count while it is in use: a long call keeps what it has.
            if not entry.is_broken and care.is_ready(entry.resource):
                return entry
        elif self._is_fit(entry):
            del self.parked[session_id]
            return entry
        entry.is_broken = True
        self.unbind(session_id)
        return None

    def bind(self, entry: Entry[T], session_id: str, *, claims: int) -> None:
        """Make the session the owner of *entry*, in use by that many."""
        entry.owner = Owner.SESSION
        entry.session_id = session_id
        entry.claims = claims
        entry.is_held = False
        self.sessions[session_id] = entry

    def give_back(self, entry: Entry[T]) -> None:
        """Nobody uses *entry* any more: clear it for the next in line, keep it, or close it."""
        now = self._monotonic()
        entry.used_at = now
        is_over = self.is_closed or entry.is_broken or entry.expires_at <= now
        if is_over or (entry.clear is not None and not care.is_cleared(entry.clear)):
            self._discard(entry)
            self.pump()
        elif len(self.line):
            self._offer(entry, AllocationTier.WARM)
        else:
            entry.owner = _IDLE
            self.idle.append(entry)

    def end_claim(self, entry: Entry[T], *, keep: bool = True) -> None:
        """One user is done; after the last one the session keeps it, if *keep*."""
        entry.claims -= 1
        if entry.is_in_use:
            return
        if entry.session_id is None:
            self.give_back(entry)
        else:
            entry.used_at = self._monotonic()
            self.parked[entry.session_id] = entry
            if entry.is_broken or self.is_closed or not keep:
                self.unbind(entry.session_id)
            elif len(self.line):
                self.pump()

    def take_back(self, entry: Entry[T]) -> None:
        """The caller left before they woke up to what they were granted."""
        if entry.owner is Owner.CALLER:
            self.give_back(entry)
        else:
            self.end_claim(entry, keep=False)

    def unbind(self, session_id: str) -> bool:
        """Take the session's resource from it. False if it has none."""
        entry = self.sessions.pop(session_id, None)
        if entry is None:
            return False
        self.parked.pop(session_id, None)
        entry.session_id = None
        entry.is_held = False
        if entry.claims:
            entry.owner = Owner.DETACHED
        else:
            self.give_back(entry)
        return True

    def pump(self) -> None:
        """Start the builds that are wanted and allowed; else reclaim what sessions do not use."""
        if self._is_pumping:
            return  # what it does may call it again: the loop below sees to that
        self._is_pumping = True
        try:
            while self._supply_one():
                pass
        finally:
            self._is_pumping = False

    def _supply_one(self) -> bool:
        builds = len(self.workshop.builds)
        waiting = len(self.line)
        wanted = waiting + max(0, self.fill_to - len(self.idle))
        is_allowed = not self.is_closed and self._occupied() < self.limits.max_size
        if is_allowed and builds < min(wanted, self.limits.build_concurrency):
            self.workshop.start_build()
            return True
        if waiting > builds and self.parked:
            self._reclaim_oldest()
            return True
        return False

    def fill(self) -> None:
        """Bring the idle stock up to its size, and keep it there while builds succeed."""
        self.fill_to = self.limits.warm_size
        self.pump()

    @property
    def is_filling(self) -> bool:
        """Whether the idle stock is short and something is being built."""
        return len(self.idle) < self.fill_to and bool(self.workshop.builds)

    def tend(self) -> None:
        """Take back what sessions have left, close what is unfit or not needed any more."""
        self.reclaim_aged()
        unused_since = self._monotonic() - self.limits.max_idle_s
        for _ in range(len(self.idle)):
            entry = self.idle.popleft()
            is_surplus = len(self.idle) >= self.limits.warm_size and entry.used_at <= unused_since
            if is_surplus or not self._is_fit(entry):
                self._discard(entry)
            else:
                self.idle.append(entry)
        self.pump()

    def reclaim_aged(self) -> None:
        """Take back what sessions have not used for longer than a session lives."""
        aged_at = self._monotonic() - self.limits.session_max_age_s
        while self.parked and next(iter(self.parked.values())).used_at <= aged_at:
            self._reclaim_oldest()

    def open(self) -> None:
        """Serve callers, whether or not it was closed."""
        self.is_closed = False

    def close(self) -> None:
        """Refuse who waits, give up builds, close what nobody has checked out."""
        self.is_closed = True
        self.emptied = asyncio.Event()
        self.fill_to = 0
        while place := self.line.pop():
            for future in place.waiting():
                future.set_exception(PoolClosedError("the pool was shut down"))
        self.workshop.cancel_builds()
        while self.idle:
            self._discard(self.idle.pop())
        while self.parked:
            self._reclaim_oldest()
        if not self.entries:
            self.emptied.set()

    def close_lent(self) -> None:
        """Close what is still checked out, too; its users find it closed."""
        self.sessions.clear()
        for entry in list(self.entries.values()):
            self._discard(entry)

    def _is_fit(self, entry: Entry[T]) -> bool:
        if entry.is_broken or entry.expires_at <= self._monotonic():
            return False
        return care.is_ready(entry.resource)

    def _occupied(self) -> int:
        """What counts against the maximum: alive, about to be, or not yet closed."""
        return len(self.entries) + len(self.workshop.builds) + len(self.workshop.closings)

    def _reclaim_oldest(self) -> None:
        self.unbind(next(iter(self.parked)))

    def _offer(self, entry: Entry[T], tier: AllocationTier) -> None:
        """Hand *entry* to the oldest caller, or keep it idle."""
        if not self._is_fit(entry):
            self._discard(entry)
            self.pump()
            return
        place = self.line.pop()
        if place is None:
            entry.owner = _IDLE
            self.idle.append(entry)
            return
        waiting = place.waiting()
        if place.session_id is None:
            entry.owner = Owner.CALLER
        else:
            self.bind(entry, place.session_id, claims=len(waiting))
        for future in waiting:
            future.set_result((entry, tier))

    def _accept(self, resource: T) -> None:
        now = self._monotonic()
        # Spread, or what was built together would expire together.
        lifetime_s = self.limits.max_lifetime_s * self._rng.uniform(0.9, 1.0)
        entry = Entry(resource, made_at=now, expires_at=now + lifetime_s)
        self.entries[id(resource)] = entry
        if self.is_closed:
            self._discard(entry)
        else:
            self._offer(entry, AllocationTier.COLD)
            self.pump()

    def _fail(self, error: BaseException) -> None:
        """A build failed: so does the oldest caller, unless enough other builds are under way."""
        if self.is_closed:
            return
        self.build_failures_total += 1
        # Nobody asked for the stock: it is tried again at the next round, not in a tight loop.
        self.fill_to = 0
        is_short = len(self.line) > len(self.workshop.builds)
        if is_short and not self.parked and (place := self.line.pop()):
            for future in place.waiting():
                future.set_exception(error)
        else:
            logger.warning("resource was not built", extra={"error": type(error).__name__})
            if is_short and self.parked:
                self._reclaim_oldest()
        self.pump()

    def _discard(self, entry: Entry[T]) -> None:
        entry.owner = _CLOSING
        del self.entries[id(entry.resource)]
        self.workshop.close_soon(entry.resource)
        if self.is_closed and not self.entries:
            self.emptied.set()
