"""A turn of the shipped agents around stand-ins, kept the way the runner keeps it."""

from collections.abc import Mapping
from contextlib import aclosing
from typing import Any

from shared.agent.answer import Toolbox
from shared.agent.conversation import Conversation, TurnLimits
from shared.agent.definition import AgentDefinition
from shared.agent.scenario import load_scenario
from shared.agent.turn import (
    Cue,
    CueKind,
    Finished,
    Handoff,
    Sentence,
    ToolsRecorded,
    TurnItem,
    TurnRequest,
)
from shared.clock import SystemClock
from shared.latency.stages import Stages
from shared.tools.registry import build_registry
from shared.types import AgentName, SessionId
from tests.unit.fakes import FakeChatModel, FakeMemory, FakeToolbox

AGENTS = load_scenario("bank", build_registry()).agents
CONCIERGE, FRAUD = AgentName("concierge"), AgentName("fraud")


def request(
    kind: CueKind = CueKind.UTTERANCE,
    text: str = "my balance",
    *,
    memory: FakeMemory | None = None,
    agent: AgentName = CONCIERGE,
    **more: Any,
) -> TurnRequest:
    """A turn to run; an utterance is in the history, as the flow puts it there."""
    memory = memory or FakeMemory()
    details = {"channel": "call", "failures": 0, "turn": 2, **more}
    if kind is CueKind.UTTERANCE and not memory.threads:
        memory.threads[agent] = [{"role": "user", "content": text, "turn": 2, "n": 1}]
    count = details.pop("count", 0)
    return TurnRequest(
        session_id=SessionId("s"),
        agent=agent,
        cue=Cue(kind, text, count),
        memory=memory,
        **details,
    )


async def run(
    model: FakeChatModel,
    asked: TurnRequest,
    toolbox: Toolbox | None = None,
    limits: TurnLimits | None = None,
    agents: Mapping[AgentName, AgentDefinition] = AGENTS,
) -> list[TurnItem]:
    """All items of a turn, each kept in the history before the next is asked for."""
    conversation = Conversation(
        model=model,
        agents=agents,
        toolbox=toolbox or FakeToolbox(),
        clock=SystemClock(),
        limits=limits or TurnLimits(),
    )
    items: list[TurnItem] = []
    agent = asked.agent
    async with aclosing(conversation.run(asked, Stages(SystemClock().monotonic))) as turn:
        async for item in turn:
            items.append(item)
            agent = item.to if isinstance(item, Handoff) else agent
            keep(asked, agent, item)
    return items


def keep(asked: TurnRequest, agent: AgentName, item: TurnItem) -> None:
    """Record *item* as the runner does."""
    assert isinstance(asked.memory, FakeMemory)
    thread = asked.memory.threads.setdefault(agent, [])
    if isinstance(item, Sentence | Finished) and item.text:
        message = {"role": "assistant", "content": item.text}
        thread.append({**message, "turn": asked.turn, "n": 9})
    elif isinstance(item, ToolsRecorded):
        thread.extend({**one, "turn": asked.turn, "n": 9} for one in item.messages)


def said(items: list[TurnItem]) -> list[str]:
    """What is spoken, in order."""
    return [one.text for one in items if isinstance(one, Sentence | Finished)]
