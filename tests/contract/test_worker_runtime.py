"""The app runs in the library of the real Python 3.13 worker, not only in our host."""

import asyncio
import json
import os
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from simulator.appinsights import AppInsights, spans_of
from tests.contract.broken_apps import BROKEN

pytest_plugins = ("tests.contract.redis_fixture",)

ROOT = Path(__file__).parents[2]
SAMPLE = Path(__file__).parent / "sample_app"
DRIVER = Path(__file__).parent / "worker_driver.py"
WORKER_PYTHON = Path(
    os.environ.get("WORKER_PYTHON", ROOT / ".venv-3.13" / "bin" / "python")  # noqa: TID251
)
HAS_WORKER = WORKER_PYTHON.exists()


async def drive(
    app_dir: Path,
    tmp_path: Path,
    instructions: list[dict[str, Any]] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Index the app of *app_dir* in the real library and run the instructions."""
    if not HAS_WORKER:
        pytest.skip("no Python 3.13 with azure-functions-runtime: run `make worker-venv`")
    answer = tmp_path / "answer.json"
    process = await asyncio.create_subprocess_exec(
        WORKER_PYTHON,
        DRIVER,
        app_dir,
        answer,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "TICK_SCHEDULE": "0 0 3 1 1 *", **settings},  # noqa: TID251
    )
    try:
        async with asyncio.timeout(60):
            _, errors = await process.communicate(json.dumps(instructions or []).encode())
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, errors.decode()[-4000:]
    result: dict[str, Any] = json.loads(answer.read_text(encoding="utf-8"))
    return result


def http(function: str, **request: Any) -> dict[str, Any]:
    """An instruction to run an HTTP function."""
    return {"function": function, "input": {"type": "http", "value": request}}


def event(function: str, body: dict[str, Any]) -> dict[str, Any]:
    """An instruction to run a function on one event."""
    return {"function": function, "input": {"type": "json", "value": json.dumps(body)}}


async def test_sample_app_is_indexed_by_the_real_library(tmp_path: Path) -> None:
    """The functions that our host serves are those that the worker finds, async ones as async."""
    answer = await drive(SAMPLE, tmp_path)
    assert answer["error"] is None
    by_name = {function["name"]: function for function in answer["functions"]}
    assert by_name["get_decorated"]["is_async"] is True
    assert by_name["get_in_thread"]["is_async"] is False
    assert {f["bindings"][0]["type"] for f in by_name.values()} >= {"eventGridTrigger"}


async def test_sample_app_behaves_in_the_real_library_as_in_our_host(tmp_path: Path) -> None:
    """Success, failure, None, threads and the lost CancelledError: the host imitates these."""
    body = {"id": "e1", "topic": "t", "subject": "s", "data": {}, "eventType": "Sample.Event"}
    cloud = {"specversion": "1.0", "id": "c1", "source": "s", "type": "Sample.Event", "data": {}}
    answer = await drive(
        SAMPLE,
        tmp_path,
        [
            http("echo", headers={"x-a": "b"}, params={"name": "n", "rest": "r"}, body='{"k":1}'),
            http("get_in_thread"),
            http("get_decorated"),
            http("get_failure"),
            http("get_none"),
            http("get_cancelled"),
            event("on_event", body),
            event("on_event", body | {"data": {"fail": True}}),
            event("on_cloud_event", cloud),
            event("on_start", {"IsPastDue": False}),
            event("warm", {}),
            http("get_seen"),
        ],
    )
    results = answer["results"]
    outcomes = [result.get("status", result["outcome"]) for result in results]
    assert outcomes == [
        200,
        200,
        404,
        "failed",
        "failed",
        "never answered",
        "succeeded",
        "failed",
        "succeeded",
        "succeeded",
        "succeeded",
        200,
    ]
    echoed = json.loads(results[0]["body"])
    assert echoed["route_params"] == {"name": "n", "rest": "r"}
    assert echoed["json"] == {"k": 1}
    assert (echoed["same_loop"], echoed["main_thread"]) == (True, True)
    assert echoed["thread_local_invocation_id"] == echoed["invocation_id"]
    assert json.loads(results[1]["body"])["main_thread"] is False
    assert json.loads(results[-1]["body"]) == ["e1", "e1", "Sample.Event:c1"]


@pytest.mark.parametrize("fault", BROKEN)
async def test_broken_app_fails_in_the_real_library_too(tmp_path: Path, fault: str) -> None:
    """Each rule our host enforces is one of the worker's, not our own invention."""
    app = tmp_path / "app"
    app.mkdir()
    (app / "function_app.py").write_text(BROKEN[fault], encoding="utf-8")
    answer = await drive(app, tmp_path)
    assert answer["error"]
    assert answer["functions"] == []


async def test_the_app_is_indexed_and_alive_in_the_real_library(tmp_path: Path) -> None:
    """What is deployed must load in the worker; one bad signature would lose every call."""
    answer = await drive(ROOT, tmp_path)
    assert answer["error"] is None
    assert answer["functions"]
    assert [f["name"] for f in answer["functions"] if not f["is_async"]] == []
    alive = [
        function["name"]
        for function in answer["functions"]
        if any(b.get("route") == "health/live" for b in function["bindings"])
    ]
    assert len(alive) == 1
    checked = await drive(ROOT, tmp_path, [http(alive[0], method="GET")])
    assert checked["results"][0]["status"] == 200


async def test_the_app_tells_of_a_session_through_the_telemetry_of_the_real_worker(
    tmp_path: Path, redis_url: str
) -> None:
    """The worker has configured OpenTelemetry when the app comes: nothing is lost or sent twice."""
    insights = AppInsights()
    await insights.start()
    template = json.loads((ROOT / "local.settings.example.json").read_text())["Values"]
    settings = {
        **template,
        "REDIS_URL": redis_url,
        "ACS_ACCESS_KEY": "a2V5a2V5",
        "AZURE_OPENAI_API_KEY": "key",
        "ACS_ENDPOINT": "http://127.0.0.1:9",
        "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:9",
        "APPLICATIONINSIGHTS_CONNECTION_STRING": insights.connection_string,
        "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
        "TMPDIR": str(tmp_path),
    }
    trace_id, parent_id = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    opened = http("post_session", method="POST", body="{}")
    # The flags say that the host does not sample: as when a caller sends no traceparent.
    opened["trace_parent"] = f"00-{trace_id}-{parent_id}-00"
    try:
        answer = await drive(ROOT, tmp_path, [opened], settings)
    finally:
        await insights.aclose()
    assert answer["error"] is None
    assert answer["results"][0]["status"] == 201, answer["results"]
    session_id = json.loads(answer["results"][0]["body"])["session_id"]
    ours = [one for one in spans_of(insights.items) if one.session_id == session_id]
    names = Counter(one.name for one in ours)
    assert (names["event ChatOpened"], names["turn"]) == (1, 1)
    assert {one.trace_id for one in ours} == {trace_id}
    (event,) = [one for one in ours if one.name == "event ChatOpened"]
    assert event.parent_id == parent_id
    lines = Counter(
        one["data"]["baseData"]["message"]
        for one in insights.items
        if one["data"]["baseType"] == "MessageData"
    )
    assert lines["telemetry configured"] == 1
