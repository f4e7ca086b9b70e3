"""Runs one execution of a function the way the worker does, its quirks included."""

import asyncio
import logging
import secrets
import threading
import time
import traceback
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum
from typing import TypeVar

from azure.functions.meta import Datum

from simulator.functions_host.indexing import IndexedFunction
from simulator.functions_host.telemetry import WorkerTelemetry

logger = logging.getLogger("host.invocation")
_local = threading.local()
_T = TypeVar("_T")


class Outcome(Enum):
    """How an execution ended, as the host sees it."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution that is over (or given up)."""

    function: str
    outcome: Outcome
    returned: Datum | None = None

    @property
    def message(self) -> str:
        """What the host says of a failure; it never holds the function's own words."""
        return f"Exception while executing function: Functions.{self.function}"


@dataclass(frozen=True, slots=True)
class TraceContext:
    """W3C trace context of an invocation."""

    trace_parent: str
    trace_state: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RetryContext:
    """Always the first attempt: this host applies no retry policies."""

    retry_count: int = 0
    max_retry_count: int = 0
    exception: None = None


@dataclass(frozen=True, slots=True)
class InvocationContext:
    """What a function gets as ``context``; as in the worker, no subclass of ``func.Context``."""

    invocation_id: str
    function_name: str
    function_directory: str
    thread_local_storage: threading.local
    trace_context: TraceContext
    retry_context: RetryContext


class Invoker:
    """Runs executions on this loop (async functions) or in threads (sync functions)."""

    def __init__(
        self, *, threads: int, timeout_s: float, telemetry: WorkerTelemetry | None = None
    ) -> None:
        self._telemetry = telemetry or WorkerTelemetry(None)
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="function")
        self._timeout_s = timeout_s
        self._tasks: set[asyncio.Task[object]] = set()
        self._running = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()

    async def idle(self) -> None:
        """Wait until no execution runs."""
        await self._is_idle.wait()

    async def invoke(
        self,
        function: IndexedFunction,
        data: Datum,
        *,
        trace_parent: str | None = None,
        trace_state: str = "",
    ) -> Execution:
        """Run *function* once and wait for it, at most for the function timeout.

        Nothing that the function raises comes out of here, save what ends the process.
        """
        context = InvocationContext(
            invocation_id=str(uuid.uuid4()),
            function_name=function.name,
            function_directory=function.directory,
            thread_local_storage=_local,
            trace_context=TraceContext(_child_of(trace_parent), trace_state),
            retry_context=RetryContext(),
        )
        self._running += 1
        self._is_idle.clear()
        started = time.monotonic()
        try:
            with self._telemetry.invocation(function.name, trace_parent):
                return await self._run(function, data, context)
        finally:
            self._running -= 1
            if self._running == 0:
                self._is_idle.set()
            logger.info(
                "Executed 'Functions.%s' (Id=%s, Duration=%dms)",
                function.name,
                context.invocation_id,
                (time.monotonic() - started) * 1000,
            )

    async def _run(
        self, function: IndexedFunction, data: Datum, context: InvocationContext
    ) -> Execution:
        deadline = time.monotonic() + self._timeout_s
        task = self._keep(asyncio.create_task(self._call(function, data, context)))
        # wait(), because a CancelledError that leaves the function must not pass for ours.
        await asyncio.wait({task}, timeout=_finite(self._timeout_s))
        if task.done() and task.cancelled():
            logger.critical(
                "CancelledError left %s: the worker never answers this; the caller waits for the "
                "function timeout",
                function.name,
            )
            await _until(deadline)
        if not task.done() or task.cancelled():
            logger.critical("Timeout value of %ss exceeded by %s", self._timeout_s, function.name)
            return Execution(function.name, Outcome.TIMED_OUT)
        error = task.exception()
        if error is not None:
            trace = "".join(traceback.format_exception(error))
            logger.error("Executed 'Functions.%s' (Failed)\n%s", function.name, trace)
            return Execution(function.name, Outcome.FAILED)
        returned = task.result()
        return Execution(
            function.name, Outcome.SUCCEEDED, returned if isinstance(returned, Datum) else None
        )

    async def _call(
        self, function: IndexedFunction, data: Datum, context: InvocationContext
    ) -> object:
        arguments: dict[str, object] = {
            function.trigger_parameter: function.decoder.decode(data, trigger_metadata={})
        }
        if function.requires_context:
            arguments["context"] = context
        if function.is_async:
            _local.invocation_id = context.invocation_id
            result = await function.call(**arguments)  # type: ignore[misc]
        else:
            # No copy of the context: contextvars leak between sync calls of a thread, as there.
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(
                self._threads, _call_in_thread, function, arguments, context
            )
        return _encoded(function, result)

    def _keep(self, task: asyncio.Task[_T]) -> asyncio.Task[_T]:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


def _call_in_thread(
    function: IndexedFunction, arguments: dict[str, object], context: InvocationContext
) -> object:
    _local.invocation_id = context.invocation_id
    try:
        return function.call(**arguments)
    finally:
        _local.invocation_id = None


def _encoded(function: IndexedFunction, result: object) -> Datum | None:
    if function.encoder is None:
        if result is not None:
            raise RuntimeError(
                f"function {function.name!r} without a $return binding returned a non-None value"
            )
        return None
    # The http converter has no form for None: that is how None becomes a 500.
    return function.encoder.encode(result, expected_type=None)


def _child_of(trace_parent: str | None) -> str:
    """Same trace and flags, a new span; without a parent a new trace that is not sampled."""
    parts = (trace_parent or "").split("-")
    if len(parts) == 4:
        return f"{parts[0]}-{parts[1]}-{secrets.token_hex(8)}-{parts[3]}"
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-00"


def _finite(seconds: float) -> float | None:
    return None if seconds == float("inf") else seconds


async def _until(deadline: float) -> None:
    if deadline == float("inf"):
        await asyncio.Event().wait()
    await asyncio.sleep(max(0.0, deadline - time.monotonic()))
