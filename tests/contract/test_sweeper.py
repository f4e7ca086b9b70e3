"""What a dead instance leaves and what has gone silent, on a real Redis with short leases."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any

import pytest

from shared.agent.completions import Completion, TextDelta
from shared.calls import events as ev
from shared.calls.events import CommandFailure
from shared.calls.failures import TelephonyError
from shared.calls.runner import RunnerTimes
from shared.calls.state import Phase
from shared.redis.manager import AzureRedisManager
from shared.state.codec import DUE_KEY
from shared.state.store import Commit
from shared.types import EventId, Json, SessionId
from tests.contract.call_stage import CONCIERGE, PERSON, Phone, ReflexModel
from tests.contract.sweep_stage import LEASE_S, OFFERED, SILENCE, FakeCalls, SweepStage
from tests.unit.span_fakes import traced

pytest_plugins = ("tests.contract.redis_fixture",)

SCRIPT = ("my balance", PERSON)
UNREACHABLE = TelephonyError("get call", CommandFailure.UNAVAILABLE, status=503)
PERIOD_S = 3.0


@pytest.fixture
async def managers(redis_url: str) -> AsyncIterator[list[AzureRedisManager]]:
    """Two instances' connections, and nobody else's sessions on the list."""
    managers = [AzureRedisManager(url=redis_url) for _ in range(2)]
    await managers[0].delete_async(DUE_KEY)
    yield managers
    for manager in managers:
        await manager.aclose()


@pytest.fixture
def session_id() -> SessionId:
    """A session of this test's own."""
    return SessionId(str(uuid.uuid4()))


@pytest.fixture
async def stage(managers: list[AzureRedisManager]) -> AsyncIterator[SweepStage]:
    """Two instances, of which the first will die, and a caller who wants two things."""
    stage = SweepStage(managers, Phone(SCRIPT))
    yield stage
    await stage.bury()


@pytest.fixture
async def quiet(managers: list[AzureRedisManager], session_id: SessionId) -> SweepStage:
    """A call whose caller has the floor, and from which nothing has come for too long."""
    stage = SweepStage(managers, Phone(SCRIPT), times=SILENCE)
    await stage.listen(session_id)
    return stage


def said_in(histories: Json) -> set[str]:
    """Every sentence of the agent's that is in the history."""
    messages = histories[CONCIERGE]
    return {one["content"] for one in messages if one["role"] == "assistant" and one["content"]}


async def test_sweep_with_nothing_to_do_returns_at_once(stage: SweepStage) -> None:
    """A function that runs four times a minute must not be paid for waiting."""
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    assert await stage.sweeper(FakeCalls([True])).sweep(60.0) == 0
    assert loop.time() - began_s < 1.0


@pytest.mark.parametrize("is_heard_first", [True, False], ids=["callbacks first", "sweep first"])
@pytest.mark.parametrize("dies_at", range(18))
async def test_sweep_finishes_what_a_dead_instance_left(
    stage: SweepStage, session_id: SessionId, dies_at: int, is_heard_first: bool
) -> None:
    """Killed at any step: the call goes on to its end on another instance (G2, G3, G5)."""
    stage.mortals[0].dies_at = dies_at
    calls = FakeCalls([True])
    await stage.deliver(session_id, OFFERED)
    while not stage.mortals[0].died.is_set() and stage.phone.emitted:
        await stage.deliver(session_id, stage.phone.emitted.pop(0))
    assert stage.mortals[0].died.is_set()
    left = (await stage.stores[1].load(session_id)).outbox
    assert left
    if is_heard_first:
        await stage.deliver_all(session_id)
    await stage.sweeper(calls).sweep(PERIOD_S)
    await stage.runners[1].drain()
    await stage.deliver_all(session_id)
    loaded = await stage.stores[1].load(session_id)
    visit = await stage.runners[1].look(session_id)
    assert (visit.state.phase, loaded.outbox) == (Phase.ENDED, ())
    again = {name: count for name, count in stage.phone.requests.items() if count > 1}
    assert set(again) <= {one.command_id for one in left}
    assert set(again.values()) <= {2}
    assert set(stage.noted.values()) <= {1}
    assert set(filter(None, stage.phone.heard)) <= said_in(loaded.memo.histories)


async def test_sweep_takes_over_at_the_end_of_the_lease_and_not_before(
    managers: list[AzureRedisManager], session_id: SessionId
) -> None:
    """While the lease runs its owner may be at work; when it has ended the caller waits."""
    stage = SweepStage(managers, Phone(SCRIPT), times=RunnerTimes(ack_s=0.05, lease_s=0.6))
    stage.mortals[0].dies_at = 0
    await stage.deliver(session_id, OFFERED)
    assert await stage.sweeper(FakeCalls([True])).sweep(0.1) == 0
    assert stage.phone.requests == {}
    with traced() as told:
        assert await stage.sweeper(FakeCalls([True])).sweep(PERIOD_S) > 0
        await stage.runners[1].drain()
    assert stage.phone.requests == {"answer-1": 1}
    ages_s = [value for name, value, _ in told.values if name == "voice.outbox.age"]
    assert ages_s
    assert min(ages_s) >= 0  # an alert looks at how late it was
    assert [value for name, value, _ in told.values if name == "voice.takeovers"] == [1]
    (taken,) = told.named("take over")
    assert dict(taken.attributes or {})["session.id"] == session_id
    await stage.bury()


async def test_sweep_does_not_ask_after_a_call_it_has_just_taken_over(
    managers: list[AzureRedisManager], session_id: SessionId
) -> None:
    """The caller who has just got the floor back is not asked whether they are still there."""
    stage = SweepStage(managers, Phone(SCRIPT), times=RunnerTimes(ack_s=1, lease_s=LEASE_S))
    stage.mortals[0].dies_at = 4  # about to listen, after the greeting
    await stage.deliver(session_id, OFFERED)
    await stage.deliver(session_id, stage.phone.emitted.pop(0))
    calls = FakeCalls([True])
    await stage.sweeper(calls).sweep(PERIOD_S)
    visit = await stage.runners[1].look(session_id)
    assert (visit.state.phase, visit.state.turn) == (Phase.LISTENING, 1)
    assert calls.asked == []
    assert "CallFoundSilent" not in await stage.kinds(session_id)
    await stage.bury()


class SleepyModel(ReflexModel):
    """The first instance that asks it about what a caller said is kept waiting."""

    def __init__(self) -> None:
        self.is_asked, self.may_answer = asyncio.Event(), asyncio.Event()

    async def stream(
        self, messages: Sequence[Json], *, tools: Sequence[Json] = (), **options: Any
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """A function of the messages alone, in its own time."""
        if not self.is_asked.is_set():
            self.is_asked.set()
            await self.may_answer.wait()
        async for part in super().stream(messages, tools=tools, **options):
            yield part


async def test_owner_who_wakes_up_after_a_takeover_is_refused_and_stops(
    managers: list[AzureRedisManager], session_id: SessionId
) -> None:
    """Two instances must not answer the same words: the fence decides, whoever is first (G4)."""
    model = SleepyModel()
    stage = SweepStage(managers, Phone(("my balance",)), model=model)
    await stage.deliver(session_id, OFFERED)
    await stage.deliver(session_id, stage.phone.emitted.pop(0))
    stage.phone.emitted.sort(key=lambda event: isinstance(event, ev.SpeechRecognized))
    for event in list(stage.phone.emitted):
        await stage.runners[0].receive(session_id, event)
    stage.phone.emitted.clear()
    await model.is_asked.wait()

    await stage.sweeper(FakeCalls([True])).sweep(PERIOD_S)
    await stage.runners[1].drain()
    stage.phone.emitted.clear()
    before = await stage.stores[1].load(session_id)
    requests, noted = Counter(stage.phone.requests), Counter(stage.noted)
    assert list(noted.values()) == [1]

    model.may_answer.set()
    await stage.runners[0].drain()
    after = await stage.stores[1].load(session_id)
    assert (after.call, after.version) == (before.call, before.version)
    assert after.memo.histories == before.memo.histories
    assert after.outbox == before.outbox
    assert (stage.phone.requests, stage.noted) == (requests, noted)


async def test_silent_call_that_is_alive_is_spoken_to(
    quiet: SweepStage, session_id: SessionId
) -> None:
    """A lost callback must not leave a caller in silence for ever."""
    calls = FakeCalls([True])
    await quiet.sweeper(calls).sweep(0.3)
    await quiet.runners[1].drain()
    assert calls.asked[0] == "cc"
    assert (await quiet.kinds(session_id)).count("CallFoundSilent") >= 1
    assert len(quiet.phone.heard) >= 2
    visit = await quiet.runners[1].look(session_id)
    assert visit.state.turn >= 2


async def test_silent_call_that_is_gone_is_over(quiet: SweepStage, session_id: SessionId) -> None:
    """Without its last callback a call would be live for ever; nothing more is said into it."""
    said = len(quiet.phone.heard)
    await quiet.sweeper(FakeCalls([False])).sweep(PERIOD_S)
    visit = await quiet.runners[1].look(session_id)
    assert (visit.state.phase, visit.state.outcome) == (Phase.ENDED, "caller_left")
    assert len(quiet.phone.heard) == said
    assert visit.state.open == ()


async def test_silent_call_is_asked_after_again_when_telephony_is_away(
    quiet: SweepStage, session_id: SessionId
) -> None:
    """Not knowing is no reason to end a call, nor to forget it."""
    calls = FakeCalls([UNREACHABLE])
    for _ in range(2):
        await quiet.sweeper(calls).sweep(PERIOD_S)
    assert len(calls.asked) == 2  # once a sweep: what cannot be known now is left to the next one
    assert await quiet.stores[1].due_at(session_id) is not None
    visit = await quiet.runners[1].look(session_id)
    assert (visit.state.phase, visit.state.turn) == (Phase.LISTENING, 1)
    await quiet.sweeper(FakeCalls([False])).sweep(PERIOD_S)
    assert (await quiet.runners[1].look(session_id)).state.phase is Phase.ENDED


async def test_silent_call_that_speaks_while_we_ask_is_not_silent(
    quiet: SweepStage, session_id: SessionId
) -> None:
    """What ACS says is about a moment that has passed: the caller's words come first."""
    calls = FakeCalls([True])
    calls.may_answer.clear()
    sweep = asyncio.create_task(quiet.sweeper(calls).sweep(0.2))
    await calls.is_asked.wait()
    prompt = (await quiet.runners[0].look(session_id)).state.prompt
    heard = ev.SpeechRecognized(EventId("late"), prompt, "my card")
    await quiet.deliver(session_id, heard)
    calls.answers = [True, UNREACHABLE]  # soon it is silent again, which is another matter
    calls.may_answer.set()
    await sweep
    assert "CallFoundSilent" not in await quiet.kinds(session_id)
    visit = await quiet.runners[1].look(session_id)
    assert (visit.state.turn, visit.state.silences) == (2, 0)


async def test_sweep_forgets_a_session_that_has_expired(
    stage: SweepStage, session_id: SessionId, managers: list[AzureRedisManager]
) -> None:
    """The list outlives the sessions on it; nobody is looked for twice."""
    await managers[0].execute("ZADD", DUE_KEY, 1, session_id)
    assert await stage.sweeper(FakeCalls([True])).sweep(0.0) == 1
    assert await stage.stores[1].due_at(session_id) is None


async def test_sweep_is_not_stopped_by_a_session_it_cannot_read(
    stage: SweepStage, session_id: SessionId
) -> None:
    """One damaged session must not cost the others their takeover."""
    damaged = SessionId(f"damaged-{uuid.uuid4()}")
    await stage.stores[0].commit(
        Commit(session_id=damaged, call={"kind": "FromTheFuture"}, due_in_s=-5)
    )
    stage.mortals[0].dies_at = 0
    await stage.deliver(session_id, OFFERED)
    await stage.sweeper(FakeCalls([True])).sweep(PERIOD_S)
    await stage.runners[1].drain()
    assert stage.phone.requests == {"answer-1": 1}
    assert await stage.stores[1].due_at(damaged) is not None  # code that knows it will find it


async def test_sweep_can_be_cancelled_without_losing_anything(
    quiet: SweepStage, session_id: SessionId
) -> None:
    """A host that stops in the middle of a sweep leaves the session to the next one."""
    calls = FakeCalls([False])
    calls.may_answer.clear()
    sweep = asyncio.create_task(quiet.sweeper(calls).sweep(PERIOD_S))
    await calls.is_asked.wait()
    sweep.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sweep
    assert await quiet.stores[1].due_at(session_id) is not None
