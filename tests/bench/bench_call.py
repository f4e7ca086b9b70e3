"""What the framework itself costs a call: the model and ACS answer at once, Redis is real."""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence

from shared.calls import events as ev
from shared.redis.manager import AzureRedisManager
from shared.state.session_ids import new_session_id
from shared.types import EventId
from tests.bench.figures import percentiles
from tests.contract.call_stage import BANK, CALLER, Phone, Stage

TURNS = 20
SCRIPT = ("my balance",) * TURNS


class Figures:
    """What was measured over some calls."""

    def __init__(self) -> None:
        self.event_ms: list[float] = []
        self.turn_ms: list[float] = []
        self.events = 0
        self.round_trips: dict[str, list[int]] = defaultdict(list)


async def one_call(stage: Stage, figures: Figures, manager: AzureRedisManager) -> None:
    """Ring and answer every event as it comes, in order, on one instance."""
    runner, session_id = stage.runners[0], new_session_id()
    waiting: list[ev.Event] = [ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")]
    while waiting:
        event = waiting.pop(0)
        started_at = time.perf_counter()
        await runner.receive(session_id, event, begins_session=True)
        spent_ms = (time.perf_counter() - started_at) * 1000
        is_turn = isinstance(event, ev.SpeechRecognized)
        (figures.turn_ms if is_turn else figures.event_ms).append(spent_ms)
        figures.events += 1
        waiting += stage.phone.emitted
        stage.phone.emitted.clear()


async def measure(redis_url: str, calls: int) -> list[str]:
    """Figures for *calls* calls at a time on one instance."""
    async with AzureRedisManager(url=redis_url) as manager:
        await manager.ping_async()
        figures = Figures()
        stages = [Stage([manager], Phone(SCRIPT)) for _ in range(calls)]
        before = manager.round_trips_total
        started_at = time.perf_counter()
        await asyncio.gather(*(one_call(one, figures, manager) for one in stages))
        wall_s = time.perf_counter() - started_at
        trips = manager.round_trips_total - before
    return [
        f"  {calls:>3} at a time: event {percentiles(figures.event_ms)}"
        f"   turn {percentiles(figures.turn_ms)}"
        f"   {figures.events / wall_s:5.0f} events/s"
        f"   {trips / figures.events:.2f} Redis round trips an event with all that follows from it"
    ]


async def floor(redis_url: str) -> list[float]:
    """A bare round trip, in ms, in the same run."""
    async with AzureRedisManager(url=redis_url) as manager:
        times = []
        for _ in range(500):
            started_at = time.perf_counter()
            await manager.ping_async()
            times.append((time.perf_counter() - started_at) * 1000)
        return times


async def run(redis_url: str) -> Sequence[str]:
    """All figures."""
    bare = await floor(redis_url)
    lines = [
        f"Calls ({TURNS} turns each: 1 tool with side effects, 2 sentences, history growing)",
        f"  one bare Redis round trip: {percentiles(bare)}",
    ]
    await measure(redis_url, 1)  # warms the scripts, the templates and the encoders
    for calls in (1, 10, 100):
        lines += await measure(redis_url, calls)
    assert statistics.median(bare) > 0
    return lines
