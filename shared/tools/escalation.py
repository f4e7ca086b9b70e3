"""Reaching a person on the phone.

These tools ask; the call performs the transfer afterwards and reports what came of it. So no result
says that somebody was reached, and how long it will take nobody knows: it is not said either.

They change nothing themselves but the case that is written down, under the name of the request. So
they need no ledger: asked for again, the same case is found, and the call is transferred once.
"""

import asyncio
from collections.abc import Mapping

from shared.errors import AppError, UpstreamError
from shared.records.containers import CASES
from shared.telemetry.logs import get_logger
from shared.tools.cases import write_down
from shared.tools.context import ToolContext
from shared.tools.failures import ToolFailedError, ToolRefusedError, ToolRetryError
from shared.tools.policy import ToolPolicy
from shared.tools.registration import DEPARTMENT, REASON, ToolRegistrar
from shared.types import Json

logger = get_logger(__name__)

DEFAULT_QUEUE = "general"
_CASE_S = 2.0
"""For the case; a caller who wants a person does not wait longer for a piece of paper."""
_BY_AGENTS = ToolPolicy(callers=frozenset({"agent"}))
_SUMMARY: Json = {
    "type": "string",
    "maxLength": 1000,
    "description": "What the person needs to know, so that the caller need not say it again.",
}

_ESCALATE_HUMAN: Json = {
    "name": "escalate_human",
    "description": (
        "Ask for a person of a department when the caller wants one or nothing else helps. "
        "Writes down what the person needs to know."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "reason": REASON,
            "department": DEPARTMENT,
            "context_summary": _SUMMARY,
            "priority": {
                "type": "string",
                "enum": ["normal", "high", "urgent"],
                "default": "normal",
            },
        },
        "required": ["reason"],
    },
}
_TRANSFER_CALL: Json = {
    "name": "transfer_call_to_call_center",
    "description": "Ask for the transfer of this call to a queue of the call center.",
    "parameters": {
        "type": "object",
        "properties": {
            "queue_id": {
                "type": "string",
                "maxLength": 64,
                "default": DEFAULT_QUEUE,
                "description": "The queue, for example general or fraud.",
            },
            "reason": REASON,
        },
        "required": ["reason"],
    },
}
_TRANSFER_TO: Json = {
    "name": "transfer_call_to_destination",
    "description": (
        "Ask for the transfer of this call to a destination the bank knows: the name or the "
        "number of one of its queues. No other number is dialled."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "destination": {"type": "string", "minLength": 1, "maxLength": 64},
            "reason": REASON,
            "transfer_type": {
                "type": "string",
                "enum": ["cold", "blind"],
                "default": "blind",
                "description": "Both connect the caller without an announcement.",
            },
            "context_summary": _SUMMARY,
        },
        "required": ["destination", "reason"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that lead to a person."""
    for schema, executor in (
        (_ESCALATE_HUMAN, escalate_human),
        (_TRANSFER_CALL, transfer_call_to_call_center),
        (_TRANSFER_TO, transfer_call_to_destination),
    ):
        registry.register(
            schema["name"], schema, executor, tags={"escalation", "transfer"}, policy=_BY_AGENTS
        )


async def escalate_human(arguments: Json, context: ToolContext) -> Json:
    """Ask for a person of a department; one without a queue of its own is reached as general.

    Raises:
        ToolRefusedError: No person can be reached at all.
        ToolRetryError: Neither the department nor general has a queue.
    """
    department = arguments["department"]
    queues = context.services.transfer_targets
    asked = _transfer(department if department in queues else DEFAULT_QUEUE, context)
    reference = await _case(arguments, context)
    return {
        **asked,
        "escalation_initiated": True,
        "department": department,
        "priority": arguments["priority"],
        "reference_id": reference,
        "context_transferred": bool(reference and arguments.get("context_summary")),
    }


async def transfer_call_to_call_center(arguments: Json, context: ToolContext) -> Json:
    """Ask for the transfer to a queue.

    Raises:
        ToolRefusedError: No person can be reached at all.
        ToolRetryError: There is no such queue; the text names those there are.
    """
    return _transfer(arguments["queue_id"], context)


async def transfer_call_to_destination(arguments: Json, context: ToolContext) -> Json:
    """Ask for the transfer to a queue that is given by its name or its number.

    Raises:
        ToolRefusedError: No person can be reached at all.
        ToolRetryError: The bank knows no such destination; the text names the queues.
    """
    names = {number: name for name, number in context.services.transfer_targets.items()}
    destination: str = arguments["destination"]
    asked = _transfer(names.get(destination, destination), context)
    reference = await _case(arguments, context)
    return {
        **asked,
        "destination": asked["queue_id"],
        "transfer_type": arguments["transfer_type"],
        "reference_id": reference,
        "context_transferred": bool(reference and arguments.get("context_summary")),
    }


def _transfer(queue_id: str, context: ToolContext) -> Json:
    queues = context.services.transfer_targets
    if not queues:
        raise ToolRefusedError(
            "No person can be reached from here. Offer a callback with schedule_callback.",
            missing="transfer_target",
        )
    queue = queue_id.lower()
    if queue not in queues:
        raise ToolRetryError(f"There is no such queue. Known: {', '.join(sorted(queues))}.")
    return {
        "success": True,
        "transfer_requested": True,
        "transfer": {"target": queues[queue], "next": _others(queue, queues)},
        "queue_id": queue,
        "message": "The transfer will be tried when you have finished speaking. Tell the caller.",
    }


def _others(queue: str, queues: Mapping[str, str]) -> list[str]:
    """Whom to try when *queue* does not answer: the people for everything."""
    general = queues.get(DEFAULT_QUEUE)
    return [general] if general not in (None, queues[queue]) else []


async def _case(arguments: Json, context: ToolContext) -> str | None:
    """Write down why; a person is reached all the same where that cannot be done."""
    facts = {
        "kind": "escalation",
        "reason": arguments["reason"],
        "summary": arguments.get("context_summary"),
        "department": arguments.get("department", arguments.get("destination")),
        "priority": arguments.get("priority", "normal"),
    }
    try:
        async with asyncio.timeout(_CASE_S):
            return await write_down(CASES.name, "ESC", facts, context)
    except (UpstreamError, ToolFailedError, TimeoutError) as err:
        code = err.code if isinstance(err, AppError) else "timeout"
        logger.warning("escalation without a case", extra={"code": code})
        return None
