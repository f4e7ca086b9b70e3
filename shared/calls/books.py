"""What this process tells of its work: to the histograms of all, and to the metrics."""

from shared.cost.prices import Prices
from shared.latency.report import times_of
from shared.state.tally import LatencyTally
from shared.telemetry.metrics import COST, record
from shared.types import Json


class BooksOfThisProcess:
    """Counts turns and money as they come; `shared.calls.journal.Books`."""

    def __init__(self, tally: LatencyTally, prices: Prices) -> None:
        self._tally = tally
        self._prices = prices

    def used(self, usage: dict[str, int]) -> None:
        """Count what it cost."""
        for item, amount in self._prices.cost_of(usage).items.items():
            if amount:
                record(COST, float(amount), {"item": item})

    def turn_over(self, turn: Json) -> None:
        """Count how long it took, and its stages."""
        self._tally.note(times_of(turn))
