"""What tools use where nothing is configured: the shipped articles, and no records at all."""

import functools
import secrets
from collections.abc import Mapping

from shared.clock import Clock, SystemClock
from shared.knowledge.embedded import EmbeddedKnowledge
from shared.tools.codes import Codes
from shared.tools.context import EphemeralFacts, KnowledgeBase, ToolContext, ToolServices
from shared.tools.unconfigured import NoCodeStore, NoDelivery, NoDocuments, NoLimits


def embedded_services(
    *,
    transfer_targets: Mapping[str, str] | None = None,
    clock: Clock | None = None,
    knowledge: KnowledgeBase | None = None,
) -> ToolServices:
    """Services that need no account; whatever needs one says that it is not configured.

    Without *knowledge* the shipped articles are read and searched.
    """
    return ToolServices(
        documents=NoDocuments(),
        knowledge=knowledge or EmbeddedKnowledge(),
        transfer_targets={name.lower(): to for name, to in (transfer_targets or {}).items()},
        clock=clock or SystemClock(),
        limits=NoLimits(),
        code_store=NoCodeStore(),
        codes=Codes([secrets.token_bytes(32)]),
        delivery=NoDelivery(),
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
