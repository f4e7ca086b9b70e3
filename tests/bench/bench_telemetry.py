"""What telemetry costs a turn: the same calls with it and without, in turns, in one process.

The real exporter sends to a stand-in in another process; the time of its thread is in the figures.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from shared.redis.manager import AzureRedisManager
from shared.telemetry import metrics, names, tracing
from tests.bench.bench_call import TURNS, Figures, one_call
from tests.contract.call_stage import Phone, Stage

ROUNDS = 4
CALLS = 3
SCRIPT = ("my balance",) * TURNS
QUIET = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
}


@contextmanager
def stand_in() -> Iterator[str]:
    """Application Insights in a process of its own; gives the connection string."""
    command = [sys.executable, "-m", "simulator.appinsights"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()


async def calls(manager: AzureRedisManager) -> None:
    """Some calls, one after the other."""
    for _ in range(CALLS):
        await one_call(Stage([manager], Phone(SCRIPT)), Figures(), manager)


async def round_ms(manager: AzureRedisManager, flush: Callable[[], None]) -> tuple[float, float]:
    """CPU and wall milliseconds of a turn; the wall without the sending, which nobody waits for."""
    cpu, wall = time.process_time(), time.perf_counter()
    await calls(manager)
    wall_ms = (time.perf_counter() - wall) * 1000
    flush()
    cpu_ms = (time.process_time() - cpu) * 1000
    return cpu_ms / (CALLS * TURNS), wall_ms / (CALLS * TURNS)


def span_us(repeats: int = 20_000) -> float:
    """Microseconds of an empty span with two attributes."""
    started_at = time.perf_counter()
    for number in range(repeats):
        with tracing.span(names.SPAN_TURN, {names.TURN: number, names.TURN_CUE: "utterance"}):
            pass
    return (time.perf_counter() - started_at) / repeats * 1e6


async def run(redis_url: str) -> Sequence[str]:
    """All figures."""
    os.environ.update(QUIET)  # noqa: TID251 - the exporter reads these
    off_us = span_us()
    started_at = time.process_time()
    from opentelemetry import metrics as otel_metrics
    from opentelemetry import trace
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import TracerProvider

    from shared.telemetry.configuration import configure_tracing, flush

    with stand_in() as connection_string:
        configure_tracing("bench", "0", connection_string=connection_string)
        configured_ms = (time.process_time() - started_at) * 1000
        tracer, recorder = tracing.use_tracer(None), metrics.use_recorder(None)
        figures: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
        async with AzureRedisManager(url=redis_url) as manager:
            await calls(manager)
            for number in range(2 * ROUNDS):
                is_on = bool(number % 2)
                with (
                    tracing.traced_by(tracer if is_on else None),
                    metrics.recorded_by(recorder if is_on else None),
                ):
                    figures[is_on].append(await round_ms(manager, flush))
        with tracing.traced_by(tracer):
            on_us = span_us(2000)
        for provider in (trace.get_tracer_provider(), otel_metrics.get_meter_provider()):
            if isinstance(provider, TracerProvider | MeterProvider):
                provider.shutdown()  # while there is somebody to send to
    cpu, wall = (
        [statistics.median(one[which] for one in figures[is_on]) for is_on in (False, True)]
        for which in (0, 1)
    )
    return [
        f"Telemetry (the calls above, {ROUNDS} rounds with and without, medians)",
        f"  CPU a turn   {cpu[0]:6.2f} ms without, {cpu[1]:6.2f} ms with:"
        f" {cpu[1] - cpu[0]:+.2f} ms, sending included",
        f"  wall a turn  {wall[0]:6.2f} ms without, {wall[1]:6.2f} ms with:"
        f" {wall[1] - wall[0]:+.2f} ms",
        f"  a span       {off_us:6.2f} us without, {on_us:6.2f} us with",
        f"  beginning    {configured_ms:6.0f} ms of CPU, once a process, not on the event loop",
    ]
