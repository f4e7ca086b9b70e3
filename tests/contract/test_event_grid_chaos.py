"""Event Grid doubles, delays and reorders on demand, and ends cleanly."""

import asyncio
from pathlib import Path

import pytest

from simulator.event_grid import Chaos, HandshakeError
from simulator.functions_host import FunctionsHost
from simulator.functions_host.configuration import Keys
from tests.contract.event_grid_stage import Endpoint, NewGrid, event, publish

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)

SAMPLE = Path(__file__).parent / "sample_app"


async def test_duplicates_carry_the_same_id_at_the_same_time(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """Two instances get one call in one moment: the case a dedup must survive."""
    grid = new_grid(Chaos(duplicates=2))
    await grid.subscribe(endpoint.url)
    await publish(grid, [event()])
    assert endpoint.ids == ["e1"] * 3
    assert {headers["aeg-delivery-count"] for headers, _ in endpoint.requests} == {"0"}


async def test_late_redelivery_follows_a_success(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """Event Grid may miss an answer and deliver what was done long ago."""
    grid = new_grid(Chaos(late_redeliveries=1))
    await grid.subscribe(endpoint.url)
    await publish(grid, [event()])
    assert endpoint.ids == ["e1", "e1"]
    assert [a.is_success for a in grid.attempts] == [True, True]


async def test_reordering_lets_the_next_event_pass(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """No order is promised, and here it is broken on purpose."""
    grid = new_grid(Chaos(reorder=1.0, reorder_hold_ms=5000))
    await grid.subscribe(endpoint.url)
    await publish(grid, [event("first"), event("second")])
    assert endpoint.ids == ["second", "first"]


async def test_held_event_comes_when_no_other_does(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """Chaos delays an event but never loses it; the delay adds to the wait."""
    grid = new_grid(Chaos(reorder=1.0, reorder_hold_ms=10, delay_ms=(5, 10)))
    await grid.subscribe(endpoint.url)
    await publish(grid, [event("only")])
    assert endpoint.ids == ["only"]


async def test_close_cancels_what_is_under_way(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """A test must not leave deliveries behind; closing twice is harmless."""
    grid = new_grid()
    endpoint.hold = asyncio.Event()
    await grid.subscribe(endpoint.url)
    await grid.publish([event()])
    await endpoint.arrived.wait()
    with pytest.raises(TimeoutError):
        await grid.idle(0.05)
    await grid.aclose()
    await grid.aclose()
    endpoint.hold.set()
    assert grid.attempts == []
    with pytest.raises(RuntimeError):
        await grid.publish([event()])


async def test_functions_host_takes_both_schemas(new_grid: NewGrid, tmp_path: Path) -> None:
    """The two stand-ins fit together: handshake, keys, delivery, a failing function."""
    host = FunctionsHost(
        SAMPLE,
        log_path=tmp_path / "host.log",
        env={"TICK_SCHEDULE": "0 0 3 1 1 *"},
        keys=Keys(system="s-key"),
    )
    await host.start()
    try:
        grid = new_grid()
        hook = f"{host.url}/runtime/webhooks/EventGrid?code=s-key&functionName="
        await grid.subscribe(hook + "on_event", kind="function", name="plain", max_attempts=2)
        await grid.subscribe(hook + "on_cloud_event", kind="function", schema="cloudevents")
        with pytest.raises(HandshakeError, match="status 401"):
            await grid.subscribe(hook.replace("s-key", "wrong") + "on_event")
        failing = event("bad") | {"data": {"fail": True}}
        await publish(grid, [event("good"), failing])
    finally:
        host.kill()
    plain = sorted(
        (a.event_id, a.delivery_count, a.status) for a in grid.attempts if a.subscription == "plain"
    )
    assert plain == [("bad", 0, 500), ("bad", 1, 500), ("good", 0, 202)]
    others = {(a.event_id, a.status) for a in grid.attempts if a.subscription != "plain"}
    assert others == {("bad", 202), ("good", 202)}
