"""What became of a text that was to be spoken, and what that took."""

from dataclasses import dataclass

from shared.pools.allocation import AllocationTier
from shared.types import Json


@dataclass(frozen=True, slots=True)
class Allocation:
    """How a synthesizer or recognizer was come by, and how fast it answered."""

    tier: AllocationTier
    wait_ms: float
    """From asking the pool to having it."""
    first_byte_ms: float | None = None
    """From having it to the first sound; None for a recognizer."""

    def as_json(self) -> Json:
        """As it is kept with a turn; without what was not measured."""
        facts: Json = {"tier": self.tier.value, "wait_ms": round(self.wait_ms, 1)}
        if self.first_byte_ms is not None:
            facts["first_byte_ms"] = round(self.first_byte_ms, 1)
        return facts


@dataclass(frozen=True, slots=True)
class Rendition:
    """A text as a sound file that ACS can fetch."""

    url: str
    allocation: Allocation | None = None
    """None for one that was there already."""
