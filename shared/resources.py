"""The composition root: how the parts fit together. One per process, each part built on first use.

The builders import what they build, so that importing the app loads no SDK.
"""

import asyncio
import importlib
import os
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, TypeVar

from shared.clock import Clock, SystemClock
from shared.pools.lazy import Lazy
from shared.settings import NotConfiguredError, Settings
from shared.telemetry.logs import configure_logging
from shared.types import Json

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential

    from shared.agent.conversation import Conversation
    from shared.agent.loader import AgentDefinition
    from shared.agent.model import ChatModel
    from shared.auth.signatures import CallbackSigner, FileSigner
    from shared.auth.tokens import AcsTokenVerifier, JwksCache
    from shared.calls.chat import Chat
    from shared.calls.recordings import CallRecordings
    from shared.calls.runner import CallRunner
    from shared.calls.sweeper import Sweeper
    from shared.calls.telephony import Telephony
    from shared.redis.manager import AzureRedisManager
    from shared.speech.desk import SpeechDesk
    from shared.speech.prompts import Prompts
    from shared.speech.service import SpeechService
    from shared.speech_parts import SttPool, TtsPool
    from shared.state.ledger import RedisLedger
    from shared.state.store import SessionStore
    from shared.tools.context import ToolServices
    from shared.tools.desk import ToolDesk
    from shared.tools.registry import ToolRegistry
    from shared.types import AgentName

T = TypeVar("T")

HEAVY = (
    "shared.agent.model",
    "shared.auth.credentials",
    "shared.auth.tokens",
    "shared.call_parts",
    "shared.calls.sweeper",
    "shared.redis.manager",
    "shared.tools.desk",
)
"""Modules whose import takes more than a second of CPU together: never on the loop."""


class Resources:
    """The parts of one process."""

    def __init__(self, *, clock: Clock | None = None, settings: Settings | None = None) -> None:
        self.clock = clock or SystemClock()
        self._given = settings
        self.built_ms: dict[str, float] = {}
        self.imported = Lazy(_import_heavy)
        self.credential = self._lazy("credential", self._build_credential)
        self.redis = self._lazy("redis", self._build_redis)
        self.store = self._lazy("store", self._build_store)
        self.ledger = self._lazy("ledger", self._build_ledger)
        self.signer = self._lazy("signer", self._build_signer)
        self.jwks = self._lazy("jwks", self._build_jwks)
        self.acs_tokens = self._lazy("acs_tokens", self._build_acs_tokens)
        self.telephony = self._lazy("telephony", self._build_telephony)
        self.model = self._lazy("model", self._build_model)
        self.registry = self._lazy("registry", self._build_registry)
        self.agents = self._lazy("agents", self._build_agents)
        self.tool_services = self._lazy("tool_services", self._build_tool_services)
        self.tool_desk = self._lazy("tool_desk", self._build_tool_desk)
        self.file_signer = self._lazy("file_signer", self._build_file_signer)
        self.speech = self._lazy("speech", self._build_speech)
        self.tts_pool = self._lazy("tts_pool", self._build_tts_pool)
        self.stt_pool = self._lazy("stt_pool", self._build_stt_pool)
        self.speech_desk = self._lazy("speech_desk", self._build_speech_desk)
        self.prompts = self._lazy("prompts", self._build_prompts)
        self.recordings = self._lazy("recordings", self._build_recordings)
        self.conversation = self._lazy("conversation", self._build_conversation)
        self.runner = self._lazy("runner", self._build_runner)
        self.chat = self._lazy("chat", self._build_chat)
        self.sweeper = self._lazy("sweeper", self._build_sweeper)

    @cached_property
    def settings(self) -> Settings:
        """The settings of the process; read once.

        Raises:
            SettingsError: Names every variable that is missing or malformed.
        """
        settings = self._given or Settings.from_env(os.environ)  # noqa: TID251 - the one reader
        configure_logging(level=settings.log_level, is_json=settings.is_hosted)
        return settings

    def _lazy(self, name: str, build: Callable[[], Awaitable[T]]) -> Lazy[T]:
        async def timed() -> T:
            await self.imported.get()
            started_at = time.perf_counter()
            part = await build()
            self.built_ms[name] = round((time.perf_counter() - started_at) * 1000, 1)
            return part

        return Lazy(timed)

    def snapshot(self) -> Json:
        """What this process holds: milliseconds by part built, connections, pools."""
        redis = self.redis.built
        pools = (self.tts_pool.built, self.stt_pool.built)
        return {
            "built_ms": dict(self.built_ms),
            "redis": redis.snapshot() if redis else None,
            "pools": {pool.name: pool.snapshot() for pool in pools if pool is not None},
        }

    async def _build_credential(self) -> "AsyncTokenCredential":
        from shared.auth.credentials import build_credential

        return build_credential(
            client_id=self.settings.azure_client_id, is_hosted=self.settings.is_hosted
        )

    async def _build_redis(self) -> "AzureRedisManager":
        from shared.redis.manager import AzureRedisManager

        settings = self.settings
        if settings.redis_url is not None:
            return AzureRedisManager(url=settings.redis_url)
        credential = await self.credential.get()
        return AzureRedisManager(settings.redis_host, settings.redis_port, credential=credential)

    async def _build_store(self) -> "SessionStore":
        from shared.state.store import SessionStore

        return SessionStore(
            await self.redis.get(),
            instance_id=uuid.uuid4().hex,
            lease_s=self.settings.lease_s,
            ttl_s=self.settings.session_ttl_s,
            clock=self.clock,
        )

    async def _build_ledger(self) -> "RedisLedger":
        from shared.state.ledger import RedisLedger

        return RedisLedger(await self.redis.get(), ttl_s=self.settings.session_ttl_s)

    async def _build_signer(self) -> "CallbackSigner":
        from shared.auth.signatures import CallbackSigner

        return CallbackSigner([key.encode() for key in self.settings.callback_signing_keys])

    async def _build_jwks(self) -> "JwksCache":
        from shared.auth.fetch import fetch_json
        from shared.auth.tokens import JwksCache

        return JwksCache(self.settings.acs_jwks_url, fetch=fetch_json, clock=self.clock)

    async def _build_acs_tokens(self) -> "AcsTokenVerifier":
        from shared.auth.tokens import AcsTokenVerifier

        keys, settings = await self.jwks.get(), self.settings
        return AcsTokenVerifier(keys, issuer=settings.acs_issuer, audience=settings.acs_audience)

    async def _build_telephony(self) -> "Telephony":
        from shared.call_parts import build_telephony

        return await build_telephony(self)

    async def _build_model(self) -> "ChatModel":
        from shared.call_parts import build_model

        return await build_model(self)

    async def _build_registry(self) -> "ToolRegistry":
        from shared.tools.registry import build_registry

        return build_registry()

    async def _build_agents(self) -> "Mapping[AgentName, AgentDefinition]":
        from shared.agent.loader import DEFINITIONS, load_agents

        registry = await self.registry.get()
        return load_agents(DEFINITIONS, registry.list_tools())

    async def _build_tool_services(self) -> "ToolServices":
        from shared.tools.embedded import embedded_services

        return embedded_services(transfer_targets=self.settings.transfer_targets, clock=self.clock)

    async def _build_tool_desk(self) -> "ToolDesk":
        from shared.tools.desk import ToolDesk

        return ToolDesk(
            await self.registry.get(),
            await self.store.get(),
            ledger=await self.ledger.get(),
            services=await self.tool_services.get(),
        )

    async def _build_conversation(self) -> "Conversation":
        from shared.call_parts import build_conversation

        return await build_conversation(self)

    async def _build_runner(self) -> "CallRunner":
        from shared.call_parts import build_runner

        renderer = await self.prompts.get() if self.settings.has_speech else None
        return await build_runner(self, renderer)

    async def _build_chat(self) -> "Chat":
        from shared.call_parts import build_chat

        return build_chat(self, await self.runner.get(), await self.agents.get())

    async def _build_sweeper(self) -> "Sweeper":
        from shared.calls.sweeper import Sweeper

        runner, telephony = await self.runner.get(), await self.telephony.get()
        return Sweeper(await self.store.get(), runner, telephony, clock=self.clock)

    async def _build_file_signer(self) -> "FileSigner":
        from shared.auth.signatures import FileSigner

        keys = [key.encode() for key in self.settings.callback_signing_keys]
        return FileSigner(keys, clock=self.clock)

    async def _build_speech(self) -> "SpeechService":
        if not self.settings.has_speech:
            raise NotConfiguredError("SPEECH_ENDPOINT or SPEECH_HOST is missing")
        # Not among the heavy ones: without speech nobody needs it. The parts below come after this.
        await asyncio.to_thread(importlib.import_module, "shared.speech_parts")
        from shared.speech_parts import build_speech

        return await build_speech(self)

    async def _build_tts_pool(self) -> "TtsPool":
        service = await self.speech.get()
        from shared.speech_parts import build_tts_pool

        return await build_tts_pool(self, service)

    async def _build_stt_pool(self) -> "SttPool":
        service = await self.speech.get()
        from shared.speech_parts import build_stt_pool

        return await build_stt_pool(self, service)

    async def _build_speech_desk(self) -> "SpeechDesk":
        service = await self.speech.get()
        from shared.speech_parts import build_desk

        return await build_desk(self, service, await self.tts_pool.get(), await self.stt_pool.get())

    async def _build_prompts(self) -> "Prompts":
        desk = await self.speech_desk.get()
        from shared.speech_parts import build_prompts

        return await build_prompts(self, desk)

    async def _build_recordings(self) -> "CallRecordings":
        desk = await self.speech_desk.get()
        from shared.speech_parts import build_recordings

        return await build_recordings(self, desk)


async def _import_heavy() -> None:
    for module in HEAVY:
        await asyncio.to_thread(importlib.import_module, module)


_process = Resources()


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
