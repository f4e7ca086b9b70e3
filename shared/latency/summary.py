"""What a number of durations amounts to: exact figures of a list, and a histogram for many."""

import math
from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence

from shared.types import Json

FIRST_MS = 0.5
RATIO = 1.2
BUCKETS = 68
"""The last one begins above a minute and holds everything longer."""
_BOUNDS_MS = tuple(FIRST_MS * RATIO**number for number in range(BUCKETS - 1))

PERCENTILES = (50, 95, 99)


def percentile(ordered: Sequence[float], percent: float) -> float:
    """The value that *percent* of all do not exceed: one of them, never something in between."""
    place = math.ceil(percent / 100 * len(ordered))
    return ordered[max(1, place) - 1]


def summary_of(times_ms: Iterable[float]) -> Json:
    """Count, mean, extremes, total and percentiles of at least one duration, in milliseconds."""
    ordered = sorted(times_ms)
    total_ms = sum(ordered)
    return {
        "count": len(ordered),
        "avg_ms": total_ms / len(ordered),
        "min_ms": ordered[0],
        "max_ms": ordered[-1],
        "total_ms": total_ms,
        **{f"p{one}_ms": percentile(ordered, one) for one in PERCENTILES},
    }


def summaries_of(samples: Iterable[tuple[str, float]]) -> dict[str, Json]:
    """The summary of each stage in *samples*, pairs of a stage and its milliseconds."""
    by_stage: dict[str, list[float]] = {}
    for stage, duration_ms in samples:
        by_stage.setdefault(stage, []).append(duration_ms)
    return {stage: summary_of(times_ms) for stage, times_ms in by_stage.items()}


def bucket_of(duration_ms: float) -> int:
    """The bucket of a duration: each is a fifth wider than the one before."""
    return bisect_left(_BOUNDS_MS, duration_ms)


def histogram_summary(counts: Mapping[int, int], total_us: int) -> Json:
    """What a histogram tells: exact count and mean, percentiles too high by a fifth at most.

    Args:
        counts: How many durations each bucket holds; at least one.
        total_us: Their sum in microseconds.
    """
    count = sum(counts.values())
    figures: Json = {"count": count, "avg_ms": round(total_us / count / 1000, 3)}
    for percent in PERCENTILES:
        left = math.ceil(percent / 100 * count)
        for bucket in sorted(counts):
            left -= counts[bucket]
            if left <= 0:
                break
        # Of the last bucket only the beginning is known.
        figures[f"p{percent}_ms"] = round(_BOUNDS_MS[min(bucket, BUCKETS - 2)], 3)
    return figures
