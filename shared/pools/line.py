"""The callers who wait for a resource, oldest first. Nothing here awaits."""

import asyncio
from collections import OrderedDict
from typing import Generic, TypeVar

from shared.pools.allocation import AllocationTier, Entry

T = TypeVar("T")

Grant = tuple[Entry[T], AllocationTier]


class Place(Generic[T]):
    """A place in the line: one caller, or all callers of one session."""

    __slots__ = ("futures", "session_id")

    def __init__(self, session_id: str | None) -> None:
        self.session_id = session_id
        self.futures: list[asyncio.Future[Grant[T]]] = []

    def waiting(self) -> list[asyncio.Future[Grant[T]]]:
        """Those who have not left, timed out or been served."""
        return [future for future in self.futures if not future.done()]


class Line(Generic[T]):
    """First come, first served; callers of one session share a place, and so one resource."""

    def __init__(self) -> None:
        # Ordered by arrival, with removal from the front and the middle in constant time.
        self._places: OrderedDict[Place[T], None] = OrderedDict()
        self._by_session: dict[str, Place[T]] = {}
        self.callers = 0

    def __len__(self) -> int:
        """The number of resources that are waited for."""
        return len(self._places)

    def join(self, session_id: str | None, future: asyncio.Future[Grant[T]]) -> Place[T]:
        """Wait at the end, or where the session waits already."""
        place = self._by_session.get(session_id) if session_id is not None else None
        if place is None:
            place = Place[T](session_id)
            self._places[place] = None
            if session_id is not None:
                self._by_session[session_id] = place
        place.futures.append(future)
        self.callers += 1
        return place

    def leave(self, place: Place[T], future: asyncio.Future[Grant[T]]) -> None:
        """One caller of *place* waits no longer, for whatever reason. Once per `join`."""
        self.callers -= 1
        if place in self._places:
            place.futures.remove(future)
            if not place.futures:
                self._remove(place)

    def pop(self) -> Place[T] | None:
        """The oldest place where somebody still waits, taken out of the line."""
        while self._places:
            place = next(iter(self._places))
            self._remove(place)
            if place.waiting():
                return place
        return None

    def _remove(self, place: Place[T]) -> None:
        del self._places[place]
        if place.session_id is not None:
            del self._by_session[place.session_id]
