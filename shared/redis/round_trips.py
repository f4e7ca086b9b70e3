"""Counting how often something goes to Redis and back: the price of everything here."""

import contextlib
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from shared.redis.script import Command
from shared.telemetry import names
from shared.telemetry.tracing import Kind, Span, span


@dataclass(slots=True)
class RoundTrips:
    """How often something has gone to Redis and back."""

    total: int = 0


_counter: ContextVar[RoundTrips | None] = ContextVar("redis_round_trips", default=None)


@contextlib.contextmanager
def count_round_trips() -> Iterator[RoundTrips]:
    """Count the round trips of this task and of the tasks it starts."""
    token = _counter.set(trips := RoundTrips())
    try:
        yield trips
    finally:
        _counter.reset(token)


class RoundTripTotal:
    """The count of one manager, which also feeds ``count_round_trips``."""

    def __init__(self) -> None:
        self.total = 0

    def add(self) -> None:
        """Count one."""
        self.total += 1
        if (counter := _counter.get()) is not None:
            counter.total += 1


def round_trip_span(commands: Sequence[Command]) -> Span:
    """A span of one round trip, named for its commands; never with a key or an argument."""
    operation = "+".join(dict.fromkeys(str(one[0]) for one in commands))
    facts = {
        names.PEER: names.PEER_REDIS,
        names.DB_SYSTEM: "redis",
        names.DB_OPERATION: operation,
    }
    name = f"{names.SPAN_REDIS} {operation}"
    return span(name, facts, kind=Kind.CLIENT, is_current=False, is_detail=True)
