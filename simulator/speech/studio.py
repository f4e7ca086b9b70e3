"""What all connections of the stand-in share."""

import asyncio
from collections import deque
from dataclasses import dataclass, field

from simulator.speech.faults import FaultQueue
from simulator.speech.hearing import Heard, Listener
from simulator.speech.line import Exchange
from simulator.speech.speaking import Speaker


@dataclass(slots=True)
class Studio:
    """The voice, the ears, what is to go wrong, and what has been asked."""

    speaker: Speaker
    listener: Listener
    faults: FaultQueue = field(default_factory=FaultQueue)
    exchanges: list[Exchange] = field(default_factory=list)
    phrases: tuple[str, ...] = ()
    """What callers probably say, beside what a client lists."""
    transcripts: deque[Heard] = field(default_factory=deque)
    """What the next utterances are understood as, whatever is said."""
    idle_s: float | None = None
    """After how long an unused connection is closed; None: never."""
    arrival: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def begin(self, exchange: Exchange) -> Exchange:
        """Note a request."""
        async with self.arrival:
            self.exchanges.append(exchange)
            self.arrival.notify_all()
        return exchange
