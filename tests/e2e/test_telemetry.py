"""Twenty calls with the real exporter: every turn is there, whole, once, and joined to its call.

Once with the app configuring OpenTelemetry itself, as on a laptop, and once with the worker having
done so before, as in Azure.
"""

import asyncio
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from simulator.acs import PhoneCall
from simulator.app_client import AppClient
from simulator.appinsights import Span, spans_of
from simulator.stack import Plan, Stack, Telemetry
from tests.e2e.calls import LIMIT_S, QUICK, look, play

EVENTS = {
    "CallConnected": "CallConnected",
    "PlayCompleted": "PromptFinished",
    "RecognizeCompleted": "SpeechRecognized",
    "CallDisconnected": "CallEnded",
}
"""What ACS tells of, and what we call it."""

CALLS = 20
AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Run:
    """What twenty calls left behind."""

    spans: list[Span]
    sessions: list[dict[str, Any]]
    told: Counter[tuple[str, str]]
    """How many events ACS has told of, by call and type."""
    messages: list[dict[str, Any]]
    """Log lines that arrived as telemetry."""
    names: set[str]
    """Of the measurements that arrived."""
    labels: list[dict[str, str]]
    output: str


async def twenty_calls(telemetry: Telemetry) -> Run:
    """Let twenty people say two lines each, some at the same time, and wait for what is sent."""
    async with Stack(Plan(pace=QUICK, telemetry=telemetry)) as stack, AppClient(stack) as app:
        lines, free = stack.script.caller[:2], asyncio.Semaphore(AT_ONCE)

        async def one() -> PhoneCall:
            async with free:
                return await play(stack, lines)

        calls = await asyncio.gather(*(one() for _ in range(CALLS)))
        sessions = [await look(stack, app, call) for call in calls]
        ids = {one["session_id"] for one in sessions}
        turns = sum(len(one["turns"]) for one in sessions)

        def has_everything(items: list[dict[str, Any]]) -> bool:
            ours = [one for one in spans_of(items) if one.session_id in ids]
            ended = sum(one.name == "event CallEnded" for one in ours)
            return ended == CALLS and sum(one.name == "turn" for one in ours) >= turns

        assert await stack.insights.arrived(has_everything, within_s=LIMIT_S)
        await stack.hosts[0].stop()  # what is still held back is sent when the process is asked
        items = list(stack.insights.items)
        told = Counter(
            (event["data"]["callConnectionId"], event["type"].rpartition(".")[2])
            for event in stack.acs.events
        )
        output = stack.hosts[0].output()
    points = [
        (point["name"], one["data"]["baseData"].get("properties") or {})
        for one in items
        if one["data"]["baseType"] == "MetricData"
        for point in one["data"]["baseData"]["metrics"]
    ]
    return Run(
        spans=spans_of(items),
        sessions=sessions,
        told=told,
        messages=[one for one in items if one["data"]["baseType"] == "MessageData"],
        names={name for name, _ in points},
        labels=[labels for name, labels in points if name.startswith(("voice.", "gen_ai."))],
        output=output,
    )


@pytest.mark.timeout(240)
@pytest.mark.parametrize("telemetry", [Telemetry.APP, Telemetry.WORKER])
async def test_telemetry_has_every_turn_of_twenty_calls_once(telemetry: Telemetry) -> None:
    """None lost, none twice, none in the wrong place, whoever has configured OpenTelemetry."""
    run = await twenty_calls(telemetry)
    ids = Counter((one.trace_id, one.id) for one in run.spans)
    assert [one for one, count in ids.items() if count > 1] == []
    by_id = {one.id: one for one in run.spans}
    for session in run.sessions:
        ours = [one for one in run.spans if one.session_id == session["session_id"]]
        _assert_turns(session, ours, by_id)
        _assert_joined(session, ours, by_id, telemetry)
        call = session["call_connection_id"]
        handled = Counter(one.name for one in ours if one.name.startswith("event "))
        for acs_type, name in EVENTS.items():
            assert handled[f"event {name}"] == run.told[call, acs_type], name
        assert handled["event CallOffered"] == 1
        calls = {one.properties.get("call.connection.id") for one in ours}
        assert calls <= {call, None}
    assert {one.target for one in run.spans} >= {
        "Azure OpenAI",
        "Azure Communication Services",
        "Redis",
    }
    assert run.names >= {"voice.turn.answer_latency", "voice.turn.caller_silence", "voice.events"}
    assert all("session.id" not in one for one in run.labels)
    assert "Traceback" not in run.output
    if telemetry is Telemetry.WORKER:
        assert any(one.name == "Functions.post_callbacks" for one in run.spans)
        lines = Counter(one["data"]["baseData"]["message"] for one in run.messages)
        assert lines["telemetry configured"] == 1


def _assert_turns(session: dict[str, Any], ours: list[Span], by_id: dict[str, Span]) -> None:
    """Each turn has one span, the model and the tools that it used are within it."""
    turns = {int(one.properties["voice.turn.number"]): one for one in ours if one.name == "turn"}
    assert len([one for one in ours if one.name == "turn"]) == len(turns)
    assert set(turns) == {one["turn"] for one in session["turns"]}
    for record in session["turns"]:
        within = [one for one in ours if turns[record["turn"]] in _above(one, by_id)]
        tools = [one.name for one in within if one.name.startswith("execute_tool ")]
        assert sorted(tools) == sorted(f"execute_tool {one['name']}" for one in record["tools"])
        requests = [one for one in within if one.name == "chat gpt-4o"]
        assert bool(requests) is (record["cue"] == "utterance")
        assert all(by_id[one.parent_id].name.startswith("invoke_agent ") for one in requests)
        if "usage" in record and requests:
            used = sum(float(one.properties["gen_ai.usage.input_tokens"]) for one in requests)
            assert used == record["usage"]["input_tokens"]


def _assert_joined(
    session: dict[str, Any], ours: list[Span], by_id: dict[str, Span], telemetry: Telemetry
) -> None:
    """Every span is part of an event; every event but those of the first trace links to that."""
    (first,) = [one for one in ours if one.name == "event CallOffered"]
    for one in ours:
        above = [one, *_above(one, by_id)]
        root = above[-1]
        assert one.is_success, one.name
        assert root.parent_id == "" or root.kind == "request", root.name
        assert (root.kind == "request") is (telemetry is Telemetry.WORKER)
        (event,) = [part for part in above if part.name.startswith(("event ", "take over"))]
        if event.trace_id != first.trace_id:
            assert event.links[0][0] == first.trace_id


def _above(span: Span, by_id: dict[str, Span]) -> list[Span]:
    """What a span is part of, the nearest first."""
    found = []
    while span.parent_id in by_id:
        span = by_id[span.parent_id]
        found.append(span)
    return found
