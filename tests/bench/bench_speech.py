"""How soon a caller hears something, by where the synthesizer came from.

The real SDK, and the stand-in in a process of its own with a handshake of 150 ms, about what TLS
and a WebSocket cost over a region. Run ``python -m tests.bench.bench_speech``.
"""

import asyncio
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

from shared.pools.warmable import WarmableResourcePool
from shared.speech.service import SpeechAddress, SpeechService
from shared.speech.synthesizer import SpeechSynthesizer
from shared.speech.voices import Voice, build_ssml
from tests.bench.figures import percentiles

VOICE = Voice("en-US-AvaMultilingualNeural", "en-US")
GREETING = build_ssml("Hello, you have reached the bank. How can I help you today?", VOICE)
HANDSHAKE_MS = 150
SAMPLES = 30
CALLS = 50
POOL = 5

Pool = WarmableResourcePool[SpeechSynthesizer]
Times = dict[str, list[float]]


@asynccontextmanager
async def running_stand_in() -> AsyncIterator[str]:
    """Start the process; gives the address of the host."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "simulator.speech",
        "--connect-delay-ms",
        str(HANDSHAKE_MS),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("the process has no pipes")
    try:
        yield json.loads(await process.stdout.readline())["host"]
    finally:
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def pool_of(
    service: SpeechService, size: int, *, max_size: int = 64, keeps_filling: bool = False
) -> AsyncIterator[Pool]:
    """A prepared pool of connected synthesizers."""

    async def build() -> SpeechSynthesizer:
        return SpeechSynthesizer(service)

    async def warm(synthesizer: SpeechSynthesizer) -> bool:
        await synthesizer.warm()
        return True

    pool = Pool(
        factory=build,
        name="tts",
        warm_pool_size=size,
        enable_background_warmup=keeps_filling,
        session_awareness=True,
        warm_fn=warm,
        max_size=max_size,
    )
    await pool.prepare()
    try:
        yield pool
    finally:
        await pool.shutdown()


async def greet(pool: Pool, session_id: str, times: Times, *, ends: bool) -> None:
    """Borrow and speak; notes the time from the wish to the first sound."""
    started_at = time.perf_counter()
    async with pool.lease(session_id=session_id, timeout=10) as (synthesizer, tier):
        is_first = True
        async with aclosing(synthesizer.stream(GREETING, deadline_s=10)) as pieces:
            async for _ in pieces:
                if is_first:
                    times[tier.value].append((time.perf_counter() - started_at) * 1000)
                is_first = False
    if ends:
        await pool.release_for_session(session_id)


async def bench_tiers(service: SpeechService) -> list[str]:
    """One caller at a time."""
    times: Times = defaultdict(list)
    async with pool_of(service, 0, max_size=SAMPLES) as pool:
        for number in range(SAMPLES):
            await greet(pool, f"cold-{number}", times, ends=False)
    async with pool_of(service, 1) as pool:
        for number in range(SAMPLES):
            await greet(pool, f"warm-{number}", times, ends=True)
        for _ in range(SAMPLES + 1):
            await greet(pool, "dedicated", times, ends=False)
    return [
        f"  {tier:<10} time to first byte {percentiles(times[tier])}   ({len(times[tier])} calls)"
        for tier in ("cold", "warm", "dedicated")
    ]


async def bench_burst(service: SpeechService, spread_s: float) -> str:
    """Fifty calls within *spread_s* seconds, a pool of five that may grow."""
    times: Times = defaultdict(list)

    async def call(number: int) -> None:
        await asyncio.sleep(number * spread_s / CALLS)
        await greet(pool, f"call-{number}", times, ends=True)

    async with pool_of(service, POOL, keeps_filling=True) as pool:
        await asyncio.gather(*(call(number) for number in range(CALLS)))
    counts = Counter({tier: len(found) for tier, found in times.items()})
    share = 100 * (CALLS - counts["cold"]) / CALLS
    everyone = [each for found in times.values() for each in found]
    return (
        f"  {CALLS} calls in {spread_s:.0f} s, pool of {POOL}: {share:.0f} % warm or better, "
        f"time to first byte {percentiles(everyone)}"
    )


async def bench_floor(service: SpeechService) -> str:
    """The same synthesizer again and again, without a pool."""
    synthesizer = SpeechSynthesizer(service)
    await synthesizer.warm()
    times = [
        (await synthesizer.synthesize(GREETING, deadline_s=10)).first_byte_ms
        for _ in range(SAMPLES)
    ]
    await synthesizer.aclose()
    return f"  floor      time to first byte {percentiles(times)}   (one synthesizer, no pool)"


async def run(_redis_url: str = "") -> list[str]:
    """Measure everything; one line per figure."""
    lines = [f"speech: real SDK, stand-in with a handshake of {HANDSHAKE_MS} ms"]
    async with running_stand_in() as host:
        service = SpeechService(SpeechAddress(host=host), threads=16)
        parts: list[Callable[[], Awaitable[list[str]]]] = [
            lambda: _as_list(bench_floor(service)),
            lambda: bench_tiers(service),
            lambda: _as_list(bench_burst(service, 0.0)),
            lambda: _as_list(bench_burst(service, 5.0)),
        ]
        for part in parts:
            lines += await part()
        await service.aclose()
    return lines


async def _as_list(line: Awaitable[str]) -> list[str]:
    return [await line]


def main() -> None:
    """Print the figures."""
    for line in asyncio.run(run()):
        print(line)


if __name__ == "__main__":
    main()
