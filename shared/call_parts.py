"""How the parts of a conversation fit together; `shared.resources` builds them when needed."""

import asyncio
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Protocol

from azure.core.credentials_async import AsyncTokenCredential

from shared.agent.conversation import Conversation, TurnLimits
from shared.agent.loader import AgentDefinition
from shared.agent.model import ChatModel
from shared.agent.scenario import Scenario, load_scenario
from shared.agent.summary import Summarizer
from shared.agent.toolbox import RegisteredTools
from shared.auth.signatures import CallbackSigner
from shared.calls.archivist import Archivist
from shared.calls.books import BooksOfThisProcess
from shared.calls.chat import Chat
from shared.calls.events import called_number
from shared.calls.executor import CommandExecutor
from shared.calls.reports import Reports
from shared.calls.runner import CallRunner, RunnerTimes
from shared.calls.state import CallState
from shared.calls.sweeper import Sweeper
from shared.calls.telephony import Telephony, TelephonyOptions
from shared.clock import Clock
from shared.openai.client import ApiKey, base_url_of
from shared.pools.lazy import Lazy
from shared.settings import Settings
from shared.speech.prompts import Prompts
from shared.state.ledger import RedisLedger
from shared.state.store import SessionStore
from shared.tools.context import ToolServices
from shared.tools.registry import ToolRegistry
from shared.types import AgentName

if TYPE_CHECKING:
    from shared.records.cosmos import CosmosDocuments  # brings the SDK, and not everybody has one


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    clock: Clock
    agents: Lazy[Mapping[AgentName, AgentDefinition]]
    conversation: Lazy[Conversation]
    archivist: Lazy[Archivist]
    credential: Lazy[AsyncTokenCredential]
    documents: "Lazy[CosmosDocuments]"
    ledger: Lazy[RedisLedger]
    model: Lazy[ChatModel]
    openai_key: Lazy[ApiKey]
    prompts: Lazy[Prompts]
    registry: Lazy[ToolRegistry]
    reports: Lazy[Reports]
    runner: Lazy[CallRunner]
    scenario: Lazy[Scenario]
    signer: Lazy[CallbackSigner]
    store: Lazy[SessionStore]
    telephony: Lazy[Telephony]
    tool_services: Lazy[ToolServices]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_scenario(parts: Parts) -> Scenario:
    """The agents that work together, and who answers which number."""
    registry = await parts.registry.get()
    # A tenth of a second of reading and checking, which the loop has better use for.
    return await asyncio.to_thread(load_scenario, parts.settings.agent_scenario, registry)


async def build_agents(parts: Parts) -> Mapping[AgentName, AgentDefinition]:
    """The agents of the scenario."""
    return (await parts.scenario.get()).agents


async def build_telephony(parts: Parts) -> Telephony:
    """The phone."""
    signer, settings = await parts.signer.get(), parts.settings
    return Telephony.connect(
        endpoint=settings.acs_endpoint,
        credential=settings.acs_access_key or await parts.credential.get(),
        callback_url=partial(signer.callback_url, settings.public_base_url),
        options=TelephonyOptions(
            cognitive_services_endpoint=settings.cognitive_services_endpoint,
            caller_id_number=settings.acs_source_number,
        ),
        clock=parts.clock,
    )


async def build_model(parts: Parts) -> ChatModel:
    """The model."""
    settings = parts.settings
    return ChatModel(
        base_url=base_url_of(settings.openai_endpoint),
        deployment=settings.openai_chat_deployment,
        api_key=await parts.openai_key.get(),
        timeout_s=settings.turn_timeout_s,
    )


async def build_conversation(parts: Parts) -> Conversation:
    """Runs turns, with the model, the agents and the tools."""
    settings = parts.settings
    return Conversation(
        model=await parts.model.get(),
        agents=await parts.agents.get(),
        toolbox=RegisteredTools(
            await parts.registry.get(),
            ledger=await parts.ledger.get(),
            services=await parts.tool_services.get(),
        ),
        clock=parts.clock,
        limits=TurnLimits(
            filler_after_s=settings.filler_after_s,
            first_sentence_s=settings.first_sentence_s,
            turn_s=settings.turn_timeout_s,
        ),
    )


async def build_archivist(parts: Parts) -> Archivist:
    """Sums up sessions that are over; keeps them where there is a database."""
    summarizer = Summarizer(await parts.model.get(), timeout_s=parts.settings.turn_timeout_s)
    return Archivist(summarizer, await parts.reports.get())


async def build_reports(parts: Parts) -> Reports:
    """Reports of sessions, from Redis or the database."""
    settings = parts.settings
    return Reports(
        await parts.store.get(),
        await parts.documents.get() if settings.cosmos_endpoint else None,
        ttl_s=settings.archive_ttl_s,
        clock=parts.clock,
        prices=settings.prices,
    )


async def build_runner(parts: Parts) -> CallRunner:
    """Runs calls; without a speech service, ACS says everything."""
    settings, agents = parts.settings, await parts.agents.get()
    scenario, our_number = await parts.scenario.get(), settings.acs_source_number
    executor = CommandExecutor(
        telephony=await parts.telephony.get(),
        turns=await parts.conversation.get(),
        voice_of=lambda name: agents[name].voice,
        renderer=await parts.prompts.get() if settings.has_speech else None,
        archivist=await parts.archivist.get(),
    )
    store = await parts.store.get()
    return CallRunner(
        store,
        executor,
        new_state=lambda session_id, event: CallState(
            session_id=session_id,
            agent=scenario.agent_for(called_number(event, our_number)),
            is_recorded=settings.record_calls,
        ),
        clock=parts.clock,
        times=RunnerTimes(
            ack_s=settings.callback_ack_s,
            lease_s=settings.lease_s,
            silent_call_s=settings.silent_call_s,
        ),
        books=BooksOfThisProcess(store.tally, settings.prices),
    )


async def build_chat(parts: Parts) -> Chat:
    """Runs text sessions."""
    return Chat(
        await parts.runner.get(),
        agents=await parts.agents.get(),
        clock=parts.clock,
        turn_timeout_s=parts.settings.turn_timeout_s,
    )


async def build_sweeper(parts: Parts) -> Sweeper:
    """Takes up what instances that died have left."""
    runner, telephony = await parts.runner.get(), await parts.telephony.get()
    return Sweeper(await parts.store.get(), runner, telephony, clock=parts.clock)
