"""Running a tool so that what changes the world changes it once.

The path of the agent and of HTTP alike: schema, policy, then for tools with side effects the
ledger. A run whose outcome nobody knows (a timeout, a lost connection, a killed instance) stays
open in the ledger and is reported as unknown to whoever comes again; it is never repeated blindly.
"""

from typing import Protocol

from shared.errors import AppError, UpstreamError
from shared.telemetry.logs import get_logger
from shared.tools.audit import audit
from shared.tools.context import ToolContext
from shared.tools.definition import PreparedCall
from shared.tools.failures import (
    IDEMPOTENCY_MISMATCH,
    OUTCOME_UNKNOWN,
    InvalidArgumentsError,
    ToolFailedError,
    ToolRefusedError,
    ToolRetryError,
    failure,
    failure_of,
)
from shared.tools.keys import fingerprint, idempotency_key
from shared.tools.observation import UNKNOWN_TOOL, observed
from shared.tools.registry import ToolRegistry
from shared.types import Json, SessionId

__all__ = ["Begin", "Ledger", "fingerprint", "idempotency_key", "run_tool"]

logger = get_logger(__name__)

_DID_NOTHING = (ToolRetryError, ToolRefusedError, InvalidArgumentsError)
"""What an executor raises when it certainly changed nothing."""


class Begin(Protocol):
    """What the ledger knows of a key."""

    @property
    def state(self) -> str:
        """``fresh``, ``done``, ``in_progress``, ``unknown`` or ``mismatch``."""
        ...

    @property
    def result(self) -> Json | None:
        """The stored result if the state is ``done``."""
        ...


class Ledger(Protocol):
    """Remembers what tools with side effects have done; every method is atomic.

    A key belongs to a session, or to no session where a client runs a tool over HTTP without one.
    """

    async def begin(self, session_id: SessionId | None, key: str, fingerprint: str) -> Begin:
        """Claim *key* for a run, or tell what became of the run that has it.

        ``fresh`` means claimed: this run, and no other, may go ahead. ``mismatch`` means that the
        key was used with another fingerprint.
        """
        ...

    async def finish(self, session_id: SessionId | None, key: str, result: Json) -> object:
        """Store the result of the run."""
        ...

    async def forget(self, session_id: SessionId | None, key: str) -> object:
        """Give the key back: the run did nothing."""
        ...


async def run_tool(
    registry: ToolRegistry, name: str, arguments: object, context: ToolContext, ledger: Ledger
) -> Json:
    """Run a tool, whatever comes of it; one with side effects once per idempotency key.

    A second run with the same key gets the first one's result. One that finds the first unfinished
    gets ``outcome_unknown``; one with other arguments ``idempotency_mismatch``.

    Returns:
        As `ToolRegistry.execute`, with these two codes more.
    """
    tool = registry.find(name)
    run = _run(registry, name, arguments, context, ledger)
    result = await observed(tool.name if tool else UNKNOWN_TOOL, arguments, context, run)
    audit(tool, context, result)
    return result


async def _run(
    registry: ToolRegistry, name: str, arguments: object, context: ToolContext, ledger: Ledger
) -> Json:
    try:
        call = registry.prepare(name, arguments, context)
    except Exception as err:  # noqa: BLE001 - the tool runner: each failure becomes an answer
        return failure_of(err, "(not prepared)")
    if not call.tool.policy.has_side_effects:
        try:
            return await registry.invoke(call, context)
        except Exception as err:  # noqa: BLE001 - as above
            return failure_of(err, call.tool.name)
    return await _run_once(registry, call, context, ledger)


async def _run_once(
    registry: ToolRegistry, call: PreparedCall, context: ToolContext, ledger: Ledger
) -> Json:
    if not context.idempotency_key:
        missing = ToolRefusedError("An idempotency key is needed.", missing="idempotency_key")
        return failure_of(missing, call.tool.name)
    # The tool's name belongs to it: one key must not stand for two different tools.
    print_ = fingerprint({"tool": call.tool.name, "arguments": call.arguments})
    try:
        begin = await ledger.begin(context.session_id, context.idempotency_key, print_)
    except UpstreamError as err:
        # Nothing was run. If the key was claimed all the same, a duplicate will hear "unknown".
        return failure_of(err, call.tool.name)
    match begin.state:
        case "fresh":
            return await _run_fresh(registry, call, context, ledger)
        case "done" if begin.result is not None:
            return begin.result
        case "mismatch":
            return failure(
                IDEMPOTENCY_MISMATCH, "This key was used for a different call. Nothing was done."
            )
        case _:
            return _unknown()


async def _run_fresh(
    registry: ToolRegistry, call: PreparedCall, context: ToolContext, ledger: Ledger
) -> Json:
    session_id, key, tool = context.session_id, context.idempotency_key, call.tool.name
    try:
        result = await registry.invoke(call, context)
    except _DID_NOTHING as err:
        try:
            await ledger.forget(session_id, key)
        except AppError:
            logger.warning("ledger key not given back", extra={"tool": tool})
        return failure_of(err, tool)
    except ToolFailedError as err:
        result = failure_of(err, tool)
    except Exception as err:  # noqa: BLE001 - the tool runner; the world may have changed
        failure_of(err, tool)
        logger.warning("tool outcome unknown", extra={"tool": tool})
        return _unknown()
    try:
        await ledger.finish(session_id, key, result)
    except AppError:
        # It was done, and this caller may know. A duplicate will hear that it is unknown.
        logger.error("tool result not recorded", extra={"tool": tool})
    return result


def _unknown() -> Json:
    return failure(
        OUTCOME_UNKNOWN,
        "It is not certain whether this was done. Do not try again; say so and offer a person.",
    )
