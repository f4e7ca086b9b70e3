"""Messages of the Model Context Protocol: what a request must be, and the shape of errors.

Two dialects are spoken. Up to 2025-11-25 a client says ``initialize`` first. Since 2026-07-28 every
request carries its version in ``_meta``, and the headers repeat what it asks for.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from shared.types import Json

HANDSHAKE_VERSIONS = ("2025-03-26", "2025-06-18", "2025-11-25")
MODERN_VERSIONS = ("2026-07-28",)
PARSE_ERROR, INVALID_REQUEST = -32700, -32600
METHOD_NOT_FOUND, INVALID_PARAMS = -32601, -32602
HEADER_MISMATCH, UNSUPPORTED_VERSION = -32020, -32022

VERSION, CAPABILITIES, SERVER = (
    f"io.modelcontextprotocol/{name}"
    for name in ("protocolVersion", "clientCapabilities", "serverInfo")
)
"""What the ``_meta`` of requests and results holds since 2026-07-28."""


class McpError(Exception):
    """A request cannot be answered.

    Args:
        code: Of JSON-RPC or of the protocol.
        message: For the developer of the client; names fields, never values.
        data: What the protocol says that belongs to the code.
    """

    def __init__(self, code: int, message: str, data: Json | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@dataclass(frozen=True, slots=True)
class McpAnswer:
    """The answer to one message."""

    body: Json | None
    """None: the message wanted none."""
    is_modern: bool = False


def read_message(body: bytes) -> object:
    """The message in the body of a request.

    Raises:
        McpError: It is no JSON.
    """
    try:
        message = json.loads(body)
        # Half a character is no text: it could be neither stored nor sent back.
        json.dumps(message, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        raise McpError(PARSE_ERROR, "the body is no JSON") from None
    return message


def error_of(error: McpError, request_id: str | int | None) -> Json:
    """The answer that says what went wrong."""
    told: Json = {"code": error.code, "message": str(error)}
    if error.data is not None:
        told["data"] = error.data
    return {"jsonrpc": "2.0", "id": request_id, "error": told}


def request_of(message: object) -> Json | None:
    """The request in *message*; None if it is a notification or an answer, which need nothing."""
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise McpError(INVALID_REQUEST, "a message is one JSON-RPC 2.0 object")
    if "method" not in message and ("result" in message or "error" in message):
        return None
    if not isinstance(message.get("method"), str):
        raise McpError(INVALID_REQUEST, "method is missing")
    if "id" not in message:
        return None
    if id_of(message) is None:
        raise McpError(INVALID_REQUEST, "id is text or a whole number")
    return message


def id_of(message: object) -> str | int | None:
    """The id of a message, as far as it has one that may be answered to."""
    value = message.get("id") if isinstance(message, dict) else None
    return value if isinstance(value, str | int) and not isinstance(value, bool) else None


def params_of(request: Json) -> Json:
    """What a request is about.

    Raises:
        McpError: It is no object.
    """
    params = request.get("params", {})
    if not isinstance(params, dict) or not isinstance(params.get("_meta", {}), dict):
        raise McpError(INVALID_PARAMS, "params and params._meta are objects")
    return params


def text_in(params: Json, name: str) -> str | None:
    """A text in the ``_meta`` of a request.

    Raises:
        McpError: It is there and no text.
    """
    value = params.get("_meta", {}).get(name)
    if value is not None and not isinstance(value, str):
        raise McpError(INVALID_PARAMS, f"params._meta.{name} is text")
    return value


def has_envelope(message: object) -> bool:
    """Whether a message is in the dialect of 2026-07-28."""
    params = message.get("params") if isinstance(message, dict) else None
    meta = params.get("_meta") if isinstance(params, dict) else None
    return isinstance(meta, dict) and VERSION in meta


def check_envelope(request: Json, params: Json, headers: Mapping[str, str]) -> None:
    """Refuse a request whose parts do not agree, or whose version we do not speak."""
    meta = params.get("_meta", {})
    if missing := [name for name in (VERSION, CAPABILITIES) if name not in meta]:
        raise McpError(INVALID_PARAMS, f"params._meta lacks {', '.join(missing)}")
    said = {
        "mcp-protocol-version": meta[VERSION],
        "mcp-method": request["method"],
        "mcp-name": params.get("name") if request["method"] == "tools/call" else None,
    }
    for name, value in said.items():
        if value is not None and headers.get(name) != value:
            raise McpError(HEADER_MISMATCH, f"the header {name} does not say what the body says")
    if meta[VERSION] not in MODERN_VERSIONS:
        data: Json = {"supported": [*MODERN_VERSIONS], "requested": meta[VERSION]}
        raise McpError(UNSUPPORTED_VERSION, "Unsupported protocol version", data)
