"""A stopwatch with names, whose readings are kept with the session.

Only durations are kept: the reading of a clock means nothing in another process. Starting and
stopping touches memory alone; what was measured is stored when the session is.

Left out of the interface this keeps: the Redis manager that ``stop`` took to store the whole
session each time, and the second version's tracker of a turn. What that told is in the record of
every turn (``shared.calls.turn_record``), in its spans and in the measurements.
"""

import asyncio
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from shared.latency.summary import summaries_of
from shared.types import Json

MAX_OPEN = 200
"""Stages that are started and never stopped push each other out."""


@dataclass(frozen=True, slots=True)
class StageNote:
    """How long a stage took once."""

    stage: str
    duration_ms: float
    run: str = ""
    meta: Mapping[str, object] | None = None


class LatencyMemory(Protocol):
    """Where notes go; `shared.state.memo.MemoManager` is one. It keeps the last 200."""

    def note_stage(self, note: StageNote) -> None:
        """Keep a note with the session."""
        ...

    def stage_notes(self) -> list[StageNote]:
        """The notes that are kept, oldest first."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Timer:
    """A stage under way."""

    stage: str
    run: str
    """The run it was started in, whatever run begins meanwhile."""
    started_at: float
    task: int | None


class LatencyTool:
    """Measures named stages of a session, in runs such as turns."""

    def __init__(
        self, memory_manager: LatencyMemory, *, monotonic: Callable[[], float] = time.perf_counter
    ) -> None:
        """Measure for the session of *memory_manager*, with a clock that gives seconds."""
        self._memory = memory_manager
        self._monotonic = monotonic
        self._open: list[Timer] = []
        self._run: str | None = None
        self._has_looked = False

    def begin_run(self, label: str = "turn") -> str:
        """Begin a run and make it the current one; its id begins with *label*."""
        self._run = f"{label}-{secrets.token_hex(6)}"
        return self._run

    def set_current_run(self, run_id: str) -> None:
        """Make a run the current one, for example one that another process has begun."""
        self._run = run_id

    def get_current_run(self) -> str | None:
        """The current run: the one begun or set here, else the last one the session knows of."""
        if self._run is None and not self._has_looked:
            self._has_looked = True  # once: reading all notes costs a hundred times a stage
            noted = (one.run for one in reversed(self._memory.stage_notes()) if one.run)
            self._run = next(noted, None)
        return self._run

    def start(self, stage: str) -> Timer:
        """Start a stage; the same stage may be under way several times."""
        if len(self._open) >= MAX_OPEN:
            self._open.pop(0)
        run = self.get_current_run() or ""
        timer = Timer(stage, run, self._monotonic(), _task_id())
        self._open.append(timer)
        return timer

    def stop(self, stage: str | Timer, *, meta: Mapping[str, object] | None = None) -> float | None:
        """Stop a stage, and note what it took.

        Of several by that name, the one this task has started last; else the last one started
        anywhere.

        Args:
            stage: The name, or what ``start`` returned.
            meta: Facts to keep with it; must be writable as JSON.

        Returns:
            Milliseconds; None if no such stage is under way, which is no error: measuring must
            not break what it measures.
        """
        timer = self._find(stage)
        if timer is None:
            return None
        self._open.remove(timer)
        duration_ms = round((self._monotonic() - timer.started_at) * 1000, 3)
        self._memory.note_stage(StageNote(timer.stage, duration_ms, timer.run, meta))
        return duration_ms

    def session_summary(self) -> dict[str, Json]:
        """Of each stage ``count``, ``avg``, ``min``, ``max``, ``total``, percentiles: seconds."""
        return _in_seconds(self._memory.stage_notes())

    def run_summary(self, run_id: str) -> dict[str, Json]:
        """The same for one run; empty for a run that nothing is known of."""
        return _in_seconds([one for one in self._memory.stage_notes() if one.run == run_id])

    def cleanup_timers(self) -> None:
        """Forget every stage that is under way."""
        self._open.clear()

    def _find(self, stage: str | Timer) -> Timer | None:
        if isinstance(stage, Timer):
            return stage if stage in self._open else None
        named = [one for one in self._open if one.stage == stage]
        task = _task_id()
        own = [one for one in named if one.task == task]
        found = own or named
        return found[-1] if found else None


def _task_id() -> int | None:
    try:
        task = asyncio.current_task()
    except RuntimeError:  # no loop runs in this thread
        return None
    return id(task) if task is not None else None


def _in_seconds(notes: list[StageNote]) -> dict[str, Json]:
    summaries = summaries_of((one.stage, one.duration_ms) for one in notes)
    return {
        stage: {
            name.removesuffix("_ms"): value / 1000 if name.endswith("_ms") else value
            for name, value in figures.items()
        }
        for stage, figures in summaries.items()
    }
