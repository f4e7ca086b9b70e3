"""What the journal keeps of a step, and what the meter makes of it."""

from dataclasses import replace
from typing import Protocol

from shared.calls.codec import encode
from shared.calls.events import Event
from shared.calls.flow import Step
from shared.calls.meter import metered, usage_key
from shared.calls.visit import Visit
from shared.types import Json


class Books(Protocol):
    """Who wants to know what was used and how long it took; must not fail."""

    def used(self, usage: dict[str, int]) -> None:
        """So much was used, and it is in the session."""
        ...

    def turn_over(self, record: Json) -> None:
        """A turn that this process has run is over."""
        ...


class NoBooks:
    """Nobody."""

    def used(self, usage: dict[str, int]) -> None:
        """Forget it."""

    def turn_over(self, record: Json) -> None:
        """Forget it."""


def account(
    visit: Visit, event: Event | None, step: Step, *, at_ms: int
) -> tuple[Json | None, Step]:
    """The journal entry of a step, and the step with what it has used.

    Args:
        visit: Who works on it; what its turn has used is noted in its memory.
        event: What happened; None: nothing, then there is no entry.
        step: What was decided.
        at_ms: Unix time.
    """
    if event is None:
        return None, step
    recorded = encode(event)
    recorded.pop("incoming_call_context", None)  # 8 kB that are worthless once the call is answered
    entry = {
        "event": recorded,
        "decided": [one.id for one in step.commands],
        "turn": step.state.turn,
        "at_ms": at_ms,
        "busy_ms": visit.busy_ms(),
    }
    meter = metered(step.state.meter, entry)
    visit.memo.set_context(usage_key(meter.number), meter.turn)
    return entry, replace(step, state=replace(step.state, meter=meter))
