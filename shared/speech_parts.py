"""How the parts that speak and listen fit together; `shared.resources` builds them when needed."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential

from shared.agent.definition import AgentDefinition
from shared.agent.repertoire import repertoire
from shared.agent.scenario import Scenario
from shared.auth.credentials import COGNITIVE_SCOPE, TokenCache
from shared.auth.signatures import FileSigner
from shared.calls.acs_client import connect_client
from shared.calls.recordings import FETCH_S, CallRecordings, RecordingFiles
from shared.calls.reports import Reports
from shared.clock import Clock
from shared.pools.lazy import Lazy
from shared.pools.warmable import WarmableResourcePool
from shared.redis.manager import AzureRedisManager
from shared.settings import NotConfiguredError, Settings
from shared.speech.desk import Listener, Speaker, SpeechDesk, Transcript
from shared.speech.prompts import Line, Prompts
from shared.speech.recognizer import SpeechRecognizer
from shared.speech.service import SpeechAddress, SpeechService
from shared.speech.sound import Sound
from shared.speech.sound_cache import RedisSoundCache
from shared.speech.synthesizer import SpeechSynthesizer
from shared.state.store import SessionStore
from shared.types import AgentName

_SESSION_S = 60.0
"""A call that has said nothing through us for so long gives its connection back."""
_TRANSCRIPTION_S = 10.0
"""For a recording, beside its own length."""

Agents = Mapping[AgentName, AgentDefinition]
TtsPool = WarmableResourcePool[Speaker]
SttPool = WarmableResourcePool[Listener]


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    clock: Clock
    agents: Lazy[Agents]
    scenario: Lazy[Scenario]
    credential: Lazy[AsyncTokenCredential]
    file_signer: Lazy[FileSigner]
    redis: Lazy[AzureRedisManager]
    reports: Lazy[Reports]
    speech: Lazy[SpeechService]
    speech_desk: Lazy[SpeechDesk]
    store: Lazy[SessionStore]
    stt_pool: Lazy[SttPool]
    tts_pool: Lazy[TtsPool]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_speech(parts: Parts) -> SpeechService:
    """The speech service, reached with a token where there is an endpoint and no key.

    Raises:
        NotConfiguredError: The settings name none.
    """
    settings, get_token = parts.settings, None
    if not settings.has_speech:
        raise NotConfiguredError("SPEECH_ENDPOINT or SPEECH_HOST is missing")
    if settings.speech_endpoint and settings.speech_key is None:
        credential = await parts.credential.get()
        get_token = TokenCache(credential, COGNITIVE_SCOPE, clock=parts.clock).get
    address = SpeechAddress(
        endpoint=settings.speech_endpoint, host=settings.speech_host, key=settings.speech_key
    )
    return SpeechService(address, get_token=get_token, threads=settings.speech_threads)


async def build_tts_pool(parts: Parts) -> TtsPool:
    """Of connected synthesizers that have said a syllable in every agent's voice."""
    settings, service = parts.settings, await parts.speech.get()
    agents = await parts.agents.get()
    voices = tuple(dict.fromkeys(agent.voice for agent in agents.values()))

    async def build() -> Speaker:
        return SpeechSynthesizer(service)

    async def warm(speaker: Speaker) -> bool:
        await speaker.warm(voices)
        return True

    return WarmableResourcePool(
        factory=build,
        warm_fn=warm,
        name="tts",
        warm_pool_size=settings.tts_pool_size,
        max_size=settings.tts_pool_max,
        enable_background_warmup=True,
        session_awareness=True,
        session_max_age_sec=_SESSION_S,
        clock=parts.clock,
    )


async def build_stt_pool(parts: Parts) -> SttPool:
    """Of connected recognizers for the language of the agent that answers calls."""
    settings, service = parts.settings, await parts.speech.get()
    locale = (await parts.scenario.get()).entry_agent.voice.locale

    async def build() -> Listener:
        return SpeechRecognizer(service, locale=locale)

    async def warm(listener: Listener) -> bool:
        await listener.warm()
        return True

    return WarmableResourcePool(
        factory=build,
        warm_fn=warm,
        name="stt",
        warm_pool_size=settings.stt_pool_size,
        max_size=settings.stt_pool_max,
        enable_background_warmup=True,
        clock=parts.clock,
    )


async def build_speech_desk(parts: Parts) -> SpeechDesk:
    """Speaks and listens with what the pools lend."""
    service = await parts.speech.get()
    return SpeechDesk(
        await parts.tts_pool.get(),
        await parts.stt_pool.get(),
        build_speaker=lambda sound_format: SpeechSynthesizer(service, sound_format=sound_format),
        voice=(await parts.scenario.get()).entry_agent.voice,
    )


async def build_prompts(parts: Parts) -> Prompts:
    """Sound files of what the agents say; the lines they say without a model are fixed."""
    desk = await parts.speech_desk.get()
    settings, agents = parts.settings, await parts.agents.get()
    signer = await parts.file_signer.get()
    return Prompts(
        desk,
        RedisSoundCache(await parts.redis.get()),
        link=partial(signer.file_url, settings.public_base_url),
        fixed=(Line(text, one.voice) for one in agents.values() for text in repertoire(one)),
        speaks_all=settings.voice_renderer == "speech",
        clock=parts.clock,
    )


async def build_recordings(parts: Parts) -> CallRecordings:
    """Fetches and transcribes what ACS has recorded."""
    settings, desk = parts.settings, await parts.speech_desk.get()
    client = connect_client(
        settings.acs_endpoint,
        settings.acs_access_key or await parts.credential.get(),
        timeout_s=FETCH_S,
        storage_gateway=settings.acs_storage_gateway,
    )

    async def transcribe(sound: Sound) -> Transcript:
        # The service listens twice as fast as people speak; an invocation ends after five minutes.
        deadline_s = _TRANSCRIPTION_S + 0.6 * sound.duration_ms / 1000
        return await desk.transcribe(sound, deadline_s=deadline_s)

    return CallRecordings(
        RecordingFiles(client),
        await parts.store.get(),
        transcribe,
        reports=await parts.reports.get(),
    )
