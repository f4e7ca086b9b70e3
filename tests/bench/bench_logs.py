"""What a log line and a stage of a stopwatch cost, in microseconds of CPU."""

import io
import logging
import time
from collections.abc import Callable

from shared.latency.stages import Stages
from shared.latency.tool import LatencyTool
from shared.state.memo import MemoManager
from shared.telemetry.context import log_facts
from shared.telemetry.logs import ROOT, configure_logging, get_logger
from shared.telemetry.redaction import redact

LINES, ROUNDS = 2_000, 5
SUMMARY = (
    "The caller asked why card 4111 1111 1111 1111 was charged twice on 2026-11-27. We refunded"
    " order 12345678 and will call back on (415) 555-0100; write to ann@example.com. " * 4
)
logger = get_logger("bench")


def best_us(work: Callable[[], object], times: int = LINES) -> float:
    """CPU microseconds of one run of *work*, the best round."""
    rounds = []
    for _ in range(ROUNDS):
        started_at = time.process_time()
        for _ in range(times):
            work()
        rounds.append((time.process_time() - started_at) / times)
    return min(rounds) * 1e6


def with_facts() -> None:
    """A line as the app writes it once a turn."""
    logger.info("turn done", extra={"turn": 3, "agent": "concierge", "silence_ms": 412.5})


def with_a_crash() -> None:
    """A line with a traceback."""
    try:
        raise ValueError("no")
    except ValueError:
        logger.exception("function crashed", extra={"function": "post_turn"})


async def run() -> list[str]:
    """All figures."""
    ours, root = logging.getLogger(ROOT), logging.getLogger()
    before = (ours.handlers, ours.level, ours.propagate, root.handlers)
    root.handlers = [logging.StreamHandler(io.StringIO())]
    configure_logging(level="INFO", is_json=True)
    memo = MemoManager()
    tool, stages = LatencyTool(memo), Stages(time.perf_counter)

    def stage() -> None:
        tool.start("llm")
        tool.stop("llm")

    try:
        with log_facts(session_id="01a21f9f-81ab-7f74-9eca-f6b3e849fd68", call_connection_id="c"):
            figures = {
                "log line, switched off": best_us(lambda: logger.debug("x", extra={"turn": 3})),
                "log line, JSON, five facts": best_us(with_facts),
                "log line with a traceback": best_us(with_a_crash, 300),
                "redaction of a summary of 680 characters": best_us(lambda: redact(SUMMARY), 300),
                "stage of a turn": best_us(lambda: stages.reached("llm")),
                "stage of a LatencyTool, kept with the session": best_us(stage),
            }
    finally:
        ours.handlers, level, ours.propagate, root.handlers = before
        ours.setLevel(level)
    return [
        "Logs and latency (CPU microseconds each, best of 5 rounds)",
        *(f"  {name:<46} {figure:8.2f}" for name, figure in figures.items()),
    ]
