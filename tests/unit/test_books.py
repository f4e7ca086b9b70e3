"""What this process has used becomes a measurement, once, as it comes."""

import pytest

from shared.calls.books import BooksOfThisProcess
from shared.clock import SystemClock
from shared.cost.prices import Prices
from shared.redis.manager import AzureRedisManager
from shared.state.tally import LatencyTally
from shared.telemetry.metrics import Instrument, Labels, recorded_by


class FakeRecorder:
    """Keeps what is recorded."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, float, str]] = []

    def record(self, instrument: Instrument, value: float, labels: Labels) -> None:
        """Keep it."""
        self.taken.append((instrument.name, value, labels["item"]))


@pytest.fixture
def tally() -> LatencyTally:
    """A tally that sends nothing."""
    return LatencyTally(AzureRedisManager(url="redis://127.0.0.1:1/0"), SystemClock())


def test_books_measure_what_was_spent_by_what_for(tally: LatencyTally) -> None:
    """Amounts of nothing are not sent."""
    recorder, books = FakeRecorder(), BooksOfThisProcess(tally, Prices())
    with recorded_by(recorder):
        books.used({"gpt-4o/input": 100, "speech/characters": 0, "acs/inbound_ms": 60_000})
    assert recorder.taken == [
        ("voice.cost", 0.00025, "model_input"),
        ("voice.cost", 0.0085, "acs"),
    ]


def test_books_count_turns_for_the_histograms(tally: LatencyTally) -> None:
    """They ride with the next commit."""
    books = BooksOfThisProcess(tally, Prices())
    assert tally.rider() is None
    books.turn_over({"silence_ms": 12.0, "stages_ms": {"tools": 3.0}})
    rider = tally.rider()
    assert rider is not None
    assert {"silence|us", "tools|us"} <= set(map(str, rider.args))
