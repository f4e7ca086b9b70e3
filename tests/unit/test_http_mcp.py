"""MCP over HTTP: which status which answer has, and who may ask."""

import json
from typing import Any

import azure.functions as func
import pytest

from functions.wire import MAX_BODY_BYTES
from shared.pools.lazy import Lazy
from shared.resources import Resources, use_resources
from shared.settings import Settings
from shared.tools.mcp import McpServer
from shared.tools.mcp_messages import CAPABILITIES, MODERN_VERSIONS, VERSION
from shared.tools.registry import ToolRegistry
from tests.indexed import code_of
from tests.unit.test_mcp import FakeDesk
from tests.unit.test_settings import LEAST

MODERN = MODERN_VERSIONS[-1]
PING = {"jsonrpc": "2.0", "id": 1, "method": "ping"}


async def ask(body: object, *, method: str = "POST", **headers: str) -> func.HttpResponse:
    """The answer of the function to a request."""
    parts: Any = Resources(settings=Settings.from_env(LEAST))
    parts.mcp = Lazy.of(McpServer(ToolRegistry(), FakeDesk()))
    request = func.HttpRequest(
        method=method,
        url="https://app.example/api/mcp",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
        body=body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
    with use_resources(parts):
        answer: func.HttpResponse = await code_of("post_mcp" if method == "POST" else "get_mcp")(
            request
        )
    return answer


async def test_message_is_answered_as_json() -> None:
    """One answer, no stream."""
    answer = await ask(PING)
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    assert json.loads(answer.get_body()) == {"jsonrpc": "2.0", "id": 1, "result": {}}


async def test_notification_is_accepted_without_an_answer() -> None:
    """As the protocol wants it."""
    answer = await ask({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (answer.status_code, answer.get_body()) == (202, b"")


@pytest.mark.parametrize(
    ("body", "status"),
    [(b"{", 400), ([], 400), ({**PING, "method": "no/such"}, 200)],
)
async def test_errors_of_older_clients(body: object, status: int) -> None:
    """They take 404 for the end of a session, so a missing method is an answer like any other."""
    answer = await ask(body)
    assert answer.status_code == status
    assert "error" in json.loads(answer.get_body())


async def test_body_that_is_too_large_is_not_read() -> None:
    """Reading it would hold up every call of the instance."""
    assert (await ask({**PING, "params": {"text": "x" * MAX_BODY_BYTES}})).status_code == 400


@pytest.mark.parametrize(
    ("method", "said", "status"),
    [
        ("ping", MODERN, 200),
        ("no/such", MODERN, 404),
        ("tools/call", MODERN, 400),
        ("ping", "2099-01-01", 400),
    ],
)
async def test_errors_of_newer_clients(method: str, said: str, status: int) -> None:
    """The status says what went wrong, for whoever stands in between."""
    params = {"_meta": {VERSION: said, CAPABILITIES: {}}}
    headers = {"mcp_protocol_version": said, "mcp_method": method}
    answer = await ask({**PING, "method": method, "params": params}, **headers)
    assert answer.status_code == status


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_there_is_no_stream_and_no_session(method: str) -> None:
    """A client that asks for one goes on without."""
    answer = await ask(b"", method=method)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "POST")


@pytest.mark.parametrize(
    ("origin", "status"), [("https://app.example", 200), ("https://evil.example", 403)]
)
async def test_foreign_pages_are_refused(origin: str, status: int) -> None:
    """A page in somebody's browser must not act with what that browser holds."""
    assert (await ask(PING, origin=origin)).status_code == status
