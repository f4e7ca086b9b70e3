"""Names for a tool call: the same call has the same name, wherever it is computed."""

import hashlib
import json

from shared.types import Json, SessionId


def canonical(value: object) -> str:
    """JSON text that is equal for equal values: keys sorted, ``35.0`` written as ``35``."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"))


def fingerprint(arguments: Json) -> str:
    """SHA-256 of the canonical arguments, hexadecimal; it tells nothing of what they say."""
    return hashlib.sha256(canonical(arguments).encode("ascii")).hexdigest()


def idempotency_key(session_id: SessionId, turn: int, tool: str, arguments: Json) -> str:
    """The key of a model's call: the same tool with the same arguments, once a turn."""
    call = canonical([session_id, turn, tool, arguments])
    return hashlib.sha256(call.encode("ascii")).hexdigest()


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value
