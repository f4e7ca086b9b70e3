"""The composition root: which parts a process has. Each is built on first use, once per process.

How a part is built stands in ``shared/<concern>_parts.py``. Those modules are imported when a part
is wanted, on a thread beside the loop, so that importing the app loads no SDK.
"""

import asyncio
import importlib
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from shared.clock import Clock, SystemClock
from shared.errors import SettingsError
from shared.pools.lazy import Lazy
from shared.settings import Settings
from shared.telemetry.logs import configure_logging
from shared.types import Json

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.agent.conversation import Conversation
    from shared.agent.loader import AgentDefinition
    from shared.agent.model import ChatModel
    from shared.agent.scenario import Scenario
    from shared.auth.signatures import CallbackSigner, FileSigner
    from shared.auth.tokens import AcsTokenVerifier, JwksCache
    from shared.calls.archivist import Archivist
    from shared.calls.chat import Chat
    from shared.calls.recordings import CallRecordings
    from shared.calls.reports import Reports
    from shared.calls.runner import CallRunner
    from shared.calls.sweeper import Sweeper
    from shared.calls.telephony import Telephony
    from shared.cosmos.database import CosmosDatabase
    from shared.knowledge.cosmos import CosmosVectorRetriever
    from shared.knowledge.embedded import EmbeddedKnowledge
    from shared.knowledge.embeddings import OpenAIEmbeddings
    from shared.knowledge.shelf import PassageShelf
    from shared.openai.client import ApiKey
    from shared.records.cosmos import CosmosDocuments
    from shared.redis.manager import AzureRedisManager
    from shared.speech.desk import SpeechDesk
    from shared.speech.prompts import Prompts
    from shared.speech.service import SpeechService
    from shared.speech_parts import SttPool, TtsPool
    from shared.state.ledger import RedisLedger
    from shared.state.store import SessionStore
    from shared.tools.codes import CodeDelivery
    from shared.tools.context import ToolServices
    from shared.tools.desk import ToolDesk
    from shared.tools.mcp import McpServer
    from shared.tools.registry import ToolRegistry
    from shared.types import AgentName

HEAVY = (
    "shared.state_parts",
    "shared.data_parts",
    "shared.knowledge_parts",
    "shared.tool_parts",
    "shared.call_parts",
)
"""What the first call needs; importing it takes more than a second of CPU."""


class Resources:
    """The parts of one process."""

    def __init__(self, *, clock: Clock | None = None, settings: Settings | None = None) -> None:
        self.clock = clock or SystemClock()
        self._given = settings
        self.built_ms: dict[str, float] = {}
        self.imported = Lazy(self._prepare)
        part = self._part
        # state and identity
        self.credential: Lazy[AsyncTokenCredential] = part("state_parts", "credential")
        self.redis: Lazy[AzureRedisManager] = part("state_parts", "redis")
        self.store: Lazy[SessionStore] = part("state_parts", "store")
        self.ledger: Lazy[RedisLedger] = part("state_parts", "ledger")
        self.signer: Lazy[CallbackSigner] = part("state_parts", "signer")
        self.file_signer: Lazy[FileSigner] = part("state_parts", "file_signer")
        self.openai_key: Lazy[ApiKey] = part("state_parts", "openai_key")
        self.jwks: Lazy[JwksCache] = part("state_parts", "jwks")
        self.acs_tokens: Lazy[AcsTokenVerifier] = part("state_parts", "acs_tokens")
        # tools
        self.registry: Lazy[ToolRegistry] = part("tool_parts", "registry")
        self.delivery: Lazy[CodeDelivery] = part("message_parts", "delivery")
        self.tool_services: Lazy[ToolServices] = part("tool_parts", "tool_services")
        self.tool_desk: Lazy[ToolDesk] = part("tool_parts", "tool_desk")
        self.archivist: Lazy[Archivist] = part("call_parts", "archivist")
        self.reports: Lazy[Reports] = part("call_parts", "reports")
        self.mcp: Lazy[McpServer] = part("tool_parts", "mcp")
        # documents
        self.database: Lazy[CosmosDatabase] = part("data_parts", "database")
        self.documents: Lazy[CosmosDocuments] = part("data_parts", "documents")
        # knowledge
        self.embeddings: Lazy[OpenAIEmbeddings] = part("knowledge_parts", "embeddings")
        self.shelf: Lazy[PassageShelf] = part("knowledge_parts", "shelf")
        self.knowledge: Lazy[EmbeddedKnowledge | CosmosVectorRetriever] = part(
            "knowledge_parts", "knowledge"
        )
        # calls
        self.scenario: Lazy[Scenario] = part("call_parts", "scenario")
        self.agents: Lazy[Mapping[AgentName, AgentDefinition]] = part("call_parts", "agents")
        self.telephony: Lazy[Telephony] = part("call_parts", "telephony")
        self.model: Lazy[ChatModel] = part("call_parts", "model")
        self.conversation: Lazy[Conversation] = part("call_parts", "conversation")
        self.runner: Lazy[CallRunner] = part("call_parts", "runner")
        self.chat: Lazy[Chat] = part("call_parts", "chat")
        self.sweeper: Lazy[Sweeper] = part("call_parts", "sweeper")
        # speech
        self.speech: Lazy[SpeechService] = part("speech_parts", "speech")
        self.tts_pool: Lazy[TtsPool] = part("speech_parts", "tts_pool")
        self.stt_pool: Lazy[SttPool] = part("speech_parts", "stt_pool")
        self.speech_desk: Lazy[SpeechDesk] = part("speech_parts", "speech_desk")
        self.prompts: Lazy[Prompts] = part("speech_parts", "prompts")
        self.recordings: Lazy[CallRecordings] = part("speech_parts", "recordings")

    @cached_property
    def settings(self) -> Settings:
        """The settings of the process; read once.

        Raises:
            SettingsError: Names every variable that is missing or malformed.
        """
        settings = self._given or Settings.from_env(os.environ)  # noqa: TID251 - the one reader
        configure_logging(
            level=settings.log_level, levels=settings.log_levels, is_json=settings.is_hosted
        )
        return settings

    async def _prepare(self) -> None:
        """Load what every part needs; then nothing that follows goes untraced."""
        for module in HEAVY:
            await asyncio.to_thread(importlib.import_module, module)
        try:
            settings = self.settings
        except SettingsError:
            return  # each part will say so itself
        if settings.is_traced or "opentelemetry.sdk.trace" in sys.modules:
            telemetry = await asyncio.to_thread(importlib.import_module, "shared.telemetry_parts")
            await telemetry.begin_telemetry(settings)

    def _part(self, module: str, name: str) -> Lazy[Any]:
        """The part *name*, built by ``build_<name>(resources)`` of ``shared.<module>``."""

        async def build() -> Any:
            await self.imported.get()
            builders = await asyncio.to_thread(importlib.import_module, f"shared.{module}")
            started_at = time.perf_counter()
            part = await getattr(builders, f"build_{name}")(self)
            self.built_ms[name] = round((time.perf_counter() - started_at) * 1000, 1)
            return part

        return Lazy(build)

    def snapshot(self) -> Json:
        """What this process holds: milliseconds by part built, connections, pools."""
        redis = self.redis.built
        pools = (self.tts_pool.built, self.stt_pool.built)
        return {
            "built_ms": dict(self.built_ms),
            "redis": redis.snapshot() if redis else None,
            "pools": {pool.name: pool.snapshot() for pool in pools if pool is not None},
        }


_process = Resources()


def environment() -> Mapping[str, str]:
    """What the process was told, for commands that need only some of the settings."""
    return os.environ  # noqa: TID251 - as above


def resources() -> Resources:
    """The parts of this process."""
    return _process


@contextmanager
def use_resources(parts: Resources) -> Iterator[Resources]:
    """Let *parts* stand in for the process's own; for tests."""
    global _process  # noqa: PLW0603 - the one place where the process's parts are kept
    before, _process = _process, parts
    try:
        yield parts
    finally:
        _process = before
