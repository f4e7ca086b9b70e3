"""What a turn's state costs, beside the floor: a bare HGETALL + HSET of the same data.

Run ``python -m tests.bench.bench_state [redis-url]``; without a URL it starts a server.
"""

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from redis.asyncio import Redis

from shared.redis.manager import AzureRedisManager
from shared.state.memo import MemoManager
from shared.state.session_ids import new_session_id
from shared.types import SessionId
from tests.contract.redis_wire import running_server

TEXT = "x" * 200
TURNS = 1000
SESSIONS = 200


class Times:
    """Durations of one kind of work."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ms: list[float] = []

    async def of(self, work: Callable[[], Awaitable[object]]) -> None:
        """Run *work* once and note how long it took."""
        start = time.perf_counter()
        await work()
        self.ms.append((time.perf_counter() - start) * 1000)

    def line(self) -> str:
        """The figures of a kind, and how many of it fit into a second one after the other."""
        times = sorted(self.ms)
        p50, p99 = times[len(times) // 2], times[int(len(times) * 0.99)]
        rate = len(times) / sum(times) * 1000
        return f"{self.name:<38} p50 {p50:7.3f} ms  p99 {p99:7.3f} ms  {rate:8.0f}/s"


async def new_session(redis: AzureRedisManager, messages: int) -> SessionId:
    """Store a session with that many messages and a little context."""
    memo = MemoManager(new_session_id(), redis)
    for at in range(messages):
        memo.append_to_history("user" if at % 2 == 0 else "assistant", TEXT)
    for key in range(6):
        memo.set_context(f"key_{key}", "a short value")
    await memo.persist()
    return memo.session_id


async def turn(redis: AzureRedisManager, session_id: SessionId) -> None:
    """Load, read the history, append what both said, save."""
    memo = await MemoManager.from_redis_async(session_id, redis)
    memo.get_history()
    memo.append_to_history("user", TEXT)
    memo.append_to_history("assistant", TEXT)
    await memo.persist()


async def bench_parts(redis: AzureRedisManager, floor: "Redis") -> list[str]:
    """A turn and its parts at 100 messages, interleaved with the floor."""
    names = ("turn (load, history, append 2, persist)", "load", "history (parse)")
    whole, load, read = (Times(name) for name in names)
    append, persist, unchanged = Times("append 2"), Times("persist"), Times("persist unchanged")
    bare = Times("floor: bare HGETALL + parse + HSET")
    document = json.dumps([{"role": "user", "content": TEXT}] * 100)
    await floor.hset("va:bench:floor", mapping={"chat_history": document, "corememory": "{}"})
    memos: list[MemoManager] = []
    ids: list[SessionId] = []

    async def do_load(session_id: SessionId) -> None:
        memos.append(await MemoManager.from_redis_async(session_id, redis))

    async def do_read() -> None:
        memos[-1].get_history()

    async def do_append() -> None:
        memos[-1].append_to_history("user", TEXT)
        memos[-1].append_to_history("assistant", TEXT)

    async def do_floor() -> None:
        found = await floor.hgetall("va:bench:floor")
        json.loads(found["chat_history"])
        await floor.hset("va:bench:floor", mapping={"chat_history": found["chat_history"]})

    for at in range(TURNS):
        if at % 25 == 0:
            # Begun anew, so that the histories stay near 100 messages.
            ids[:] = [await new_session(redis, 75) for _ in range(2)]
        await whole.of(lambda: turn(redis, ids[0]))
        await load.of(lambda: do_load(ids[1]))
        await read.of(do_read)
        await append.of(do_append)
        await persist.of(memos[-1].persist)
        await unchanged.of(memos[-1].persist)
        await bare.of(do_floor)
        memos.clear()
    return [times.line() for times in (whole, load, read, append, persist, unchanged, bare)]


async def bytes_in(floor: "Redis") -> int:
    """What the server has read from all its clients so far."""
    info = await floor.info("stats")
    return int(info["total_net_input_bytes"])


async def bench_sizes(redis: AzureRedisManager, floor: "Redis") -> list[str]:
    """Time and written bytes of a turn at three lengths of the history."""
    lines = []
    for messages in (10, 100, 1000):
        times = Times(f"turn at {messages} messages")
        session_id = await new_session(redis, messages)
        before = await bytes_in(floor)
        asked = await bytes_in(floor) - before
        before = await bytes_in(floor)
        for _ in range(20):
            await times.of(lambda: turn(redis, session_id))  # noqa: B023 - awaited in this round
        written = (await bytes_in(floor) - before - asked) // 20
        lines.append(f"{times.line()}  {written} bytes sent per turn")
    return lines


@contextlib.asynccontextmanager
async def longest_stall() -> AsyncIterator[list[float]]:
    """Tick every millisecond; afterwards the list holds the longest delay of a tick, in ms.

    Second in the list: the longest by the time this thread had the processor, which leaves out
    what other processes took.
    """
    longest = [0.0, 0.0]
    done = asyncio.Event()

    async def tick() -> None:
        while not done.is_set():
            start, ran = time.perf_counter(), time.thread_time()
            await asyncio.sleep(0.001)
            longest[0] = max(longest[0], (time.perf_counter() - start - 0.001) * 1000)
            longest[1] = max(longest[1], (time.thread_time() - ran - 0.001) * 1000)

    ticker = asyncio.create_task(tick())
    yield longest
    done.set()
    await ticker


async def bench_crowd(redis: AzureRedisManager) -> list[str]:
    """Many sessions at once: turns per second, and how long the loop was held up."""
    ids = [await new_session(redis, 100) for _ in range(SESSIONS)]
    times = Times("")
    rates, stalls, own = [], [], []
    for _ in range(5):
        gc.collect()
        async with longest_stall() as stall:
            start = time.perf_counter()
            await asyncio.gather(*(times.of(lambda i=i: turn(redis, i)) for i in ids))  # type: ignore[misc]
            rates.append(SESSIONS / (time.perf_counter() - start))
        stalls.append(stall[0])
        own.append(stall[1])
    return [
        f"{SESSIONS} sessions at once: best {max(rates):.0f}, "
        f"median {sorted(rates)[2]:.0f} turns/s; "
        f"loop stalled best {min(stalls):.1f} ms, median {sorted(stalls)[2]:.1f} ms, "
        f"worst {max(stalls):.1f} ms; by processor time worst {max(own):.1f} ms"
    ]


async def bench_writers(redis: AzureRedisManager) -> list[str]:
    """Twenty writers of one session at once: what is kept."""
    session_id = await new_session(redis, 0)

    async def write(at: int) -> None:
        memo = await MemoManager.from_redis_async(session_id, redis)
        memo.append_to_history("user", str(at))
        memo.set_context(f"writer_{at}", at)
        await memo.persist()

    await asyncio.gather(*(write(at) for at in range(20)))
    memo = await MemoManager.from_redis_async(session_id, redis)
    keys = sum(1 for key in memo.context if key.startswith("writer_"))
    return [f"20 writers at once: {len(memo.get_history())} messages and {keys} keys kept"]


async def run(redis_url: str) -> list[str]:
    """Measure everything; one line per figure."""
    floor = Redis.from_url(redis_url, decode_responses=True)
    async with AzureRedisManager(url=redis_url) as redis:
        await redis.ping_async()
        await turn(redis, await new_session(redis, 1))
        lines = await bench_parts(redis, floor)
        lines += await bench_sizes(redis, floor)
        lines += await bench_crowd(redis)
        lines += await bench_writers(redis)
    await floor.aclose()
    return lines


def main() -> None:
    """Print the figures."""
    with contextlib.ExitStack() as stack:
        if len(sys.argv) > 1:
            url = sys.argv[1]
        else:
            url = f"redis://127.0.0.1:{stack.enter_context(running_server())}/0"
        for line in asyncio.run(run(url)):
            print(line)


if __name__ == "__main__":
    main()
