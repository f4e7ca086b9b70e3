"""Instances that die or fall asleep, and what the sweeper needs to look after what they leave."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field

from shared.agent.conversation import Conversation
from shared.calls import events as ev
from shared.calls.executor import CommandExecutor
from shared.calls.runner import Executor, RunnerTimes
from shared.calls.state import Phase
from shared.calls.sweeper import Sweeper
from shared.calls.visit import Owned, Visit
from shared.clock import SystemClock
from shared.redis.manager import AzureRedisManager
from shared.types import CallConnectionId, EventId, SessionId
from tests.contract.call_stage import BANK, CALLER, Phone, ReflexModel, Stage

LEASE_S = 0.25
TAKEOVER = RunnerTimes(ack_s=0.1, lease_s=LEASE_S)
SILENCE = RunnerTimes(ack_s=1.0, silent_call_s=0.05)
ENOUGH_S = 5.0
OFFERED = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")


class ImpatientClock(SystemClock):
    """Waits in small steps: what falls due is noticed soon, also when it is due early."""

    async def sleep(self, seconds: float) -> None:
        """Wait, but not for long."""
        await asyncio.sleep(min(seconds, 0.02))


class MortalExecutor:
    """Does commands until its instance dies; nothing of it happens from then on.

    A step is the beginning of a command, or a result that is about to be committed.
    """

    def __init__(self, inner: Executor) -> None:
        self._inner = inner
        self.dies_at: int | None = None
        self.steps = 0
        self.died = asyncio.Event()
        self.hanging: set[asyncio.Task[object]] = set()

    async def execute(self, visit: Visit, owned: Owned) -> AsyncGenerator[ev.CommandEvent, None]:
        """Do a command, as long as there is life."""
        await self._step()
        async with aclosing(self._inner.execute(visit, owned)) as results:
            async for event in results:
                await self._step()
                yield event

    async def _step(self) -> None:
        if self.steps == self.dies_at:
            self.died.set()
        if self.died.is_set():
            task = asyncio.current_task()
            assert task is not None
            self.hanging.add(task)
            await asyncio.Event().wait()
        self.steps += 1


@dataclass
class FakeCalls:
    """Knows whether the call is alive, or cannot be reached."""

    answers: list[bool | Exception]
    """One for each time it is asked; the last one holds."""
    asked: list[CallConnectionId] = field(default_factory=list)
    is_asked: asyncio.Event = field(default_factory=asyncio.Event)
    may_answer: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.may_answer.set()

    async def is_alive(self, call: CallConnectionId) -> bool:
        """The next answer."""
        self.asked.append(call)
        self.is_asked.set()
        await self.may_answer.wait()
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


class SweepStage(Stage):
    """A stage with short leases whose instances can die."""

    def __init__(
        self,
        managers: Sequence[AzureRedisManager],
        phone: Phone,
        *,
        model: ReflexModel | None = None,
        times: RunnerTimes = TAKEOVER,
    ) -> None:
        self.mortals: list[MortalExecutor] = []
        super().__init__(managers, phone, model=model, times=times)

    def _executor(self, conversation: Conversation) -> Executor:
        inner = super()._executor(conversation)
        assert isinstance(inner, CommandExecutor)
        self.mortals.append(MortalExecutor(inner))
        return self.mortals[-1]

    def sweeper(self, calls: FakeCalls, number: int = -1) -> Sweeper:
        """The sweeper of an instance."""
        clock = ImpatientClock()
        return Sweeper(self.stores[number], self.runners[number], calls, clock=clock)

    async def deliver(self, session_id: SessionId, event: ev.Event) -> None:
        """Give *event* to the first instance that lives; wait until it is done with it, or dead."""
        number = next(n for n, one in enumerate(self.mortals) if not one.died.is_set())
        runner, mortal = self.runners[number], self.mortals[number]
        await runner.receive(session_id, event, begins_session=isinstance(event, ev.CallOffered))
        ends = [asyncio.create_task(runner.drain()), asyncio.create_task(mortal.died.wait())]
        await asyncio.wait(ends, timeout=ENOUGH_S, return_when=asyncio.FIRST_COMPLETED)
        for task in ends:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def deliver_all(self, session_id: SessionId, *first: ev.Event) -> None:
        """Deliver *first* and what the phone emits, until nothing more comes."""
        waiting = [*first, *self.phone.emitted]
        self.phone.emitted.clear()
        while waiting:
            await self.deliver(session_id, waiting.pop(0))
            waiting += self.phone.emitted
            self.phone.emitted.clear()

    async def listen(self, session_id: SessionId) -> None:
        """Lead a call to where the caller has the floor, and says nothing."""
        await self.deliver(session_id, OFFERED)
        connected, *_ = self.phone.emitted
        await self.deliver(session_id, connected)
        self.phone.emitted.clear()  # what the caller says next is lost on its way
        visit = await self.runners[0].look(session_id)
        assert (visit.state.phase, visit.state.open) == (Phase.LISTENING, ())

    async def kinds(self, session_id: SessionId) -> list[str]:
        """What has happened to the session, in order."""
        return [entry["event"]["kind"] for entry in await self.stores[-1].journal(session_id)]

    async def bury(self) -> None:
        """End what hangs."""
        for mortal in self.mortals:
            for task in mortal.hanging:
                task.cancel()
            await asyncio.gather(*mortal.hanging, return_exceptions=True)
        await asyncio.gather(*(runner.drain() for runner in self.runners))
