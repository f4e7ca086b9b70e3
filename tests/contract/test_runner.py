"""The runner on a real Redis: once, whoever delivers what how often, and after any failure."""

import asyncio
import uuid
from random import Random
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.calls import events as ev
from shared.calls.codec import decode_event, decode_state
from shared.calls.commands import Answer
from shared.calls.flow import advance
from shared.calls.meter import read_meter, usage_key
from shared.calls.state import CallState, Phase
from shared.calls.telephony import CallLeg
from shared.cost.prices import Prices, sum_of
from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.redis.round_trips import count_round_trips
from shared.types import EventId, Json, SessionId
from tests.contract.call_stage import (
    BANK,
    CALLER,
    CONCIERGE,
    HANGS_UP,
    MUMBLES,
    PERSON,
    SILENT,
    Phone,
    Stage,
    state_of,
)

pytest_plugins = ["tests.contract.redis_fixture"]

SCRIPT = ("my balance", "1234", SILENT, "my card", PERSON)


def new_session() -> SessionId:
    """A session of this test's own."""
    return SessionId(str(uuid.uuid4()))


async def run(redis_url: str, script: tuple[str, ...], random: Random | None) -> dict[str, Any]:
    """Play a call on three instances and tell all that can be seen of it."""
    managers = [AzureRedisManager(url=redis_url) for _ in range(3)]
    try:
        stage, session_id = Stage(managers, Phone(script)), new_session()
        await stage.play(session_id, random)
        loaded = await stage.stores[0].load(session_id, None)
        assert loaded.call is not None
        return {
            "state": state_of(loaded.call, session_id),
            "history": loaded.memo.histories,
            "outbox": loaded.outbox,
            "heard": stage.phone.heard,
            "requests": dict(stage.phone.requests),
            "notes": sorted(stage.noted.values()),
            "journal": await stage.stores[0].journal(session_id),
            "meter": decode_state(loaded.call).meter,
            "usage": [loaded.memo.get_context(usage_key(turn), {}) for turn in range(99)],
        }
    finally:
        for manager in managers:
            await manager.aclose()


async def test_runner_leads_a_call_from_ring_to_transfer(redis_url: str) -> None:
    """The clean run: everything asked for once, nothing left to do, the outcome known."""
    seen = await run(redis_url, SCRIPT, None)
    assert seen["state"]["outcome"] == "transferred"
    assert seen["outbox"] == ()
    assert set(seen["requests"].values()) == {1}
    assert seen["notes"] == [1, 1, 1]
    spoken = [
        one["content"]
        for one in seen["history"][CONCIERGE]
        if one["role"] == "assistant" and one["content"]
    ]
    assert spoken == seen["heard"]


_steps = st.sampled_from(["my balance", "my card", "1234", SILENT, MUMBLES])
_endings = st.sampled_from([(PERSON,), (HANGS_UP,), (SILENT,) * 4])


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate),
)
@given(script=st.tuples(st.lists(_steps, max_size=4), _endings), seed=st.integers(0))
async def test_runner_ends_alike_however_events_are_delivered(
    redis_url: str, script: tuple[list[str], tuple[str, ...]], seed: int
) -> None:
    """Delivered 1 to 5 times, shuffled, to three instances at once: as in the clean run (G1-G3)."""
    lines = (*script[0], *script[1])
    clean = await run(redis_url, lines, None)
    chaotic = await run(redis_url, lines, Random(seed))
    for what in ("state", "history", "outbox", "heard", "requests", "notes"):
        assert chaotic[what] == clean[what], what


async def test_runner_journal_replays_to_the_same_state(redis_url: str) -> None:
    """The journal holds every accepted event in order: replayed, it gives the stored state."""
    seen = await run(redis_url, SCRIPT, Random(7))
    state = CallState(session_id=SessionId("s"), agent=CONCIERGE)
    for entry in seen["journal"]:
        step = advance(state, decode_event(_with_context(entry["event"])))
        assert [one.id for one in step.commands] == entry["decided"]
        state = step.state
    assert state == decode_state(seen["state"])


@pytest.mark.parametrize("seed", [None, 3, 11])
async def test_runner_ledger_is_what_the_journal_says(redis_url: str, seed: int | None) -> None:
    """Counted once however often and wherever events arrive; turns and line are the whole."""
    seen = await run(redis_url, SCRIPT, None if seed is None else Random(seed))
    meter = seen["meter"]
    assert read_meter(seen["journal"]) == meter
    said = sum(len(text) for text in seen["heard"] if text)
    assert meter.total["speech/characters"] == said
    line = {name: count for name, count in meter.total.items() if name.startswith("acs/")}
    assert sum_of([*seen["usage"], line]) == meter.total
    assert Prices().cost_of(meter.total) == Prices().cost_of(read_meter(seen["journal"]).total)


def _with_context(event: Json) -> Json:
    """The journal leaves out the 8 kB that answered the call."""
    return {"incoming_call_context": "", **event} if event["kind"] == "CallOffered" else event


async def test_runner_spends_at_most_two_round_trips_on_an_event(redis_url: str) -> None:
    """One to load and one to commit; a result of our own command needs only the commit."""
    async with AzureRedisManager(url=redis_url) as manager:
        stage, session_id = Stage([manager], Phone((PERSON,))), new_session()
        runner = stage.runners[0]
        event: ev.Event = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        waiting, spent = [event], []
        await Stage([manager], Phone(())).play(new_session())  # the server knows the scripts
        while waiting:
            event = waiting.pop(0)
            before = len(await stage.stores[0].journal(session_id))
            with count_round_trips() as trips:
                await runner.receive(session_id, event, begins_session=True)
                await runner.drain()
            applied = len(await stage.stores[0].journal(session_id)) - before
            own = max(0, applied - 1)  # results of the commands that the event led to
            spent.append((type(event).__name__, trips.total, own))
            waiting += stage.phone.emitted
            stage.phone.emitted.clear()
        assert len(spent) > 8
        for name, total, own in spent:
            assert total <= 2 + own, (name, total, own)


async def test_runner_does_nothing_for_an_event_that_comes_again(redis_url: str) -> None:
    """A redelivery costs one look and starts nothing."""
    async with AzureRedisManager(url=redis_url) as manager:
        stage, session_id = Stage([manager], Phone(())), new_session()
        offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        await stage.runners[0].receive(session_id, offered, begins_session=True)
        await stage.runners[0].drain()
        with count_round_trips() as trips:
            visit = await stage.runners[0].receive(session_id, offered, begins_session=True)
        assert trips.total == 1
        assert visit.state.phase is Phase.RINGING
        assert set(stage.phone.requests.values()) == {1}


class SlowPhone(Phone):
    """A phone whose answer takes as long as it is held."""

    def __init__(self) -> None:
        super().__init__(())
        self.asked, self.held = asyncio.Event(), asyncio.Event()

    async def answer(self, session_id: SessionId, command: Answer) -> CallLeg:
        """Answered, once the test lets go."""
        self.asked.set()
        await self.held.wait()
        return await super().answer(session_id, command)


async def test_runner_acknowledges_in_time_and_goes_on(redis_url: str) -> None:
    """The event is acknowledged while ACS still hangs; the answer is recorded when it comes."""
    async with AzureRedisManager(url=redis_url) as manager:
        phone = SlowPhone()
        stage, session_id = Stage([manager], phone), new_session()
        offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        visit = await stage.runners[0].receive(
            session_id, offered, begins_session=True, within_s=0.05
        )
        assert phone.asked.is_set()
        assert visit.state.open == ("answer-1",)
        assert visit.state.call_connection_id == ""
        phone.held.set()
        await stage.runners[0].drain()
        loaded = await stage.stores[0].load(session_id, None)
        assert loaded.outbox == ()
        assert decode_state(loaded.call or {}).call_connection_id == "cc"


async def test_runner_goes_on_when_the_caller_of_receive_is_cancelled(redis_url: str) -> None:
    """A client that leaves takes nothing with it: what was decided is done."""
    async with AzureRedisManager(url=redis_url) as manager:
        phone = SlowPhone()
        stage, session_id = Stage([manager], phone), new_session()
        offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        request = asyncio.create_task(
            stage.runners[0].receive(session_id, offered, begins_session=True)
        )
        await phone.asked.wait()
        request.cancel()
        with pytest.raises(asyncio.CancelledError):
            await request
        phone.held.set()
        await stage.runners[0].drain()
        assert phone.requests == {"answer-1": 1}
        assert (await stage.stores[0].load(session_id, None)).outbox == ()


async def test_runner_leaves_a_refused_redis_to_the_redelivery() -> None:
    """Without the session store an event fails as a whole, so that it is delivered again."""
    async with AzureRedisManager(url="redis://127.0.0.1:1/0", connect_timeout_s=0.5) as manager:
        stage = Stage([manager], Phone(()))
        offered = ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")
        with pytest.raises(UpstreamError):
            await stage.runners[0].receive(new_session(), offered, begins_session=True)
        assert stage.phone.requests == {}
