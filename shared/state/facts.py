"""The vocabulary of a session's memory: context, slots, tool outputs, conversation, latencies."""

from typing import Any, overload

from shared.errors import InvalidRequestError
from shared.latency.summary import summaries_of
from shared.latency.tool import StageNote
from shared.state.codec import CONTEXT, PROMPT, SLOT, TOOL, check_name, dumps
from shared.state.record import Record
from shared.types import Json

DEFAULT_THREAD = "default"
LATENCY_THREAD = "~latency"
MAX_LATENCY_NOTES = 200

_MAX_TOOL_OUTPUT_CHARS = 16_000


class Facts(Record):
    """A record with names for what is in it. Everything put in or handed out is a copy."""

    # --- context ------------------------------------------------------------------------------

    @property
    def context(self) -> Json:
        """A copy of all context."""
        return self.fields(CONTEXT)

    def get_context(self, key: str, default: Any = None) -> Any:
        """A copy of a context value."""
        return self.get_field(CONTEXT + key, default)

    def set_context(self, key: str, value: object) -> None:
        """Set a context value; keys are stored one by one.

        Raises:
            InvalidRequestError: The value cannot be written as JSON; the error names the key.
        """
        self.set_field(CONTEXT + check_name(key, kind="context key"), value, label=key)

    def update_context(self, key: str, value: object) -> None:
        """Merge an object into the object that is there; set anything else."""
        before = self.get_context(key)
        if isinstance(before, dict) and isinstance(value, dict):
            value = before | value
        self.set_context(key, value)

    def delete_context(self, key: str) -> None:
        """Delete a context value; nothing happens if there is none."""
        self.delete_field(CONTEXT + key)

    def get_value_from_corememory(self, key: str, default: Any = None) -> Any:
        """The same as ``get_context``."""
        return self.get_context(key, default)

    def set_corememory(self, key: str, value: object) -> None:
        """The same as ``set_context``."""
        self.set_context(key, value)

    def update_corememory(self, key: str, value: object) -> None:
        """The same as ``set_context``."""
        self.set_context(key, value)

    # --- slots and tool outputs ---------------------------------------------------------------

    def update_slots(self, slots: Json) -> None:
        """Set slots; others stay."""
        for name, value in slots.items():
            self.set_field(SLOT + check_name(name, kind="slot"), value, label=name)

    def get_slot(self, name: str, default: Any = None) -> Any:
        """A copy of a slot's value."""
        return self.get_field(SLOT + name, default)

    def persist_tool_output(self, name: str, result: object) -> None:
        """Remember the last result of a tool; an empty one is ignored.

        Of a result longer than 16 000 characters only the length is kept.
        """
        if not result and result not in (0, False):
            return
        size_chars = len(dumps(result, name=name))
        if size_chars > _MAX_TOOL_OUTPUT_CHARS:
            result = {"is_left_out": True, "size_chars": size_chars}
        self.set_field(TOOL + check_name(name, kind="tool"), result, label=name)

    def get_tool_output(self, name: str, default: Any = None) -> Any:
        """A copy of the last result of a tool."""
        return self.get_field(TOOL + name, default)

    # --- conversation -------------------------------------------------------------------------

    @property
    def histories(self) -> dict[str, list[Json]]:
        """Copies of all threads."""
        named = set(self.thread_names()) | set(self.fields(PROMPT))
        return {name: self.get_history(name) for name in sorted(named - {LATENCY_THREAD})}

    @overload
    def append_to_history(self, role: str, content: Any, /) -> None: ...
    @overload
    def append_to_history(self, agent: str, role: str, content: Any, /) -> None: ...
    def append_to_history(self, *message: Any) -> None:
        """Append a message: ``(role, content)``, or ``(agent, role, content)``.

        Without an agent it goes to the thread ``default``.
        """
        if len(message) not in (2, 3):
            raise TypeError("append_to_history takes (role, content) or (agent, role, content)")
        agent = message[0] if len(message) == 3 else DEFAULT_THREAD
        self.append_message(agent, {"role": message[-2], "content": message[-1]})

    def append_message(self, agent: str, message: Json) -> None:
        """Append a whole message, for example one with ``tool_calls``.

        Raises:
            InvalidRequestError: It cannot be written as JSON, or the name is not a thread's.
        """
        self.append(_check_thread(agent), message)

    def get_history(self, agent: str = DEFAULT_THREAD) -> list[Json]:
        """Copies of the messages of a thread, its system prompt first; empty if there is none."""
        prompt = self.get_field(PROMPT + agent)
        head = [] if prompt is None else [{"role": "system", "content": prompt}]
        return head + self.messages(agent)

    def clear_history(self, agent: str | None = None) -> None:
        """Empty one thread, or all; their system prompts go too. Latencies stay."""
        for name in list(self.histories) if agent is None else [_check_thread(agent)]:
            self.reset_thread(name)
            self.delete_field(PROMPT + name)

    def ensure_system_prompt(self, agent: str, prompt: str) -> None:
        """Make *prompt* the first message of a thread, new or not; it replaces an earlier one."""
        self.set_field(PROMPT + _check_thread(agent), prompt, label="system prompt")

    # --- latencies ----------------------------------------------------------------------------

    def note_latency(self, stage: str, start_s: float, end_s: float) -> None:
        """Note how long a stage took, from two readings of one monotonic clock, in seconds."""
        self.note_stage(StageNote(stage, round((end_s - start_s) * 1000, 3)))

    def note_stage(self, note: StageNote) -> None:
        """Note how long a stage took; the last 200 notes are kept.

        Raises:
            InvalidRequestError: What goes with it cannot be written as JSON.
        """
        meta = dict(note.meta) if note.meta else None
        parts = [note.stage, note.duration_ms, note.run or None, meta]
        while parts[-1] is None:
            parts.pop()
        self.append(LATENCY_THREAD, parts)

    def stage_notes(self) -> list[StageNote]:
        """The last 200 notes, oldest first; damaged ones are left out."""
        notes = self.messages(LATENCY_THREAD)[-MAX_LATENCY_NOTES:]
        return [one for one in map(_note_of, notes) if one is not None]

    def latency_summary(self) -> dict[str, Json]:
        """Count, mean, extremes and percentiles of each stage in the last 200 notes."""
        return summaries_of((one.stage, one.duration_ms) for one in self.stage_notes())


def _note_of(note: Any) -> StageNote | None:
    match note:
        case [str(stage), int() | float() as duration_ms, *rest] if len(rest) <= 2:
            run, meta = (*rest, None, None)[:2]
            return StageNote(stage, float(duration_ms), run or "", meta)
        case _:
            return None


def _check_thread(name: str) -> str:
    if check_name(name, kind="agent").startswith("~"):
        raise InvalidRequestError("agent: names with ~ are reserved")
    return name
