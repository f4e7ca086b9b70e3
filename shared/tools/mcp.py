"""The tools as other agents find them: the Model Context Protocol, without sessions or streams.

Nothing is remembered between two requests, so that any instance may answer the next one.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from shared.errors import AppError, SessionNotFoundError, ToolNotFoundError
from shared.tools.definition import ToolDefinition
from shared.tools.mcp_messages import (
    HANDSHAKE_VERSIONS,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    MODERN_VERSIONS,
    SERVER,
    McpAnswer,
    McpError,
    check_envelope,
    error_of,
    has_envelope,
    id_of,
    params_of,
    read_message,
    request_of,
    text_in,
)
from shared.tools.registry import ToolRegistry
from shared.types import Json, SessionId

SESSION_ID = "voice-agent/sessionId"
IDEMPOTENCY_KEY = "voice-agent/idempotencyKey"
"""In the ``_meta`` of a call; the header ``Idempotency-Key`` says the same."""

_NAME = {"name": "voice-agent", "version": "0.1.0"}
_ABLE_TO: Json = {"tools": {"listChanged": False}}
_INSTRUCTIONS = (
    "Tools of a bank's voice agent. Those that change something need an idempotency key, those"
    " about a customer a session in which the customer was verified."
)
_LIST_TTL_MS = 300_000


class Desk(Protocol):
    """Runs tools under their policy; `ToolDesk` is one."""

    async def run(
        self, name: str, arguments: Json, *, session_id: SessionId | None, idempotency_key: str
    ) -> Json:
        """Run a tool and return its result."""
        ...


class McpServer:
    """Answers one message at a time, and remembers none."""

    def __init__(self, registry: ToolRegistry, desk: Desk) -> None:
        self._registry = registry
        self._desk = desk
        self._methods: dict[str, Callable[[Json, Mapping[str, str]], Awaitable[Json]]] = {
            "ping": self._ping,
            "tools/list": self._list_tools,
            "tools/call": self._call_tool,
        }

    async def answer(self, body: bytes, headers: Mapping[str, str]) -> McpAnswer:
        """Answer a message.

        Args:
            body: What the client sent, whatever it is.
            headers: Of the request, in lower case.
        """
        message: object = None
        is_modern = headers.get("mcp-protocol-version") in MODERN_VERSIONS
        try:
            message = read_message(body)
            is_modern = is_modern or has_envelope(message)
            request = request_of(message)
            if request is None:
                return McpAnswer(None)
            run = self._modern if is_modern else self._handshake
            result = await run(request, headers)
        except McpError as err:
            return McpAnswer(error_of(err, id_of(message)), is_modern)
        return McpAnswer({"jsonrpc": "2.0", "id": id_of(message), "result": result}, is_modern)

    async def _handshake(self, request: Json, headers: Mapping[str, str]) -> Json:
        params, version = params_of(request), headers.get("mcp-protocol-version")
        if request["method"] == "initialize":
            asked = params.get("protocolVersion")
            if not isinstance(asked, str):
                raise McpError(INVALID_PARAMS, "protocolVersion is missing")
            return {
                "protocolVersion": asked if asked in HANDSHAKE_VERSIONS else HANDSHAKE_VERSIONS[-1],
                "capabilities": _ABLE_TO,
                "serverInfo": _NAME,
                "instructions": _INSTRUCTIONS,
            }
        if version is not None and version not in HANDSHAKE_VERSIONS:
            raise McpError(INVALID_REQUEST, "MCP-Protocol-Version is not supported")
        return await self._run(request, params, headers)

    async def _modern(self, request: Json, headers: Mapping[str, str]) -> Json:
        params = params_of(request)
        check_envelope(request, params, headers)
        if request["method"] == "server/discover":
            result: Json = {
                "supportedVersions": [*MODERN_VERSIONS],
                "capabilities": _ABLE_TO,
                "instructions": _INSTRUCTIONS,
            }
        else:
            result = await self._run(request, params, headers)
        if request["method"] in ("server/discover", "tools/list"):
            result |= {"ttlMs": _LIST_TTL_MS, "cacheScope": "private"}
        return {**result, "resultType": "complete", "_meta": {SERVER: _NAME}}

    async def _run(self, request: Json, params: Json, headers: Mapping[str, str]) -> Json:
        method = self._methods.get(request["method"])
        if method is None:
            raise McpError(METHOD_NOT_FOUND, "there is no such method")
        return await method(params, headers)

    async def _ping(self, _params: Json, _headers: Mapping[str, str]) -> Json:
        return {}

    async def _list_tools(self, params: Json, _headers: Mapping[str, str]) -> Json:
        if params.get("cursor") is not None:
            raise McpError(INVALID_PARAMS, "cursor was not given out: there is one page")
        tools = map(self._registry.get_tool_definition, self._registry.list_tools())
        return {"tools": [_described(tool) for tool in tools if "http" in tool.policy.callers]}

    async def _call_tool(self, params: Json, headers: Mapping[str, str]) -> Json:
        name, arguments = params.get("name"), params.get("arguments", {})
        if not isinstance(name, str) or not isinstance(arguments, dict):
            raise McpError(INVALID_PARAMS, "name is text and arguments is an object")
        session_id = text_in(params, SESSION_ID)
        key = text_in(params, IDEMPOTENCY_KEY) or headers.get("idempotency-key", "")
        try:
            result = await self._desk.run(
                name,
                arguments,
                session_id=SessionId(session_id) if session_id else None,
                idempotency_key=key,
            )
        except (ToolNotFoundError, SessionNotFoundError) as err:
            raise McpError(INVALID_PARAMS, str(err)) from err
        except AppError as err:
            # Not an error of the protocol: the model is to read it and to try something else.
            result = {"success": False, "error": err.code, "message": str(err)}
        return {
            "content": [{"type": "text", "text": json.dumps(result, ensure_ascii=False)}],
            "structuredContent": result,
            "isError": not result["success"],
        }


def _described(tool: ToolDefinition) -> Json:
    changes = tool.policy.has_side_effects
    return {
        "name": tool.name,
        "description": tool.description,
        "inputSchema": tool.schema["parameters"],
        "annotations": {
            "readOnlyHint": not changes,
            "idempotentHint": True,  # the same key, the same result
            "openWorldHint": False,
        },
    }
