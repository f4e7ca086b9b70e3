"""What a pool counts. Every call ends in exactly one of: served, failed, cancelled."""

from typing import TypeVar

from shared.pools.allocation import AllocationTier
from shared.pools.stock import Stock
from shared.types import Json

T = TypeVar("T")


class Counters:
    """Counters since the pool was made; they only ever grow."""

    __slots__ = (
        "cancelled_total",
        "cold_total",
        "dedicated_total",
        "failures_total",
        "wait_ms_total",
        "waits_total",
        "warm_total",
        "warmup_cycles",
    )

    def __init__(self) -> None:
        self.dedicated_total = 0
        self.warm_total = 0
        self.cold_total = 0
        self.failures_total = 0
        self.cancelled_total = 0
        self.waits_total = 0
        """Calls that could not be served at once, however they ended."""
        self.wait_ms_total = 0.0
        self.warmup_cycles = 0

    def count(self, tier: AllocationTier) -> None:
        """A caller was served."""
        if tier is AllocationTier.DEDICATED:
            self.dedicated_total += 1
        elif tier is AllocationTier.WARM:
            self.warm_total += 1
        else:
            self.cold_total += 1

    def as_json(self) -> Json:
        """The counters under the names of a snapshot."""
        return {
            "allocations_total": self.dedicated_total + self.warm_total + self.cold_total,
            "allocations_dedicated": self.dedicated_total,
            "allocations_warm": self.warm_total,
            "allocations_cold": self.cold_total,
            "failures_total": self.failures_total,
            "cancelled_total": self.cancelled_total,
            "waits_total": self.waits_total,
            "wait_ms_total": round(self.wait_ms_total, 3),
            "warmup_cycles": self.warmup_cycles,
        }


def figures_of(stock: Stock[T], counters: Counters) -> Json:
    """Gauges of this moment and, under ``metrics``, counters since the start."""
    shop = stock.workshop
    gauges = {"active_sessions": len(stock.sessions), "warm_pool_size": len(stock.idle)}
    return {
        **gauges,
        "warm_pool_target": stock.limits.warm_size,
        "max_size": stock.limits.max_size,
        "idle": len(stock.idle),
        "parked": len(stock.parked),
        "leased": len(stock.entries) - len(stock.idle) - len(stock.parked),
        "building": len(shop.builds),
        "alive": shop.alive,
        "waiters": stock.line.callers,
        "metrics": {
            **gauges,
            **counters.as_json(),
            "warmup_failures": stock.build_failures_total,
            "built_total": shop.built_total,
            "closed_total": shop.closed_total,
        },
    }
