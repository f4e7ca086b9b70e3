"""Percentiles: exact where all figures are there, bounded in error where they are counted."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.latency.summary import (
    BUCKETS,
    FIRST_MS,
    RATIO,
    bucket_of,
    histogram_summary,
    percentile,
    summary_of,
)

TIMES = st.lists(st.floats(min_value=0, max_value=60_000), min_size=1, max_size=200)


@pytest.mark.parametrize(("percent", "value"), [(50, 5), (95, 10), (99, 10), (10, 1), (1, 1)])
def test_percentile_is_one_of_the_values(percent: float, value: float) -> None:
    """Nobody waited for a mean of two callers."""
    assert percentile([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], percent) == value


def test_summary_of_one_value_is_that_value() -> None:
    """A first call has percentiles as well."""
    figures = summary_of([7.0])
    assert figures.pop("count") == 1
    assert set(figures.values()) == {7.0}


@given(TIMES)
def test_histogram_summary_is_close_to_the_exact_one(times_ms: list[float]) -> None:
    """Never too low, and too high by no more than the width of a bucket."""
    counts = Counter(map(bucket_of, times_ms))
    counted = histogram_summary(counts, sum(round(one * 1000) for one in times_ms))
    exact = summary_of(times_ms)
    assert counted["count"] == exact["count"]
    assert counted["avg_ms"] == pytest.approx(exact["avg_ms"], abs=0.01)
    for name in ("p50_ms", "p95_ms", "p99_ms"):
        assert exact[name] <= counted[name] + 0.001
        assert counted[name] <= max(exact[name] * RATIO, FIRST_MS) + 0.001


def test_bucket_of_anything_is_one_of_few() -> None:
    """An hour of silence must not make a new field."""
    assert [bucket_of(one) for one in (0, FIRST_MS, 10**9)] == [0, 0, BUCKETS - 1]
    assert histogram_summary({BUCKETS - 1: 1}, 10**9)["p50_ms"] > 60_000
