"""The stored format: keys, JSON, session ids, and the number of the format itself.

Fields of the memo hash: ``version``, ``schema``, ``fence``, ``call``, ``link``, and by prefix
``c:`` context, ``s:`` slots, ``t:`` tool outputs, ``p:`` system prompts, ``h:`` number of messages
of a thread. Everything but the numbers and ``link`` is JSON.
"""

import json
import re
import secrets
from typing import Any

from shared.errors import InvalidRequestError, UpstreamError
from shared.types import CallConnectionId, SessionId

SCHEMA = 1
"""Raised when code that does not know the new format would damage it."""

CONTEXT, SLOT, TOOL, PROMPT, THREAD = "c:", "s:", "t:", "p:", "h:"

DEFAULT_TTL_S = 24 * 3600
DUE_KEY = "va:due"

_SESSION_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_MAX_NAME_CHARS = 256

_encoder = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_ascii_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


class SchemaTooNewError(UpstreamError):
    """The session was written by newer code, which must go on with it."""

    code = "schema_too_new"


class DamagedStateError(UpstreamError):
    """What is stored of the session cannot be read."""

    code = "state_damaged"


def dumps(value: object, *, name: str) -> str:
    """Write *value* as compact JSON; *name* says in an error what it was.

    Raises:
        InvalidRequestError: It cannot be written as JSON.
    """
    try:
        text = _encoder.encode(value)
        if not text.isascii():
            text.encode()
    except UnicodeEncodeError:
        # Half of a surrogate pair is legal in JSON, but only escaped.
        return _ascii_encoder.encode(value)
    except (TypeError, ValueError, RecursionError):
        raise InvalidRequestError(f"{name}: not writable as JSON") from None
    return text


def loads(text: str) -> Any:
    """Read JSON.

    Raises:
        ValueError: It is damaged.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def new_token() -> str:
    """Twelve random characters that name one commit; the scripts rely on the length."""
    return secrets.token_urlsafe(9)


def check_session_id(session_id: str) -> SessionId:
    """Refuse what could not be part of a key.

    Raises:
        InvalidRequestError: Not 1 to 128 letters, digits or any of ``._:-``.
    """
    if not _SESSION_ID.fullmatch(session_id):
        raise InvalidRequestError("session_id: not a session id")
    return SessionId(session_id)


def check_name(name: str, *, kind: str) -> str:
    """Refuse an empty or overlong name of a field or thread.

    Raises:
        InvalidRequestError: It is one of these, or not text.
    """
    if not isinstance(name, str) or not 0 < len(name) <= _MAX_NAME_CHARS:
        raise InvalidRequestError(f"{kind}: 1 to {_MAX_NAME_CHARS} characters")
    return name


def session_key(session_id: SessionId, part: str) -> str:
    """The key of one part of a session; all parts live in one cluster slot."""
    return f"va:{{{check_session_id(session_id)}}}:{part}"


def server_call_key(server_call_id: str) -> str:
    """The key that leads from the server's name of a call to its session."""
    return f"va:server-call:{server_call_id}"


def call_key(call: CallConnectionId) -> str:
    """The key that leads from a call to its session."""
    return f"va:call:{call}"
