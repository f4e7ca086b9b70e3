"""The tools as other agents find them: both dialects of the protocol, and what each refuses."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import AppError, ForbiddenError, SessionNotFoundError, ToolNotFoundError
from shared.tools.mcp import McpServer
from shared.tools.mcp_messages import (
    CAPABILITIES,
    HANDSHAKE_VERSIONS,
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
    PARSE_ERROR,
    SERVER,
    UNSUPPORTED_VERSION,
    VERSION,
    McpAnswer,
)
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry
from shared.types import Json, SessionId

NEWEST = HANDSHAKE_VERSIONS[-1]
MODERN = MODERN_VERSIONS[-1]
SCHEMA: Json = {
    "description": "Say it.",
    "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
}


class FakeDesk:
    """Runs nothing; tells what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Json, str | None, str]] = []
        self.answer: Json | AppError = {"success": True, "said": "yes"}

    async def run(
        self, name: str, arguments: Json, *, session_id: SessionId | None, idempotency_key: str
    ) -> Json:
        """Give the answer that was set."""
        self.asked.append((name, arguments, session_id, idempotency_key))
        if isinstance(self.answer, AppError):
            raise self.answer
        return self.answer


async def say(arguments: Json) -> Json:
    """Never called."""
    return arguments


@pytest.fixture
def desk() -> FakeDesk:
    """What runs the tools."""
    return FakeDesk()


@pytest.fixture
def server(desk: FakeDesk) -> McpServer:
    """Two tools for clients and one for agents only."""
    registry = ToolRegistry()
    for name, policy in (
        ("say", ToolPolicy()),
        ("do", ToolPolicy(has_side_effects=True)),
        ("hand_over", ToolPolicy(callers=frozenset({"agent"}))),
    ):
        registry.register(name, {**SCHEMA, "name": name}, say, policy=policy)
    return McpServer(registry, desk)


async def ask(server: McpServer, method: str, params: Json | None = None, **headers: str) -> Json:
    """The answer to a request in the older dialect."""
    message: Json = {"jsonrpc": "2.0", "id": 7, "method": method}
    if params is not None:
        message["params"] = params
    answer = await send(server, message, headers)
    assert answer.body is not None
    assert answer.body["id"] == 7
    assert not answer.is_modern
    return answer.body


async def ask_modern(
    server: McpServer, method: str, params: Json | None = None, **changes: str
) -> Json:
    """The answer to a request in the newer dialect; *changes* are of the headers."""
    version = changes.pop("version", MODERN)
    meta = {VERSION: version, CAPABILITIES: {}}
    params = {**(params or {}), "_meta": {**meta, **(params or {}).get("_meta", {})}}
    headers = {"mcp-protocol-version": version, "mcp-method": method}
    if method == "tools/call":
        headers["mcp-name"] = params.get("name", "")
    headers |= {name.replace("_", "-"): value for name, value in changes.items()}
    message = {"jsonrpc": "2.0", "id": "a", "method": method, "params": params}
    answer = await send(server, message, headers)
    assert answer.body is not None
    assert answer.is_modern
    return answer.body


async def send(server: McpServer, message: object, headers: dict[str, str]) -> McpAnswer:
    """Send a message as HTTP does."""
    return await server.answer(json.dumps(message).encode(), headers)


def code_of(answer: Json) -> int:
    """The code of an error."""
    code: int = answer["error"]["code"]
    return code


@pytest.mark.parametrize("asked", [*HANDSHAKE_VERSIONS, "2024-11-05", "2099-01-01"])
async def test_initialize_agrees_on_a_version(server: McpServer, asked: str) -> None:
    """The client's if we speak it, else our newest; the client decides whether it can go on."""
    result = (await ask(server, "initialize", {"protocolVersion": asked}))["result"]
    assert result["protocolVersion"] == (asked if asked in HANDSHAKE_VERSIONS else NEWEST)
    assert set(result["capabilities"]) == {"tools"}
    assert result["serverInfo"]["name"] == "voice-agent"


async def test_list_has_what_clients_may_call(server: McpServer) -> None:
    """A tool for agents only would be refused; it is not offered."""
    for result in (
        (await ask(server, "tools/list"))["result"],
        (await ask_modern(server, "tools/list"))["result"],
    ):
        say_it, do_it = result["tools"]
        assert (say_it["name"], do_it["name"]) == ("say", "do")
        assert say_it["inputSchema"]["properties"] == {"text": {"type": "string"}}
        assert say_it["annotations"]["readOnlyHint"] is True
        assert do_it["annotations"]["readOnlyHint"] is False
    assert (result["resultType"], result["cacheScope"]) == ("complete", "private")
    assert result["_meta"][SERVER]["name"] == "voice-agent"


async def test_discover_says_what_we_speak(server: McpServer) -> None:
    """Clients of the newer dialect ask this instead of shaking hands."""
    result = (await ask_modern(server, "server/discover"))["result"]
    assert result["supportedVersions"] == [MODERN]
    assert set(result["capabilities"]) == {"tools"}


async def test_call_goes_to_the_desk(server: McpServer, desk: FakeDesk) -> None:
    """The same door as over HTTP: session and key come out of band, never from the arguments."""
    meta = {"voice-agent/sessionId": "s-1", "voice-agent/idempotencyKey": "k-1"}
    params: Json = {"name": "do", "arguments": {"text": "x"}, "_meta": meta}
    result = (await ask(server, "tools/call", params))["result"]
    assert result["structuredContent"] == {"success": True, "said": "yes"}
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert result["isError"] is False
    answer = await send(
        server,
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "do"}},
        {"idempotency-key": "k-2", "mcp-protocol-version": NEWEST},
    )
    assert answer.body is not None
    assert (await ask_modern(server, "tools/call", params))["result"]["resultType"] == "complete"
    assert desk.asked == [
        ("do", {"text": "x"}, "s-1", "k-1"),
        ("do", {}, None, "k-2"),
        ("do", {"text": "x"}, "s-1", "k-1"),
    ]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ({"success": False, "error": "tool_failed", "message": "No."}, "tool_failed"),
        (ForbiddenError("The caller must confirm a one-time code first."), "forbidden"),
    ],
)
async def test_call_tells_the_model_why_it_failed(
    server: McpServer, desk: FakeDesk, outcome: Any, error: str
) -> None:
    """A refusal is for the model to read; an error of the protocol would only reach its host."""
    desk.answer = outcome
    result = (await ask(server, "tools/call", {"name": "do"}))["result"]
    assert result["isError"] is True
    assert result["structuredContent"]["error"] == error
    assert result["structuredContent"]["message"]


@pytest.mark.parametrize("error", [ToolNotFoundError("none"), SessionNotFoundError("none")])
async def test_call_of_what_does_not_exist_is_an_error(
    server: McpServer, desk: FakeDesk, error: AppError
) -> None:
    """The client is wrong, and no model can mend that."""
    desk.answer = error
    assert code_of(await ask(server, "tools/call", {"name": "no"})) == INVALID_PARAMS


@pytest.mark.parametrize(
    ("method", "params", "code"),
    [
        ("resources/list", None, METHOD_NOT_FOUND),
        ("server/discover", None, METHOD_NOT_FOUND),
        ("initialize", {}, INVALID_PARAMS),
        ("initialize", {"protocolVersion": 1}, INVALID_PARAMS),
        ("tools/call", {}, INVALID_PARAMS),
        ("tools/call", {"name": 1}, INVALID_PARAMS),
        ("tools/call", {"name": "say", "arguments": []}, INVALID_PARAMS),
        ("tools/call", {"name": "say", "_meta": []}, INVALID_PARAMS),
        ("tools/call", {"name": "say", "_meta": {"voice-agent/sessionId": 1}}, INVALID_PARAMS),
        ("tools/list", {"cursor": "x"}, INVALID_PARAMS),
    ],
)
async def test_requests_that_cannot_be_answered(
    server: McpServer, desk: FakeDesk, method: str, params: Json | None, code: int
) -> None:
    """Each has the code that the protocol gives it."""
    assert code_of(await ask(server, method, params)) == code
    assert desk.asked == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", PARSE_ERROR),
        (b"\xff", PARSE_ERROR),
        (b"", PARSE_ERROR),
        (b"[" * 100_000, PARSE_ERROR),
        (b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "ping"}', PARSE_ERROR),
        (b"[]", INVALID_REQUEST),
        (b"1", INVALID_REQUEST),
        (b'{"jsonrpc": "1.0", "id": 1, "method": "ping"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": null, "method": "ping"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": true, "method": "ping"}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": 2}', INVALID_REQUEST),
        (b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}', INVALID_PARAMS),
    ],
)
async def test_bodies_that_are_no_request(server: McpServer, body: bytes, code: int) -> None:
    """Batches included: the protocol has none any more."""
    answer = (await server.answer(body, {})).body
    assert answer is not None
    assert code_of(answer) == code


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 1}},
        {"jsonrpc": "2.0", "id": 1, "result": {}},
    ],
)
async def test_messages_that_want_no_answer_get_none(server: McpServer, message: Json) -> None:
    """Nothing is remembered, so there is nothing to do."""
    assert (await send(server, message, {})).body is None


async def test_version_in_the_header_must_be_one_we_speak(server: McpServer) -> None:
    """A client that agreed on another version speaks to the wrong server."""
    headers = {"mcp-protocol-version": "1999-01-01"}
    answer = await send(server, {"jsonrpc": "2.0", "id": 1, "method": "ping"}, headers)
    assert answer.body is not None
    assert code_of(answer.body) == INVALID_REQUEST
    assert (await ask(server, "ping"))["result"] == {}


@pytest.mark.parametrize(
    ("method", "params", "headers", "code"),
    [
        ("tools/list", {}, {"mcp_method": "tools/call"}, HEADER_MISMATCH),
        ("tools/call", {"name": "say"}, {"mcp_name": "do"}, HEADER_MISMATCH),
        ("tools/list", {}, {"mcp_protocol_version": NEWEST}, HEADER_MISMATCH),
        ("tools/list", {}, {"version": "2099-01-01"}, UNSUPPORTED_VERSION),
        ("initialize", {"protocolVersion": NEWEST}, {}, METHOD_NOT_FOUND),
    ],
)
async def test_newer_requests_must_agree_with_their_headers(
    server: McpServer, method: str, params: Json, headers: dict[str, str], code: int
) -> None:
    """What a gateway in between decides by must be what is done."""
    answer = await ask_modern(server, method, params, **headers)
    assert code_of(answer) == code
    if code == UNSUPPORTED_VERSION:
        assert answer["error"]["data"] == {"supported": [MODERN], "requested": "2099-01-01"}


async def test_newer_requests_must_say_who_they_are(server: McpServer) -> None:
    """The version alone is not enough."""
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}
    answer = await send(server, message, {"mcp-protocol-version": MODERN})
    assert answer.body is not None
    assert code_of(answer.body) == INVALID_PARAMS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
MESSAGES = st.fixed_dictionaries(
    {"jsonrpc": st.just("2.0")},
    optional={
        "id": JSON,
        "method": st.sampled_from(["initialize", "tools/list", "tools/call", "ping"]) | JSON,
        "params": JSON | st.fixed_dictionaries({}, optional={"_meta": JSON, "name": JSON}),
    },
)


@given(message=MESSAGES | JSON)
async def test_every_message_is_answered_or_needs_no_answer(message: object) -> None:
    """Whatever is sent, the server neither fails nor answers with anything but JSON-RPC."""
    answer = (await send(McpServer(ToolRegistry(), FakeDesk()), message, {})).body
    if answer is not None:
        assert answer["jsonrpc"] == "2.0"
        assert ("result" in answer) != ("error" in answer)
