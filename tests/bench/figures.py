"""How figures are written."""

from collections.abc import Sequence


def percentiles(times_ms: Sequence[float]) -> str:
    """Median and 99th percentile of *times_ms*."""
    ordered = sorted(times_ms)
    median = ordered[len(ordered) // 2]
    last = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return f"p50 {median:6.2f} ms p99 {last:6.2f} ms"
