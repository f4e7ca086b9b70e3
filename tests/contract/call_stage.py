"""A whole call without a network but Redis: the real flow, runner, turn, tools and store.

The phone, the model and the agent are small and deterministic, so that two runs of the same
conversation can be compared; what differs is how events are delivered.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any

from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.agent.conversation import Conversation, TurnLimits
from shared.agent.loader import DEFINITIONS, AgentDefinition, load_agents
from shared.agent.toolbox import RegisteredTools
from shared.calls import events as ev
from shared.calls.commands import Answer, Dial, HangUp, Listen, Speak, StartRecording, Transfer
from shared.calls.executor import CommandExecutor
from shared.calls.ports import Archivist
from shared.calls.runner import CallRunner, Executor, RunnerTimes
from shared.calls.state import CallState
from shared.calls.telephony import CallLeg
from shared.clock import SystemClock
from shared.redis.manager import AzureRedisManager
from shared.speech.voices import Voice
from shared.state.ledger import RedisLedger
from shared.state.store import SessionStore
from shared.tools.embedded import embedded_services
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry, build_registry
from shared.types import AgentName, CallConnectionId, EventId, Json, SessionId, ToolName
from tests.unit.bank import bank

CALLER, BANK = ev.Party("4:+15551230000"), ev.Party("4:+15559990000")
CONCIERGE = AgentName("concierge")

SILENT, MUMBLES, HANGS_UP, PERSON = "(silent)", "(mumbles)", "(hangs up)", "a person, please"


@dataclass
class Phone:
    """The telephone network and a caller with a script: takes commands, emits what follows."""

    script: Sequence[str]
    heard: list[str] = field(default_factory=list)
    emitted: list[ev.Event] = field(default_factory=list)
    requests: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._lines = iter(self.script)
        self._numbers = itertools.count(1)

    async def answer(self, session_id: SessionId, command: Answer) -> CallLeg:
        """Answered: connected."""
        self.requests[command.id] += 1
        self._emit(ev.CallConnected, CallConnectionId("cc"), "server")
        return CallLeg(CallConnectionId("cc"), "server")

    async def dial(self, session_id: SessionId, command: Dial) -> CallLeg:
        """Dialled: connected."""
        self.requests[command.id] += 1
        self._emit(ev.CallConnected, CallConnectionId("cc"), "server")
        return CallLeg(CallConnectionId("cc"))

    async def speak(
        self, call: CallConnectionId, command: Speak, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Heard at once, to the end."""
        self.requests[command.id] += 1
        self.heard.append(command.text)
        self._emit(ev.PromptStarted, command.id)
        self._emit(ev.PromptFinished, command.id)

    async def listen(
        self, call: CallConnectionId, command: Listen, voice: Voice, sound_url: str | None = None
    ) -> None:
        """Heard; the caller does what the script says next."""
        self.requests[command.id] += 1
        self.heard.append(command.text)
        self._emit(ev.PromptStarted, command.id)
        match next(self._lines, HANGS_UP):
            case "(silent)":
                self._emit(ev.RecognizeFailed, command.id, ev.RecognizeFailure.SILENCE)
            case "(mumbles)":
                self._emit(ev.RecognizeFailed, command.id, ev.RecognizeFailure.NOT_UNDERSTOOD)
            case "(hangs up)":
                self._emit(ev.CallEnded, ev.Result(200, 540000))
            case tones if tones.isdigit():
                self._emit(ev.TonesCollected, command.id, tones)
            case text:
                self._emit(ev.SpeechRecognized, command.id, text)

    async def transfer(self, call: CallConnectionId, command: Transfer) -> None:
        """Taken."""
        self.requests[command.id] += 1
        self._emit(ev.TransferAccepted, command.id)
        self._emit(ev.CallEnded, ev.Result(200, 7015))

    async def start_recording(self, call: CallConnectionId, command: StartRecording) -> None:
        """Runs."""
        self.requests[command.id] += 1

    async def hang_up(self, call: CallConnectionId, command: HangUp) -> None:
        """Over."""
        self.requests[command.id] += 1
        self._emit(ev.CallEnded, ev.Result(200, 7000))

    def _emit(self, kind: type[ev.Event], *details: Any) -> None:
        self.emitted.append(kind(EventId(f"cb-{next(self._numbers)}"), *details))


class ReflexModel:
    """Notes what the caller said with a tool, then says two sentences about it."""

    deployment = "reflex"

    async def stream(
        self, messages: Sequence[Json], *, tools: Sequence[Json] = (), **_: Any
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """A function of the messages alone."""
        last = messages[-1]
        if last["role"] == "user":
            name = "transfer_call_to_call_center" if last["content"] == PERSON else "note"
            arguments = (
                '{"queue_id": "general", "reason": "asked"}'
                if last["content"] == PERSON
                else '{"text": "x"}'
            )
            yield Completion("tool_calls", (ToolCall("c1", name, arguments),), 1, 1, "reflex")
            return
        said = next(one["content"] for one in reversed(messages) if one["role"] == "user")
        yield TextDelta(f"About this matter: {said}. ")
        yield TextDelta("Is there anything else I can do?")
        yield Completion("stop", (), 1, 1, "reflex")


class Stage:
    """Several instances of the app around one phone."""

    def __init__(
        self,
        managers: Sequence[AzureRedisManager],
        phone: Phone,
        *,
        model: ReflexModel | None = None,
        times: RunnerTimes | None = None,
        archivist: Archivist | None = None,
    ) -> None:
        self.phone = phone
        self.archivist = archivist
        self.model = model or ReflexModel()
        self.times = times or RunnerTimes()
        self.noted: Counter[str] = Counter()
        self.registry = self._registry()
        self.agents = {CONCIERGE: self._agent()}
        self.stores = [self._store(one, number) for number, one in enumerate(managers)]
        self.runners = [
            self._runner(manager, store)
            for manager, store in zip(managers, self.stores, strict=True)
        ]

    def _registry(self) -> ToolRegistry:
        async def note(arguments: Json, context: Any) -> Json:
            self.noted[context.idempotency_key] += 1
            await asyncio.sleep(0)
            return {"noted": sum(self.noted.values())}

        registry = build_registry()
        parameters = {"type": "object", "properties": {"text": {"type": "string"}}}
        schema = {"name": "note", "description": "Note it.", "parameters": parameters}
        registry.register("note", schema, note, policy=ToolPolicy(has_side_effects=True))
        return registry

    def _agent(self) -> AgentDefinition:
        shipped = load_agents(DEFINITIONS, self.registry)[CONCIERGE]
        return replace(shipped, tools=(*shipped.tools, ToolName("note")))

    def _store(self, manager: AzureRedisManager, number: int) -> SessionStore:
        lease_s = self.times.lease_s
        return SessionStore(
            manager, instance_id=f"i{number}", lease_s=lease_s, ttl_s=600, clock=SystemClock()
        )

    def _executor(self, conversation: Conversation) -> Executor:
        return CommandExecutor(
            telephony=self.phone,
            turns=conversation,
            voice_of=lambda _: Voice("v", "en-US"),
            archivist=self.archivist,
        )

    def _runner(self, manager: AzureRedisManager, store: SessionStore) -> CallRunner:
        clock = SystemClock()
        services = replace(
            embedded_services(transfer_targets={"general": "+15550001111"}),
            documents=bank(),
            new_id=lambda prefix: f"{prefix}-1",  # or two runs would differ by their references
        )
        conversation = Conversation(
            model=self.model,
            agents=self.agents,
            toolbox=RegisteredTools(
                self.registry, ledger=RedisLedger(manager, ttl_s=600), services=services
            ),
            clock=clock,
            limits=TurnLimits(filler_after_s=60, first_sentence_s=60, turn_s=60),
        )
        return CallRunner(
            store,
            self._executor(conversation),
            new_state=lambda session_id, _: CallState(session_id=session_id, agent=CONCIERGE),
            clock=clock,
            times=self.times,
        )

    async def play(self, session_id: SessionId, random: Random | None = None) -> None:
        """Ring, and deliver what the phone emits until nothing more comes.

        With *random* every event is delivered one to five times, shuffled, to random instances at
        once; without, once and in order.
        """
        offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        waiting: list[ev.Event] = [offered] * (random.randint(1, 5) if random else 1)
        while waiting or self.phone.emitted:
            for event in self.phone.emitted:
                waiting += [event] * (random.randint(1, 5) if random else 1)
            self.phone.emitted.clear()
            size = random.randint(1, len(waiting)) if random else 1
            if random:
                random.shuffle(waiting)
            batch, waiting = waiting[:size], waiting[size:]
            await asyncio.gather(
                *(
                    (random.choice(self.runners) if random else self.runners[0]).receive(
                        session_id, event, begins_session=isinstance(event, ev.CallOffered)
                    )
                    for event in batch
                )
            )
            await asyncio.gather(*(runner.drain() for runner in self.runners))


def state_of(call: Json, session_id: SessionId) -> Json:
    """The call's state, comparable between sessions; what it used depends on the time it took."""
    call = {name: value for name, value in call.items() if name != "meter"}
    return {**call, "session_id": call["session_id"].replace(session_id, "s")}
