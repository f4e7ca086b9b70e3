"""The Functions host runs HTTP functions the way the platform's host and worker do."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from simulator.functions_host.configuration import Keys
from tests.contract.functions_host_stage import (
    SAMPLE,
    StartHost,
    deliver,
    event,
)

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)


async def test_async_function_sees_the_request_as_the_worker_gives_it(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """Names are lower case, empty query values vanish: code that passes here passes there."""
    host = await start_host()
    async with http.post(
        f"{host.url}/API/Echo/a%20b/c/d?x=1&x=2&empty=&y=z",
        json={"k": "v"},
        headers={"X-Mixed-Case": "Kept"},
    ) as answer:
        assert answer.status == 200
        seen = await answer.json()
    assert seen["method"] == "POST"
    assert seen["headers"]["x-mixed-case"] == "Kept"
    assert seen["params"] == {"x": "1,2", "y": "z"}
    assert seen["route_params"] == {"name": "a b", "rest": "c/d"}
    assert seen["json"] == {"k": "v"}
    assert seen["function_name"] == "echo"
    assert seen["thread_local_invocation_id"] == seen["invocation_id"]


async def test_app_is_imported_on_the_loop_that_runs_its_functions(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """Clients made at import belong to the loop of the requests; elsewhere they would break."""
    host = await start_host()
    async with http.get(f"{host.url}/api/echo/a") as answer:
        seen = await answer.json()
    assert (seen["same_loop"], seen["same_thread"], seen["main_thread"]) == (True, True, True)


async def test_trace_context_keeps_the_trace_and_makes_a_new_span(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The function's span is a child of the host's, not of the caller's."""
    host = await start_host()
    parent = f"00-{'ab' * 16}-{'cd' * 8}-01"
    async with http.get(f"{host.url}/api/echo/a", headers={"traceparent": parent}) as answer:
        given = (await answer.json())["trace_parent"].split("-")
    assert (given[1], given[3]) == ("ab" * 16, "01")
    assert given[2] != "cd" * 8
    async with http.get(f"{host.url}/api/echo/a") as answer:
        assert (await answer.json())["trace_parent"].endswith("-00")


async def test_chunked_body_without_length_arrives_empty(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The real host drops such a body, so a client that streams must be noticed here."""
    host = await start_host()

    async def chunks() -> AsyncIterator[bytes]:
        yield b'{"k":'
        yield b' "v"}'

    async with http.post(f"{host.url}/api/echo/a", data=chunks()) as answer:
        assert (await answer.json())["body"] == ""


async def test_sync_function_runs_in_a_thread_with_its_invocation_id(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """A sync function must not block the loop, and its logs must find their invocation."""
    host = await start_host()
    async with http.get(f"{host.url}/api/sync") as answer:
        seen = await answer.json()
    assert seen["main_thread"] is False
    assert seen["thread_local_invocation_id"] == seen["invocation_id"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/nothing"),
        ("DELETE", "/api/echo/a"),
        ("HEAD", "/api/sync"),
        ("GET", "/echo/a"),
        ("GET", "/api/echo"),
        ("GET", "/api/counts/waiting/many"),
        ("GET", "/runtime/webhooks/other"),
        ("GET", "/admin/other"),
    ],
)
async def test_wrong_route_or_method_is_404(
    start_host: StartHost, http: aiohttp.ClientSession, method: str, path: str
) -> None:
    """The host has no 405: a wrong method looks like a wrong address."""
    host = await start_host()
    async with http.request(method, host.url + path) as answer:
        assert answer.status == 404


async def test_more_specific_route_wins(start_host: StartHost, http: aiohttp.ClientSession) -> None:
    """A literal beats a constrained parameter, which beats a free one, whatever the names."""
    host = await start_host()
    expected = {
        "latest": "get_latest_item",
        "0d1f3c52-98f6-4f0c-9c5c-0f1b6c2a7d11": "get_item",
        "other": "get_item_by_name",
    }
    for value, function in expected.items():
        async with http.get(f"{host.url}/api/items/{value}") as answer:
            assert (await answer.json())["function"] == function


@pytest.mark.parametrize("path", ["raise", "raise-sync", "none"])
async def test_failure_is_500_without_a_body(
    start_host: StartHost, http: aiohttp.ClientSession, path: str
) -> None:
    """A client learns nothing of an exception, and forgetting to answer is a failure too."""
    host = await start_host()
    async with http.get(f"{host.url}/api/{path}") as answer:
        assert (answer.status, await answer.read()) == (500, b"")
    assert "Traceback" in host.output()


async def test_returned_text_becomes_a_response_and_cookies_stay_apart(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """A returned str is read as JSON by the host; cookies travel beside the headers."""
    host = await start_host()
    async with http.get(f"{host.url}/api/text") as answer:
        assert (answer.status, await answer.text()) == (418, "short and stout")
    async with http.get(f"{host.url}/api/cookies") as answer:
        assert await answer.read() == b"\x00\x01"
        assert answer.headers["X-Sample"] == "yes"
        assert answer.headers.getall("Set-Cookie") == ["a=1; Path=/", "b=2; HttpOnly"]


async def test_decorated_function_in_a_blueprint_is_served(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The boundary of the real app sits exactly there."""
    host = await start_host()
    async with http.get(f"{host.url}/api/decorated") as answer:
        assert answer.status == 404
        assert await answer.json() == {"title": "not found"}


async def test_cancelled_error_is_never_answered_before_the_timeout(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The worker forgets such an invocation; an app that lets one out must be seen to hang."""
    host = await start_host(arguments=("--max-timeout-s", "1"))
    started = asyncio.get_running_loop().time()
    async with http.get(f"{host.url}/api/cancelled") as answer:
        assert (answer.status, await answer.read()) == (500, b"")
    assert asyncio.get_running_loop().time() - started >= 0.9
    assert "CancelledError left get_cancelled" in host.output()


async def test_client_that_leaves_does_not_stop_the_function(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The platform knows no cancellation: what was begun runs to its end."""
    host = await start_host()
    request = asyncio.create_task(http.get(f"{host.url}/api/wait"))
    async with http.get(f"{host.url}/api/counts/waiting/1"):
        request.cancel()
    await asyncio.gather(request, return_exceptions=True)
    await deliver(http, host, [event("r", release=True)])
    async with http.get(f"{host.url}/api/counts/waited/1") as answer:
        assert (await answer.json())["count"] == 1
    assert "INFO sample: waiting waiting_total=0" in host.output()


async def test_requests_beyond_the_limits_wait_and_then_get_429(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Past maxConcurrentRequests a request waits, past maxOutstandingRequests it is refused."""
    app = tmp_path / "app"
    shutil.copytree(SAMPLE, app)
    limits = {"maxConcurrentRequests": 2, "maxOutstandingRequests": 3}
    (app / "host.json").write_text(json.dumps({"extensions": {"http": limits}}), encoding="utf-8")
    host = await start_host(app)

    async def status() -> int:
        async with http.get(f"{host.url}/api/wait") as answer:
            return answer.status

    requests = {asyncio.create_task(status()) for _ in range(4)}
    done, held = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
    assert [task.result() for task in done] == [429]
    await deliver(http, host, [event("r", release=True)])
    assert await asyncio.gather(*held) == [200, 200, 200]


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("keyed", None, 401),
        ("keyed", "s-key", 401),
        ("keyed", "f-key", 200),
        ("keyed", "m-key", 200),
        ("mastered", "f-key", 401),
        ("mastered", "m-key", 200),
        ("sync", None, 200),
    ],
)
async def test_keys_open_what_their_level_says(
    start_host: StartHost,
    http: aiohttp.ClientSession,
    path: str,
    key: str | None,
    status: int,
) -> None:
    """A key counts in the header and in the query, and only at its own level or below."""
    host = await start_host()
    headers = {"x-functions-key": key} if key else {}
    async with http.get(f"{host.url}/api/{path}", headers=headers) as answer:
        assert answer.status == status
    async with http.get(f"{host.url}/api/{path}", params={"code": key} if key else {}) as answer:
        assert answer.status == status


async def test_keys_are_not_asked_for_where_none_are_set(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """Core Tools do not enforce keys on a developer's machine either."""
    host = await start_host(keys=Keys())
    async with http.get(f"{host.url}/api/mastered") as answer:
        assert answer.status == 200
