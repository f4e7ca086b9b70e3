"""The stand-in of Application Insights: what it reads, refuses and draws."""

import gzip
import json
from typing import Any

import pytest

from simulator.appinsights import spans_of, waterfall
from simulator.appinsights.wire import UnreadableError, answer_of, problem_of, read_items

KEY = "11111111-1111-4111-8111-111111111111"


def item(name: str = "turn", **more: Any) -> dict[str, Any]:
    """A dependency as an exporter writes it."""
    details = {
        "time": "2026-05-04T10:00:00.000000Z",
        "duration": "0.00:00:00.040",
        "id": "a1",
        "parent": "",
        "trace": "t1",
        "session": "s-1",
        "success": True,
        "links": [],
        **more,
    }
    properties = {"session.id": details["session"]}
    if details["links"]:
        properties["_MS.links"] = json.dumps(details["links"])
    tags = {"ai.operation.id": details["trace"]}
    if details["parent"]:
        tags["ai.operation.parentId"] = details["parent"]
    return {
        "name": "Microsoft.ApplicationInsights.RemoteDependency",
        "time": details["time"],
        "iKey": KEY,
        "tags": tags,
        "data": {
            "baseType": "RemoteDependencyData",
            "baseData": {
                "name": name,
                "id": details["id"],
                "duration": details["duration"],
                "success": details["success"],
                "type": "InProc",
                "properties": properties,
            },
        },
    }


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (json.dumps([item(), item()]).encode(), ""),
        (f"{json.dumps(item())}\n{json.dumps(item())}\n".encode(), ""),
        (gzip.compress(json.dumps([item(), item()]).encode()), "gzip"),
    ],
)
def test_stand_in_reads_arrays_lines_and_compressed_bodies(body: bytes, encoding: str) -> None:
    """Exporters of different languages differ in how they post."""
    assert len(read_items(body, encoding)) == 2


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"", ""), (b"[]", ""), (b"{", ""), (b"[1]", ""), (b"[{}]", "gzip")]
)
def test_stand_in_refuses_what_is_no_telemetry(body: bytes, encoding: str) -> None:
    """A stand-in that takes everything would hide a broken exporter."""
    with pytest.raises(UnreadableError):
        read_items(body, encoding)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({}, None),
        ({"iKey": "another"}, "instrumentation key"),
        ({"time": ""}, "required"),
        ({"data": {"baseType": "Guess"}}, "not known"),
        ({"data": {"baseType": "MetricData"}}, "baseData"),
        ({"tags": {"x": "y" * 70_000}}, "too large"),
    ],
)
def test_stand_in_checks_every_item(change: dict[str, Any], problem: str | None) -> None:
    """As the service does; the whole request does not fail for one."""
    found = problem_of({**item(), **change}, KEY)
    assert found is None if problem is None else problem in str(found)


def test_stand_in_answers_what_was_accepted() -> None:
    """200 for all, 206 for some, and one status if all have failed alike."""
    assert answer_of(2, {})[0] == 200
    status, body = answer_of(3, {1: (429, "later")})
    assert (status, body["itemsReceived"], body["itemsAccepted"]) == (206, 3, 2)
    assert body["errors"] == [{"index": 1, "statusCode": 429, "message": "later"}]
    assert answer_of(2, {0: (400, "a"), 1: (400, "b")})[0] == 400
    assert answer_of(2, {0: (400, "a"), 1: (500, "b")})[0] == 206


def test_spans_are_read_in_the_order_in_which_they_began() -> None:
    """Children are sent before what contains them."""
    later = item("child", id="b", parent="a1", time="2026-05-04T10:00:01.500000Z")
    child, parent = spans_of([later, item(duration="1.02:03:04.500")])[::-1]
    assert (parent.name, child.name, child.parent_id) == ("turn", "child", "a1")
    assert parent.duration_ms == (26 * 3600 + 3 * 60 + 4.5) * 1000
    assert (child.started_at - parent.started_at).total_seconds() == 1.5


def test_waterfall_draws_a_call() -> None:
    """Who reads it sees what the caller waited for, at a glance."""
    items = [
        item("event CallOffered", id="e1", duration="0.00:00:00.010"),
        item("redis EVALSHA", id="r1", parent="e1", duration="0.00:00:00.010"),
        item(
            "event SpeechRecognized",
            id="e2",
            trace="t2",
            time="2026-05-04T10:00:02.000000Z",
            duration="0.00:00:00.100",
            links=[{"operation_Id": "t1", "id": "e1"}],
        ),
        item(
            "turn",
            id="u",
            parent="e2",
            trace="t2",
            time="2026-05-04T10:00:02.050000Z",
            duration="0.00:00:00.050",
            success=False,
        ),
        *(
            item(
                "acs speak",
                id=f"s{number}",
                parent="u",
                trace="t2",
                time=f"2026-05-04T10:00:02.0{50 + 10 * number}000Z",
                duration="0.00:00:00.010",
            )
            for number in range(2)
        ),
        item("synthesize prompt", id="x", trace="t3", session=""),
    ]
    assert waterfall(items, "s-1").splitlines() == [
        "6 spans of 2 invocations, 1 linked to the first (t1); 1 failed",
        "    at ms       ms",
        "        0       10  event CallOffered"
        "                            |================================|",
        "     2000      100  event SpeechRecognized"
        "                       |================================|",
        "     2050       50    turn"
        "                                       |                ================|  FAILED",
        "     2050       20      acs speak x 2"
        "                            |                ======          |",
    ]


def test_waterfall_says_that_there_is_nothing() -> None:
    """An empty picture could be taken for a quick call."""
    assert waterfall([item()], "another") == "no span of this session has arrived"
