"""What a call on a real Redis tells of itself: every event once, and all of them joined."""

import uuid
from collections import Counter
from collections.abc import AsyncIterator

import pytest

from shared.calls import events as ev
from shared.redis.manager import AzureRedisManager
from shared.redis.round_trips import count_round_trips
from shared.types import EventId, SessionId
from tests.contract.call_stage import BANK, CALLER, PERSON, Phone, Stage
from tests.unit.span_fakes import Traced, traced

pytest_plugins = ["tests.contract.redis_fixture"]

SCRIPT = ("my balance", PERSON)


@pytest.fixture
async def manager(redis_url: str) -> AsyncIterator[AzureRedisManager]:
    """One connection for one instance."""
    async with AzureRedisManager(url=redis_url) as one:
        yield one


async def play(manager: AzureRedisManager, session_id: SessionId, times: int = 1) -> int:
    """Play a call, each event delivered so many times; how many different events there were."""
    stage = Stage([manager], Phone(SCRIPT))
    waiting: list[ev.Event] = [ev.CallOffered(EventId("offer"), CALLER, BANK, "ctx", "corr")]
    count = 0
    while waiting:
        event = waiting.pop(0)
        count += 1
        for _ in range(times):
            await stage.runners[0].receive(session_id, event, begins_session=True)
            await stage.runners[0].drain()
        waiting += stage.phone.emitted
        stage.phone.emitted.clear()
    return count


def outcomes(told: Traced) -> Counter[str]:
    """What became of the events."""
    return Counter(labels["outcome"] for name, _, labels in told.values if name == "voice.events")


async def test_call_counts_each_event_by_what_became_of_it(manager: AzureRedisManager) -> None:
    """A platform that delivers everything three times shows up as duplicates, and no more."""
    session_id = SessionId(str(uuid.uuid4()))
    with traced() as once:
        events = await play(manager, SessionId(str(uuid.uuid4())))
    with traced() as told:
        assert await play(manager, session_id, times=3) == events
    assert sum(outcomes(told).values()) == 3 * events
    assert outcomes(told)["applied"] == outcomes(once)["applied"]
    assert outcomes(told)["duplicate"] == 2 * outcomes(once)["applied"]
    spans = [one for one in told.ended if one.name.startswith("event ")]
    by_outcome = Counter(dict(one.attributes or {})["voice.event.outcome"] for one in spans)
    assert by_outcome == outcomes(told)
    assert len([one for one in told.ended if one.name == "turn"]) == 3  # greeting, answer, transfer


async def test_call_joins_every_invocation_to_its_first(manager: AzureRedisManager) -> None:
    """Whoever finds one of them finds the whole call."""
    session_id = SessionId(str(uuid.uuid4()))
    with traced() as told:
        await play(manager, session_id)
    first, *others = [one for one in told.ended if one.name.startswith("event ")]
    assert (first.name, first.links) == ("event CallOffered", ())
    for one in others:
        assert [link.context.trace_id for link in one.links] == [first.context.trace_id]
        assert one.context.trace_id != first.context.trace_id
    for one in told.ended:
        assert dict(one.attributes or {})["session.id"] == session_id
    named = [one for one in others if one.name != "event CallConnected"]
    calls = {dict(one.attributes or {})["call.connection.id"] for one in named}
    assert len(calls) == 1


async def test_call_measures_what_the_caller_waited_for(manager: AzureRedisManager) -> None:
    """The silences are those of the session's own record, once a turn."""
    session_id = SessionId(str(uuid.uuid4()))
    with traced() as told:
        await play(manager, session_id)
    silences = {
        labels["cue"]: value
        for name, value, labels in told.values
        if name == "voice.turn.caller_silence"
    }
    assert set(silences) == {"greeting", "utterance"}
    for turn in told.named("turn"):
        facts = dict(turn.attributes or {})
        stages = {
            name: float(str(value))
            for name, value in facts.items()
            if name.startswith("voice.turn.stage_ms.")
        }
        assert abs(sum(stages.values()) - float(str(facts["voice.turn.silence_ms"]))) < 1
    latencies = [one for one in told.values if one[0] == "voice.turn.answer_latency"]
    assert len(latencies) == 2
    assert all(labels["channel"] == "call" for _, _, labels in latencies)
    spoken = [value for name, value, _ in told.values if name == "voice.speech.characters"]
    assert sum(spoken) > 0


async def test_call_costs_no_round_trip_more_for_being_traced(manager: AzureRedisManager) -> None:
    """The first trace is kept in what is saved anyway."""
    await play(manager, SessionId(str(uuid.uuid4())))
    with count_round_trips() as without:
        await play(manager, SessionId(str(uuid.uuid4())))
    with traced() as told, count_round_trips() as with_traces:
        await play(manager, SessionId(str(uuid.uuid4())))
    assert with_traces.total == without.total
    assert len([one for one in told.ended if one.name.startswith("redis ")]) == with_traces.total
