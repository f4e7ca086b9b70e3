"""How the parts that act for callers fit together; `shared.resources` builds them when needed."""

from dataclasses import replace
from typing import TYPE_CHECKING, Protocol

from shared.clock import Clock
from shared.knowledge.cosmos import CosmosVectorRetriever
from shared.knowledge.embedded import EmbeddedKnowledge
from shared.pools.lazy import Lazy
from shared.redis.manager import AzureRedisManager
from shared.settings import Settings
from shared.state.codes import RedisCodes, RedisLimits
from shared.state.ledger import RedisLedger
from shared.state.store import SessionStore
from shared.tools import registry as tools
from shared.tools.codes import CodeDelivery, Codes
from shared.tools.context import ToolServices
from shared.tools.delivery import DeferredDelivery
from shared.tools.desk import ToolDesk
from shared.tools.embedded import embedded_services
from shared.tools.mcp import McpServer
from shared.tools.registry import ToolRegistry
from shared.tools.unconfigured import NoDocuments

if TYPE_CHECKING:
    from shared.records.cosmos import CosmosDocuments


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    clock: Clock
    delivery: Lazy[CodeDelivery]
    documents: "Lazy[CosmosDocuments]"
    knowledge: Lazy[EmbeddedKnowledge | CosmosVectorRetriever]
    ledger: Lazy[RedisLedger]
    redis: Lazy[AzureRedisManager]
    registry: Lazy[ToolRegistry]
    store: Lazy[SessionStore]
    tool_desk: Lazy[ToolDesk]
    tool_services: Lazy[ToolServices]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_registry(parts: Parts) -> ToolRegistry:
    """Every tool, whoever may use it."""
    return tools.build_registry()


async def build_tool_services(parts: Parts) -> ToolServices:
    """What tools work with."""
    settings, redis = parts.settings, await parts.redis.get()
    has_database = settings.cosmos_endpoint is not None
    documents = await parts.documents.get() if has_database else NoDocuments()
    return replace(
        embedded_services(
            transfer_targets=settings.transfer_targets,
            clock=parts.clock,
            knowledge=await parts.knowledge.get(),
        ),
        documents=documents,
        limits=RedisLimits(redis),
        code_store=RedisCodes(redis),
        takes_voicemail=settings.has_speech,
        delivery=DeferredDelivery(_methods(settings), parts.delivery.get),
        codes=Codes([key.encode() for key in settings.callback_signing_keys]),
    )


async def build_tool_desk(parts: Parts) -> ToolDesk:
    """Runs tools for HTTP clients."""
    return ToolDesk(
        await parts.registry.get(),
        await parts.store.get(),
        ledger=await parts.ledger.get(),
        services=await parts.tool_services.get(),
    )


async def build_mcp(parts: Parts) -> McpServer:
    """Offers the tools to other agents."""
    return McpServer(await parts.registry.get(), await parts.tool_desk.get())


def _methods(settings: Settings) -> frozenset[str]:
    """The ways to send a message that have a sender."""
    senders = {"sms": settings.sms_sender, "email": settings.email_sender}
    return frozenset(name for name, sender in senders.items() if sender)
