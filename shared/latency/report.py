"""The latency of a session, from what it has kept of its turns and stages."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.latency.summary import summaries_of
from shared.latency.tool import StageNote
from shared.latency.waterfall import Waterfall, waterfall_of
from shared.types import Json

SILENCE = "silence"
"""What the caller waited for as a whole; the stages are its parts."""


@dataclass(frozen=True, slots=True)
class LatencyReport:
    """What one session's callers waited for."""

    turns: tuple[Waterfall, ...]
    stages: dict[str, Json]
    """The summary of each stage, the silence first."""


def times_of(record: Json) -> dict[str, float]:
    """What to count of a turn: its silence and its stages."""
    return {SILENCE: record["silence_ms"], **record["stages_ms"]}


def report_of(records: Iterable[Json], notes: Sequence[StageNote]) -> LatencyReport:
    """Put together the records of turns and what a ``LatencyTool`` has noted."""
    kept = list(records)
    samples = [pair for record in kept for pair in times_of(record).items()]
    samples += [(one.stage, one.duration_ms) for one in notes]
    return LatencyReport(tuple(map(waterfall_of, kept)), summaries_of(samples))
