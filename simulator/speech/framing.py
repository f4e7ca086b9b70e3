"""The messages of the speech protocol inside WebSocket frames."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any


class MalformedMessageError(ValueError):
    """A frame does not hold a message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message: where it belongs, and its body as text or bytes."""

    path: str
    request_id: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    """By lower-case name."""
    body: bytes = b""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def json(self) -> dict[str, Any]:
        """The body as a JSON object; empty if it is none."""
        try:
            value = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}


def read_text(frame: str) -> Message:
    """Read a text frame: header lines, an empty line, the body.

    Raises:
        MalformedMessageError: There is no path in it.
    """
    head, _, body = frame.partition("\r\n\r\n")
    return _message(head, body.encode())


def read_binary(frame: bytes) -> Message:
    """Read a binary frame: the length of the header in two bytes, the header, the body.

    Raises:
        MalformedMessageError: It is shorter than it says, or has no path.
    """
    length = int.from_bytes(frame[:2], "big")
    if len(frame) < 2 + length:
        raise MalformedMessageError("the frame is shorter than its header")
    return _message(frame[2 : 2 + length].decode("utf-8", "replace"), frame[2 + length :])


def write_text(path: str, request_id: str, body: object) -> str:
    """Write a text frame with a JSON body.

    The native SDK silently ignores an id that is not, byte for byte, the one it sent.
    """
    head = _head(path, request_id, "application/json; charset=utf-8")
    return f"{head}\r\n{json.dumps(body)}"


def write_binary(path: str, request_id: str, body: bytes, *, stream_id: str) -> bytes:
    """Write a binary frame, audio for example."""
    head = f"{_head(path, request_id)}X-StreamId:{stream_id}\r\n".encode()
    return len(head).to_bytes(2, "big") + head + body


def _message(head: str, body: bytes) -> Message:
    headers = {}
    for line in head.split("\r\n"):
        name, separator, value = line.partition(":")
        if separator:
            headers[name.strip().lower()] = value.strip()
    if not headers.get("path"):
        raise MalformedMessageError("a message has no path")
    return Message(headers["path"].lower(), headers.get("x-requestid", ""), headers, body)


def _head(path: str, request_id: str, content_type: str | None = None) -> str:
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    head = f"X-RequestId:{request_id}\r\nX-Timestamp:{now}\r\nPath:{path}\r\n"
    return head if content_type is None else f"{head}Content-Type:{content_type}\r\n"
