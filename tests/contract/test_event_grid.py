"""The Event Grid stand-in delivers at least once, by the documented rules."""

import asyncio
from typing import Any

import pytest

from simulator.event_grid import HandshakeError
from tests.contract.event_grid_stage import INCOMING, Endpoint, NewGrid, event, publish

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)


async def test_delivery_is_one_event_per_post_with_the_headers(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """A handler reads the headers and a list of one, whatever was published together."""
    grid = new_grid()
    await grid.subscribe(endpoint.url, name="calls")
    await publish(grid, [event("a"), event("b")])
    assert sorted(endpoint.ids) == ["a", "b"]
    headers, body = endpoint.requests[0]
    assert len(body) == 1
    assert body[0]["topic"].startswith("/subscriptions/")
    assert body[0]["metadataVersion"] == "1"
    assert headers["aeg-event-type"] == "Notification"
    assert headers["aeg-subscription-name"] == "CALLS"
    assert headers["aeg-delivery-count"] == "0"
    assert headers["aeg-metadata-version"] == "1"
    assert headers["aeg-data-version"] == "1.0"
    assert headers["aeg-output-event-id"]
    assert headers["Content-Type"] == "application/json; charset=utf-8"


async def test_cloud_events_schema_delivers_one_object(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """The schema of the subscription decides the form, not the source."""
    grid = new_grid()
    await grid.subscribe(endpoint.url, schema="cloudevents")
    await publish(grid, [event("a")])
    headers, body = endpoint.requests[0]
    assert headers["Content-Type"] == "application/cloudevents+json; charset=utf-8"
    assert body["specversion"] == "1.0"
    assert body["type"] == INCOMING
    assert body["data"] == {"correlationId": "a"}
    assert "eventType" not in body


@pytest.mark.parametrize("schema", ["eventgrid", "cloudevents"])
async def test_endpoint_that_fails_the_handshake_gets_nothing(
    endpoint: Endpoint, new_grid: NewGrid, schema: Any
) -> None:
    """Otherwise anyone could point a flood of events at anyone."""
    grid = new_grid()
    endpoint.is_honest = False
    with pytest.raises(HandshakeError):
        await grid.subscribe(endpoint.url, schema=schema)
    await endpoint.aclose()
    with pytest.raises(HandshakeError, match="did not answer"):
        await grid.subscribe(endpoint.url, schema=schema)
    await publish(grid, [event()])
    assert (grid.attempts, grid.subscriptions) == ([], [])


async def test_filter_lets_only_its_types_through(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """The recording event must not ring the phone."""
    grid = new_grid()
    await grid.subscribe(endpoint.url, filter_types=[INCOMING])
    await publish(grid, [event("a", "Microsoft.Communication.CallStarted"), event("b")])
    assert endpoint.ids == ["b"]


async def test_failed_delivery_is_tried_again_with_the_same_id(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """At least once: the id stays, the count rises, a success ends it."""
    grid = new_grid()
    endpoint.statuses = [500, 404, 202]
    await grid.subscribe(endpoint.url)
    await publish(grid, [event()])
    assert endpoint.ids == ["e1"] * 3
    assert [headers["aeg-delivery-count"] for headers, _ in endpoint.requests] == ["0", "1", "2"]
    assert [a.outcome for a in grid.attempts] == ["InternalServerError", "NotFound", "Success"]


@pytest.mark.parametrize(
    ("kind", "status", "is_retried"),
    [
        ("webhook", 400, False),
        ("webhook", 401, False),
        ("webhook", 403, False),
        ("webhook", 413, False),
        ("webhook", 404, True),
        ("webhook", 302, True),
        ("webhook", 205, True),
        ("function", 400, False),
        ("function", 401, True),
        ("function", 403, False),
    ],
)
async def test_status_decides_whether_there_is_a_second_attempt(
    endpoint: Endpoint, new_grid: NewGrid, kind: Any, status: int, is_retried: bool
) -> None:
    """Some answers lose the event at once; a handler must know which."""
    grid = new_grid()
    endpoint.statuses = [status]
    letters: list[dict[str, Any]] = []
    await grid.subscribe(endpoint.url, kind=kind, dead_letters=letters)
    await publish(grid, [event()])
    assert len(endpoint.requests) == (2 if is_retried else 1)
    assert len(letters) == (0 if is_retried else 1)
    if letters:
        assert letters[0]["deadLetterReason"].startswith("UndeliverableDueToHttp")


async def test_last_attempt_leads_to_the_dead_letters(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """A lost event is kept with the reason, so that it can be looked at."""
    grid = new_grid()
    endpoint.statuses = [503, 503, 503]
    letters: list[dict[str, Any]] = []
    await grid.subscribe(endpoint.url, max_attempts=2, dead_letters=letters)
    await publish(grid, [event()])
    assert len(endpoint.requests) == 2
    (letter,) = letters
    assert letter["id"] == "e1"
    assert letter["deadLetterReason"] == "MaxDeliveryAttemptsExceeded"
    assert letter["deliveryAttempts"] == 2
    assert letter["lastDeliveryOutcome"] == "ServiceUnavailable"
    assert letter["publishTime"] <= letter["lastDeliveryAttemptTime"]


async def test_event_past_its_time_to_live_is_not_delivered_again(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """Waits of 10, 30 and 60 s: the fourth attempt would come too late to be of use."""
    grid = new_grid(speed=300)
    endpoint.statuses = [500] * 4
    letters: list[dict[str, Any]] = []
    await grid.subscribe(
        endpoint.url, schema="cloudevents", ttl_s=99, max_attempts=30, dead_letters=letters
    )
    await publish(grid, [event()])
    assert len(endpoint.requests) == 3
    assert letters[0]["deadletterreason"] == "TimeToLiveExceeded"


async def test_unreachable_endpoint_is_tried_again(endpoint: Endpoint, new_grid: NewGrid) -> None:
    """A host that restarts must not lose the call."""
    grid = new_grid()
    await grid.subscribe(endpoint.url, max_attempts=3)
    await endpoint.aclose()
    await publish(grid, [event()])
    assert [(a.status, a.outcome) for a in grid.attempts] == [(None, "SocketError")] * 3


async def test_answer_that_takes_too_long_is_a_failure(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """The work may have been done all the same: the second delivery is the proof of dedup."""
    grid = new_grid(timeout_s=0.2)
    endpoint.hold = asyncio.Event()
    await grid.subscribe(endpoint.url, max_attempts=2)
    await publish(grid, [event()])
    endpoint.hold.set()
    assert [a.outcome for a in grid.attempts] == ["TimedOut", "TimedOut"]
    assert endpoint.ids == ["e1", "e1"]


async def test_incomplete_event_is_refused_with_its_companions(
    endpoint: Endpoint, new_grid: NewGrid
) -> None:
    """A source learns at once that it publishes nonsense; nothing is half accepted."""
    grid = new_grid()
    await grid.subscribe(endpoint.url)
    broken = event("b")
    del broken["eventType"]
    with pytest.raises(ValueError, match="eventType"):
        await grid.publish([event("a"), broken])
    assert endpoint.requests == []
