"""What tools use where nothing is configured: the demonstration bank and the shipped articles."""

import functools
from collections.abc import Mapping

from shared.clock import Clock, SystemClock
from shared.knowledge.embedded import EmbeddedKnowledge
from shared.tools.context import EphemeralFacts, ToolContext, ToolServices
from shared.tools.demo_records import EmbeddedRecords


def embedded_services(
    *, transfer_targets: Mapping[str, str] | None = None, clock: Clock | None = None
) -> ToolServices:
    """Services that need no account; reads the shipped files."""
    clock = clock or SystemClock()
    return ToolServices(
        records=EmbeddedRecords(clock),
        knowledge=EmbeddedKnowledge(),
        transfer_targets={name.lower(): to for name, to in (transfer_targets or {}).items()},
        clock=clock,
    )


def sessionless_context() -> ToolContext:
    """The context of a call that belongs to no session: nobody is identified in it."""
    return ToolContext(
        session_id=None,
        agent=None,
        channel="http",
        memo=EphemeralFacts(),
        idempotency_key="",
        services=_shared_services(),
    )


@functools.cache
def _shared_services() -> ToolServices:
    return embedded_services()
