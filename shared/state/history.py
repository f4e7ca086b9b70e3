"""A thread of messages: JSON fragments joined by commas, appended to and never rewritten.

The text is not parsed until someone asks for it, and every reader gets a parse of its own, so no
two readers share an object.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from shared.state.changes import Cut
from shared.state.codec import loads

_NEXT_FRAGMENT = re.compile(r',(?=[{\["])')
_decoder = json.JSONDecoder()


@dataclass(frozen=True, slots=True)
class ThreadLimits:
    """When a thread has become too long, and how much of it stays."""

    max_messages: int = 2000
    max_bytes: int = 1_000_000
    kept_share: float = 0.5


class Thread:
    """The messages of one agent: what is stored, and behind it what is not stored yet."""

    __slots__ = ("_stored", "_unsaved", "stored_messages")

    def __init__(self, text: str = "", stored_messages: int = 0) -> None:
        self._stored = [text] if text else []
        self._unsaved: list[str] = []
        self.stored_messages = stored_messages

    def append(self, text: str) -> None:
        """Add one message as JSON text, not stored yet."""
        self._unsaved.append(text)

    def append_stored(self, text: str) -> None:
        """Add one message that is stored already."""
        self._stored.append(text)
        self.stored_messages += 1

    def copy(self) -> "Thread":
        """The same thread, sharing nothing that changes."""
        twin = Thread(self.stored_text, self.stored_messages)
        twin._unsaved = list(self._unsaved)
        return twin

    def mark_saved(self, count: int) -> None:
        """The first *count* of what was not stored yet is stored now."""
        self._stored += self._unsaved[:count]
        del self._unsaved[:count]
        self.stored_messages += count

    @property
    def stored_text(self) -> str:
        """The stored messages, joined by commas."""
        return ",".join(self._stored)

    @property
    def text(self) -> str:
        """All messages, joined by commas."""
        return ",".join(self._stored + self._unsaved)

    def messages(self) -> tuple[list[Any], bool]:
        """All messages, and whether any was damaged; the undamaged ones are all there."""
        text = self.text
        if not text:
            return [], False
        try:
            return loads(f"[{text}]"), False
        except ValueError:
            return _salvage(text), True

    def cut(self, limits: ThreadLimits) -> Cut | None:
        """Drop the oldest stored messages if the thread is too long.

        The thread then begins with something the caller said if it can, and never with the
        result of a tool whose call is gone. A damaged thread is left alone.
        """
        stored = self.stored_text
        if self.stored_messages <= limits.max_messages and len(stored) <= limits.max_bytes:
            return None
        at = _cut_at(stored, limits)
        if at is None:
            return None
        offset, messages = at
        self._stored = [stored[offset:]]
        self.stored_messages -= messages
        return Cut(
            length_bytes=len(stored.encode()),
            cut_bytes=len(stored[:offset].encode()),
            messages=messages,
        )


def _cut_at(text: str, limits: ThreadLimits) -> tuple[int, int] | None:
    """Where the kept part starts in *text*, and how many messages lie before it."""
    starts: list[tuple[int, object]] = []
    position = 0
    try:
        while position < len(text):
            message, end = _decoder.raw_decode(text, position)
            starts.append((position, message.get("role") if isinstance(message, dict) else None))
            position = end + 1
    except (ValueError, RecursionError):
        return None
    kept_messages = limits.max_messages * limits.kept_share
    kept_chars = limits.max_bytes * limits.kept_share
    fallback: tuple[int, int] | None = None
    for index, (start, role) in enumerate(starts):
        if not index or len(starts) - index > kept_messages or len(text) - start > kept_chars:
            continue
        if role in (None, "user"):
            return start, index
        if fallback is None and role != "tool":
            fallback = start, index
    return fallback


def _salvage(text: str) -> list[Any]:
    found: list[Any] = []
    position = 0
    while position < len(text):
        try:
            message, position = _decoder.raw_decode(text, position)
            found.append(message)
            position += 1
        except (ValueError, RecursionError):
            following = _NEXT_FRAGMENT.search(text, position)
            if following is None:
                break
            position = following.end()
    return found
