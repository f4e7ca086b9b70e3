"""What a lease costs, beside the floor: a bare `asyncio.Queue` get and put in the same run.

Run ``python -m tests.bench.bench_pool``. The factory takes 200 ms, as a speech connection does.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.errors import PoolExhaustedError
from shared.pools.warmable import AllocationTier, WarmableResourcePool

BUILD_S = 0.2
HOLD_S = 0.02
ROUNDS = 30
OPERATIONS = 2000


class Client:
    """A resource with everything the pool looks after."""

    def __init__(self) -> None:
        self.is_ready = True
        self.made_at = time.perf_counter()
        self.users = 0

    def clear_session_state(self) -> None:
        """Nothing to forget."""

    async def aclose(self) -> None:
        """Nothing to close."""


class Factory:
    """Takes its time, and counts."""

    def __init__(self, *, takes_s: float = BUILD_S) -> None:
        self._takes_s = takes_s
        self.built = 0
        self.building = 0
        self.peak = 0

    async def __call__(self) -> Client:
        """Another client."""
        self.building += 1
        self.peak = max(self.peak, self.building)
        try:
            await asyncio.sleep(self._takes_s)
        finally:
            self.building -= 1
        self.built += 1
        return Client()


Pool = WarmableResourcePool[Client]


@dataclass
class Crowd:
    """What many sessions experienced."""

    waits_ms: list[float] = field(default_factory=list)
    wrong_tiers: int = 0

    async def session(self, pool: Pool, number: int) -> None:
        """Take, use, give back; and check that the tier told the truth."""
        asked_at = time.perf_counter()
        client, tier = await pool.acquire_for_session(f"session-{number}", timeout=60)
        self.waits_ms.append((time.perf_counter() - asked_at) * 1000)
        # Nobody else can have used what was built since this caller asked, and only that is cold.
        is_cold = client.users == 0 and client.made_at > asked_at
        self.wrong_tiers += tier is not (AllocationTier.COLD if is_cold else AllocationTier.WARM)
        client.users += 1
        await asyncio.sleep(HOLD_S)
        await pool.release_for_session(f"session-{number}")

    def line(self, name: str, took_s: float, factory: Factory, alive: int) -> str:
        """The figures."""
        waits = sorted(self.waits_ms)
        p50, p99 = waits[len(waits) // 2], waits[len(waits) * 99 // 100]
        return (
            f"{name:<48} {took_s:6.2f} s   wait p50 {p50:6.1f} p99 {p99:6.1f} ms   "
            f"built {factory.built}, {factory.peak} at once, {alive} alive after shutdown, "
            f"{self.wrong_tiers} wrong tiers"
        )


def make_pool(factory: Factory, **options: Any) -> Pool:
    """A pool with every check on."""
    limits = {"max_lifetime_sec": 1800.0, "session_awareness": True, **options}
    return WarmableResourcePool(factory=factory, name="bench", **limits)


async def seconds_of(work: Awaitable[object]) -> float:
    """How long *work* takes."""
    started_at = time.perf_counter()
    await work
    return time.perf_counter() - started_at


async def bench_operations() -> list[str]:
    """One operation at a time, interleaved with the floor, so that a busy machine slows all."""
    queue: asyncio.Queue[Client] = asyncio.Queue()
    for _ in range(10):
        queue.put_nowait(Client())
    pool = make_pool(Factory(takes_s=0), warm_pool_size=10, enable_background_warmup=True)
    await pool.prepare()
    for number in range(50):
        await pool.acquire_for_session(f"cached-{number}")
    await asyncio.sleep(0.05)

    async def floor() -> None:
        await queue.put(await queue.get())

    async def pair() -> None:
        await pool.release(await pool.acquire())

    async def dedicated() -> None:
        await pool.acquire_for_session("cached-7")

    async def lease() -> None:
        async with pool.lease():
            pass

    async def session_lease() -> None:
        async with pool.lease(session_id="leased"):
            pass

    works = {
        "floor: asyncio.Queue get + put": floor,
        "warm acquire + release (target <= 1.8)": pair,
        "dedicated re-acquire (target <= 1.9)": dedicated,
        "async with lease()": lease,
        "async with lease(session_id)": session_lease,
    }
    lines = await in_turns(works)
    await pool.shutdown(0)
    return lines


async def in_turns(works: Mapping[str, Callable[[], Awaitable[None]]]) -> list[str]:
    """Figures of each work, and how many times the first one's median each takes."""
    times: dict[str, list[list[int]]] = {name: [] for name in works}
    for _ in range(ROUNDS):
        for name, work in works.items():
            times[name].append(await nanoseconds_of(work))
    floor_ns = best(next(iter(times.values())), 50)
    lines = []
    for name, rounds in times.items():
        p50, p99 = best(rounds, 50), best(rounds, 99)
        figures = f"p50 {p50 / 1000:5.2f} us   p99 {p99 / 1000:5.2f} us   {p50 / floor_ns:4.1f} x"
        lines.append(f"{name:<48} {figures} the floor")
    return lines


async def nanoseconds_of(work: Callable[[], Awaitable[None]]) -> list[int]:
    """Single durations, sorted; the time of the measuring itself is in all of them."""
    now = time.perf_counter_ns
    found = []
    for _ in range(OPERATIONS):
        started_at = now()
        await work()
        found.append(now() - started_at)
    await asyncio.sleep(0)
    return sorted(found)


def best(rounds: list[list[int]], percentile: int) -> int:
    """The percentile of the round that was disturbed least."""
    return min(times[len(times) * percentile // 100] for times in rounds)


async def bench_sessions() -> list[str]:
    """1000 sessions through a warm stock of 10: ten in the air, and all at once."""
    lines = []
    factory = Factory()
    pool = make_pool(factory, warm_pool_size=10, enable_background_warmup=True)
    await pool.prepare()
    crowd, numbers = Crowd(), iter(range(1000))

    async def one_after_the_other() -> None:
        for number in numbers:
            await crowd.session(pool, number)

    took_s = await seconds_of(asyncio.gather(*(one_after_the_other() for _ in range(10))))
    await pool.shutdown(0)
    name = "1000 sessions, 10 in the air"
    lines.append(crowd.line(name, took_s, factory, pool.snapshot()["alive"]))
    lines.append(f"{'':<48} target <= 2.3 s, <= 20 built, 0 alive, 0 wrong tiers")
    for max_size, at_once in ((10, 10), (64, 64), (1000, 1000)):
        factory, crowd = Factory(), Crowd()
        limits = {"max_size": max_size, "build_concurrency": at_once}
        pool = make_pool(factory, warm_pool_size=10, **limits)
        await pool.prepare()
        sessions = asyncio.gather(*(crowd.session(pool, number) for number in range(1000)))
        took_s = await seconds_of(sessions)
        await pool.shutdown(0)
        name = f"1000 sessions at once, maximum {max_size}"
        lines.append(crowd.line(name, took_s, factory, pool.snapshot()["alive"]))
    return lines


async def bench_prepare() -> list[str]:
    """Ten builds, and a factory that never answers."""
    pool = make_pool(Factory(), warm_pool_size=10)
    took_s = await seconds_of(pool.prepare())
    await pool.shutdown(0)
    lines = [f"{'prepare, 10 x 200 ms':<48} {took_s:6.3f} s   target <= 0.25 s"]
    calls: dict[str, Callable[[Pool], Awaitable[object]]] = {
        "acquire": lambda pool: pool.acquire(timeout=0.5),
        "acquire_for_session": lambda pool: pool.acquire_for_session("s", timeout=0.5),
        "prepare": lambda pool: pool.prepare(timeout=0.5),
    }
    for name, call in calls.items():
        hung = make_pool(Factory(takes_s=3600), warm_pool_size=1)
        started_at = time.perf_counter()
        with contextlib.suppress(PoolExhaustedError):
            await call(hung)
        took_s = time.perf_counter() - started_at
        await hung.shutdown(0)
        title = f"hung factory, timeout 0.5: {name}"
        lines.append(f"{title:<48} {took_s:6.3f} s   target 0.5 s +- 20 ms")
    return lines


async def bench_herd(name: str, session_id: str | None, target: str, at_once: int = 10) -> str:
    """A hundred callers at once on an empty pool that may build so many at once."""
    factory = Factory()
    pool = make_pool(factory, max_size=100, build_concurrency=at_once)
    got: set[int] = set()

    async def caller() -> None:
        client, _ = await pool.acquire_for_session(session_id, timeout=5)
        got.add(id(client))
        if session_id is None:
            await asyncio.sleep(HOLD_S)
            await pool.release(client)

    took_s = await seconds_of(asyncio.gather(*(caller() for _ in range(100))))
    await pool.shutdown(0)
    alive = pool.snapshot()["alive"]
    figures = f"built {factory.built}, {factory.peak} at once, {len(got)} handed out"
    return f"{name:<48} {took_s:6.3f} s   {figures}, {alive} alive after shutdown   {target}"


async def run() -> list[str]:
    """Measure everything; one line per figure."""
    lines = await bench_operations()
    lines += await bench_sessions()
    lines += await bench_prepare()
    for at_once in (10, 100):
        name = f"herd: 100 acquires on an empty pool, {at_once} builds"
        lines.append(await bench_herd(name, None, "target 0 alive", at_once))
    target = "target 1 built, 0 alive"
    lines.append(await bench_herd("herd: 100 acquires for one session", "s", target))
    return lines


def main() -> None:
    """Print the figures."""
    logging.getLogger("voice_agent").setLevel(logging.ERROR)  # a hung factory is reported
    for line in asyncio.run(run()):
        print(line)


if __name__ == "__main__":
    main()
