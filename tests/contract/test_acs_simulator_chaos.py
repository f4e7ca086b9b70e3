"""What may go wrong between the service and the app goes wrong on demand."""

import asyncio

import pytest
from azure.communication.callautomation import DtmfTone

from simulator.acs import (
    Chaos,
    Pace,
)
from tests.contract.acs_simulator_stage import (
    build_stage,
    caller,
    text,
)


async def test_duplicates_have_the_same_id() -> None:
    """Only the id tells the app that it has seen an event."""
    async with build_stage(chaos=Chaos(duplicate=1.0, duplicate_copies=2)) as stage:
        await stage.answer()
        await stage.app.wait_for("CallConnected", count=3)
        assert len({event["id"] for event in stage.app.of("CallConnected")}) == 1


async def test_reordered_callback_arrives_after_its_successor() -> None:
    """The order of callbacks is not guaranteed, and this is how it looks."""
    async with build_stage(chaos=Chaos(reorder=1.0)) as stage:
        await stage.answer()
        await stage.app.wait_for("CallConnected")
        assert [event["type"].rpartition(".")[2] for event in stage.app.events] == [
            "ParticipantsUpdated",
            "CallConnected",
        ]


async def test_held_callback_without_successor_arrives_all_the_same() -> None:
    """Reordering delays; it does not lose."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        stage.sim.chaos.reorder = 1.0
        await connection.send_dtmf_tones(
            [DtmfTone.ONE],
            caller(),
            operation_context="s1",
            operation_callback_url=stage.app.url + "?alone=1",
        )
        arrived = await stage.app.wait_for("SendDtmfTonesCompleted", "s1")
        assert arrived["data"]["operationContext"] == "s1"


async def test_dropped_callback_never_arrives() -> None:
    """The app has to live without it; the simulator still knows that it came up."""
    async with build_stage(chaos=Chaos(drop_types={"PlayCompleted"})) as stage:
        _, connection = await stage.answer()
        await connection.play_media(text("Hello."), operation_context="p1")
        await connection.play_media(text("Next."), operation_context="p2")
        await stage.app.wait_for("PlayStarted", "p2")
        assert stage.app.of("PlayCompleted") == []
        assert any(event["type"].endswith("PlayCompleted") for event in stage.sim.events)


async def test_delay_may_hit_one_kind_of_event() -> None:
    """A CallDisconnected that comes late must not hold up the others."""
    chaos = Chaos(delay_ms=(100, 200), delay_types={"CallConnected"})
    async with build_stage(chaos=chaos) as stage:
        await stage.answer()
        assert [event["type"].rpartition(".")[2] for event in stage.app.events] == [
            "ParticipantsUpdated",
            "CallConnected",
        ]


async def test_callback_may_overtake_the_answer_of_its_request() -> None:
    """An app that remembers the call only after the answer meets an unknown call."""
    chaos = Chaos(late_rest_ms=1_000)
    async with build_stage(chaos=chaos, pace=Pace(speed=1_000, ring_s=50_000)) as stage:
        _, context = await stage.ring()
        answering = asyncio.ensure_future(stage.client.answer_call(context, stage.app.url))
        connected = await stage.app.wait_for("CallConnected")
        assert not answering.done()
        properties = await answering
        assert properties.call_connection_id == connected["data"]["callConnectionId"]


@pytest.mark.parametrize(("retries", "expected"), [(0, [500]), (1, [500, 200]), (2, [500, 200])])
async def test_failed_delivery_is_retried_only_on_demand(retries: int, expected: list[int]) -> None:
    """Whether the service retries is not documented, so both must be tried."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        await stage.app.wait_for("ParticipantsUpdated")
        stage.sim.chaos.retries = retries
        stage.app.statuses = [500]
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected", count=len(expected))
        # The sentence of another call takes longer than any retry would.
        _, other = await stage.answer()
        await other.play_media(text("x" * 400), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        assert len({event["id"] for event in stage.app.of("CallDisconnected")}) == 1
        statuses = [d.status for d in stage.sim.deliveries if "Disconnected" in d.event_types[0]]
        assert statuses == expected


async def test_refused_delivery_is_not_retried() -> None:
    """A 4xx is final."""
    async with build_stage(chaos=Chaos(retries=3)) as stage:
        stage.app.statuses = [401, 401]
        _, connection = await stage.answer()
        # This sentence takes longer than any retry would.
        await connection.play_media(text("x" * 400), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        assert len(stage.app.of("CallConnected")) == 1


async def test_several_events_may_come_in_one_post() -> None:
    """The body is an array; nothing says that it holds one event."""
    async with build_stage(chaos=Chaos(events_per_post=2)) as stage:
        phone, _ = await stage.answer()
        assert [len(post) for post in stage.app.posts] == [2]
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        assert [len(post) for post in stage.app.posts] == [2, 1]


async def test_unknown_events_and_fields_come_along() -> None:
    """The service adds things without asking; the app must not stumble."""
    async with build_stage(chaos=Chaos(unknown_events=1.0, extra_fields=True)) as stage:
        await stage.answer()
        await stage.app.wait_for("CallPhaseShifted", count=2)
        assert "undocumentedField" in stage.app.of("CallConnected")[0]["data"]


async def test_incoming_call_may_be_offered_twice() -> None:
    """Two subscriptions deliver the same event."""
    async with build_stage(chaos=Chaos(duplicate_incoming=1)) as stage:
        await stage.ring()
        first, second = stage.app.offers
        assert first == second


async def test_equal_seeds_make_equal_decisions() -> None:
    """A failing run of a chaos test can be run again."""
    first, second = Chaos(seed=7, drop=0.5), Chaos(seed=7, drop=0.5)
    decisions = [first.drops("PlayCompleted") for _ in range(50)]
    assert decisions == [second.drops("PlayCompleted") for _ in range(50)]
    assert {True, False} == set(decisions)


async def test_unreachable_app_does_not_stop_the_call() -> None:
    """A call goes on whether or not anybody listens to its callbacks."""
    async with build_stage() as stage:
        phone, context = await stage.ring()
        await stage.client.answer_call(context, "http://127.0.0.1:9/callbacks")
        entry = await phone.next_entry()
        assert type(entry).__name__ == "Connected"
