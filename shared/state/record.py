"""The data of a session as one holder sees it, and what this holder has changed.

Plain data: no clock, no I/O. Values live here as JSON text, so whoever puts one in or takes one
out gets a copy, and a damaged value harms nobody who does not ask for it.
"""

from collections.abc import Mapping
from typing import Any

from shared.state.changes import Changes
from shared.state.codec import CONTEXT, PROMPT, SLOT, THREAD, TOOL, dumps, loads
from shared.state.history import Thread, ThreadLimits
from shared.telemetry.logs import get_logger
from shared.types import SessionId

_READABLE = (CONTEXT, SLOT, TOOL, PROMPT)

logger = get_logger(__name__)


class Record:
    """Fields and threads, with a record of what is not stored yet.

    Saving goes in two steps, so that a lost answer does no harm: ``seal`` puts the changes into an
    envelope with a token, which may be sent any number of times; ``mark_saved`` throws it away.
    """

    def __init__(
        self,
        session_id: SessionId,
        fields: Mapping[str, str] | None = None,
        threads: Mapping[str, str] | None = None,
    ) -> None:
        self.session_id = session_id
        self._open = Changes()
        self._sealed: dict[str, Changes] = {}
        self._saved: set[str] = set()
        self._reported: set[str] = set()
        self._take(fields or {}, threads or {})

    def _take(self, fields: Mapping[str, str], threads: Mapping[str, str]) -> None:
        self._fields = {k: v for k, v in fields.items() if not k.startswith(THREAD)}
        self._base = dict(self._fields)
        self._threads = {
            name: Thread(text, _to_count(fields.get(THREAD + name, "0")))
            for name, text in threads.items()
        }

    # --- fields -------------------------------------------------------------------------------

    def get_field(self, name: str, default: Any = None) -> Any:
        """A copy of a field; *default* if there is none or it is damaged."""
        text = self._fields.get(name)
        if text is None:
            return default
        try:
            return loads(text)
        except ValueError:
            self._report(name)
            return default

    def set_field(self, name: str, value: object, *, label: str) -> None:
        """Set a field to a copy of *value*.

        Raises:
            InvalidRequestError: It cannot be written as JSON; the error names *label*.
        """
        text = dumps(value, name=label)
        if self._fields.get(name) != text:
            self._fields[name] = text
            self._open.set_field(name, text)

    def delete_field(self, name: str) -> None:
        """Delete a field; nothing happens if there is none."""
        if self._fields.pop(name, None) is not None:
            self._open.delete_field(name)

    def fields(self, prefix: str) -> dict[str, Any]:
        """Copies of the undamaged fields with that prefix, by the rest of their name."""
        found = {}
        for name, text in self._fields.items():
            if name.startswith(prefix):
                try:
                    found[name[len(prefix) :]] = loads(text)
                except ValueError:
                    self._report(name)
        return found

    @property
    def linked_call(self) -> str | None:
        """The call that leads to this session, as it was when the session was read."""
        return self._fields.get("link")

    @linked_call.setter
    def linked_call(self, call: str) -> None:
        self._fields["link"] = call

    # --- threads ------------------------------------------------------------------------------

    def thread_names(self) -> tuple[str, ...]:
        """The threads there are, in no order."""
        return tuple(self._threads)

    def append(self, thread: str, message: object) -> None:
        """Append a copy of *message*.

        Raises:
            InvalidRequestError: It cannot be written as JSON.
        """
        text = dumps(message, name="message")
        self._threads.setdefault(thread, Thread()).append(text)
        self._open.append_to(thread, text)

    def messages(self, thread: str) -> list[Any]:
        """Copies of the undamaged messages of a thread, the oldest first."""
        if thread not in self._threads:
            return []
        messages, is_damaged = self._threads[thread].messages()
        if is_damaged:
            self._report(THREAD + thread)
        return messages

    def reset_thread(self, thread: str) -> None:
        """Empty a thread; nothing happens if there is none."""
        if self._threads.pop(thread, None) is not None:
            self._open.reset_thread(thread)

    def cut_threads(self, limits: Mapping[str, ThreadLimits], default: ThreadLimits) -> None:
        """Drop the oldest messages of threads that have become too long."""
        for name, thread in self._threads.items():
            cut = thread.cut(limits.get(name, default))
            if cut is not None and name not in self._open.reset:
                self._open.cut.setdefault(name, cut)

    # --- damage -------------------------------------------------------------------------------

    @property
    def damaged(self) -> tuple[str, ...]:
        """The fields and threads (``h:<name>``) that cannot be read; reads everything.

        A damaged value reads as absent and stays stored until it is set anew.
        """
        for name, text in self._fields.items():
            if name.startswith(_READABLE):
                try:
                    loads(text)
                except ValueError:
                    self._report(name)
        for name in self._threads:
            self.messages(name)
        return tuple(sorted(self._reported))

    def report_damage(self, name: str) -> None:
        """Name something else that cannot be read."""
        self._report(name)

    def _report(self, name: str) -> None:
        if name not in self._reported:
            self._reported.add(name)
            logger.error(
                "stored value is damaged", extra={"session_id": self.session_id, "field": name}
            )

    # --- saving -------------------------------------------------------------------------------

    def changes(self) -> Changes:
        """Everything that is not known to be stored."""
        both = Changes()
        for sealed in self._sealed.values():
            both = both.then(sealed)
        return both.then(self._open)

    @property
    def has_changes(self) -> bool:
        """Something is not known to be stored."""
        return bool(self._sealed) or not self._open.is_empty

    def seal(self, token: str) -> dict[str, Changes]:
        """Put the open changes under *token*; all envelopes, by token, in the order to send them.

        An envelope that exists, or was saved, is not filled again. Older envelopes belong to
        saves whose outcome is unknown; sending them again is harmless.
        """
        if token not in self._sealed and token not in self._saved:
            self._sealed[token], self._open = self._open, Changes()
        return dict(self._sealed)

    def mark_saved(self, token: str) -> bool:
        """What is under *token* is stored; false if that is known already."""
        sealed = self._sealed.pop(token, None)
        if sealed is None:
            return False
        self._saved.add(token)
        self._base.update(sealed.set)
        for name in sealed.delete:
            self._base.pop(name, None)
        for thread, texts in sealed.append.items():
            if thread in self._threads:
                self._threads[thread].mark_saved(len(texts))
        return True

    def unseal(self, token: str) -> None:
        """What is under *token* was not stored, and counts as changed again."""
        sealed = self._sealed.pop(token, None)
        if sealed is not None:
            self._open = sealed.then(self._open)

    def rebase(self, on: "Record") -> None:
        """Take over the data of *on* and make one's own unsaved changes to them again.

        *on* is left as it is, and shares nothing with this record afterwards.
        """
        self._fields, self._base = dict(on._fields), dict(on._base)
        self._threads = {name: thread.copy() for name, thread in on._threads.items()}
        self._reported = set(on._reported)
        changes = self.changes()
        self._fields.update(changes.set)
        for name in changes.delete:
            self._fields.pop(name, None)
        for name in changes.reset:
            self._threads.pop(name, None)
        for name, texts in changes.append.items():
            thread = self._threads.setdefault(name, Thread())
            for text in texts:
                thread.append(text)

    def adopt_field(self, name: str, value: object, *, label: str) -> None:
        """Set a field that is stored already; an unsaved change of it is overtaken."""
        text = dumps(value, name=label)
        self._fields[name] = self._base[name] = text
        self._open.set.pop(name, None)
        self._open.delete.pop(name, None)

    def adopt_message(self, thread: str, text: str) -> None:
        """Append a message that is stored already, in front of those that are not."""
        self._threads.setdefault(thread, Thread()).append_stored(text)

    def base_fields(self) -> dict[str, str]:
        """The texts of what this holder knows to be stored, without the call and its numbers."""
        return {name: text for name, text in self._base.items() if name.startswith(_READABLE)}

    def base_threads(self) -> dict[str, str]:
        """The threads as this holder knows them to be stored, without empty ones."""
        texts = {name: thread.stored_text for name, thread in self._threads.items()}
        return {name: text for name, text in texts.items() if text}


def _to_count(text: str) -> int:
    return int(text) if text.isdecimal() else 0
