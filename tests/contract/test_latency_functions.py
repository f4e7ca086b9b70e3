"""What callers waited for, asked for over HTTP, on the real flow and a real Redis."""

import json
from collections.abc import AsyncIterator
from typing import Any
from xml.etree import ElementTree as ET

import azure.functions as func
import pytest

from shared.calls.chat import Chat
from shared.clock import SystemClock
from shared.latency.report import times_of
from shared.pools.lazy import Lazy
from shared.redis.manager import AzureRedisManager
from shared.resources import Resources, resources, use_resources
from tests.contract.call_stage import Phone, Stage
from tests.indexed import code_of

pytest_plugins = ["tests.contract.redis_fixture"]


@pytest.fixture
async def session_id(redis: AzureRedisManager) -> AsyncIterator[str]:
    """A text session with a greeting and one turn."""
    stage, parts = Stage([redis], Phone(())), Resources()
    store, runner = stage.stores[0], stage.runners[0]
    parts.runner, parts.store = Lazy.of(runner), Lazy.of(store)
    chat = Chat(runner, agents=stage.agents, clock=SystemClock(), turn_timeout_s=10)
    reply = await chat.open(None)
    await chat.turn(reply["session_id"], "my balance")
    with use_resources(parts):
        yield str(reply["session_id"])


async def ask(function: str, form: str = "", **route: str) -> func.HttpResponse:
    """What *function* answers."""
    request = func.HttpRequest(
        method="GET",
        url="https://app.example/api",
        params={"format": form} if form else {},
        route_params=route,
        body=b"",
    )
    response: func.HttpResponse = await code_of(function)(request)
    return response


async def test_session_latency_names_every_gap_of_every_turn(session_id: str) -> None:
    """The parts sum to what the client waited for, within a millisecond."""
    answer = await ask("get_session_latency", session_id=session_id)
    report: Any = json.loads(answer.get_body())
    assert report["session_id"] == session_id
    assert len(report["turns"]) == 2
    for turn in report["turns"]:
        parts = turn["parts"]
        assert sum(one["ms"] for one in parts) == pytest.approx(turn["silence_ms"], abs=1)
        assert parts[0]["stage"] == "memo_load"
        assert "memo_save" in {one["stage"] for one in parts}
    assert report["stages"]["silence"]["count"] == 2
    assert {"llm_first_token", "first_sentence"} <= set(report["stages"])


@pytest.mark.parametrize(
    ("form", "mimetype", "within"),
    [
        ("text", "text/plain", "llm_first_token"),
        ("svg", "image/svg+xml", "<svg"),
        ("html", "text/html", "<table>"),
    ],
)
async def test_session_latency_is_drawn_on_request(
    session_id: str, form: str, mimetype: str, within: str
) -> None:
    """For a terminal, a document and a browser; nothing is loaded from anywhere."""
    answer = await ask("get_session_latency", form, session_id=session_id)
    assert answer.mimetype == mimetype
    text = answer.get_body().decode()
    assert within in text
    assert "my balance" not in text
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    if form == "svg":
        ET.fromstring(text)


@pytest.mark.parametrize("function", ["get_session_latency", "list_latency"])
async def test_latency_in_another_form_is_a_problem_that_names_the_field(
    session_id: str, function: str
) -> None:
    """And not the value."""
    answer = await ask(function, "pdf-4155550100", session_id=session_id)
    problem = json.loads(answer.get_body())
    assert answer.status_code == 400
    assert problem["detail"].startswith("format: one of json, text")
    assert "4155550100" not in problem["detail"]


async def test_session_latency_of_no_session_is_not_found(session_id: str) -> None:
    """Not an empty report."""
    answer = await ask("get_session_latency", session_id=f"{session_id}x")
    assert answer.status_code == 404


@pytest.mark.parametrize("form", ["json", "text", "html"])
async def test_latency_over_all_counts_turns(
    session_id: str, redis: AzureRedisManager, form: str
) -> None:
    """What this process has not sent yet is in it."""
    await redis.execute("FLUSHDB")
    record = {"silence_ms": 900.0, "stages_ms": {"tools": 400.0}}
    (await resources().store.get()).tally.note(times_of(record))
    answer = await ask("list_latency", form)
    text = answer.get_body().decode()
    assert "silence" in text
    assert "tools" in text
    if form == "json":
        report: Any = json.loads(text)
        assert report["hours"] == 24
        assert report["stages"]["tools"]["count"] == 1
