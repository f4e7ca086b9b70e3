"""Reaching a person.

These tools ask; the call performs the transfer afterwards and reports what came of it. So no result
says that somebody was reached.
"""

from collections.abc import Mapping

from shared.tools.banking import CLIENT_ID_PROPERTY
from shared.tools.context import CALLER_NUMBER, ToolContext
from shared.tools.failures import ToolRefusedError, ToolRetryError
from shared.tools.policy import ToolPolicy
from shared.tools.records import Callback
from shared.tools.registration import ToolRegistrar
from shared.types import Json

DEFAULT_QUEUE = "general"
_DEPARTMENTS = ["general", "fraud", "loans", "investments", "complaints", "retention"]
_BY_AGENTS = ToolPolicy(callers=frozenset({"agent"}))
_DEPARTMENT: Json = {"type": "string", "enum": _DEPARTMENTS, "default": DEFAULT_QUEUE}
_REASON: Json = {"type": "string", "minLength": 1, "maxLength": 500}
_PHONE = r"^\+[1-9][0-9]{7,14}$"


_ESCALATE_HUMAN: Json = {
    "name": "escalate_human",
    "description": (
        "Ask for a person of a department when the caller wants one or nothing else helps."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "reason": _REASON,
            "department": _DEPARTMENT,
            "context_summary": {"type": "string", "maxLength": 1000},
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
                "default": DEFAULT_QUEUE,
                "description": "The queue, for example general or fraud.",
            },
            "reason": _REASON,
        },
        "required": ["reason"],
    },
}
_SCHEDULE_CALLBACK: Json = {
    "name": "schedule_callback",
    "description": "Note that a person of the bank is to call back.",
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "reason": _REASON,
            "phone_number": {
                "type": "string",
                "pattern": _PHONE,
                "description": (
                    "With country code, for example +15555550100. May be left out for a verified "
                    "caller."
                ),
            },
            "preferred_time": {"type": "string", "maxLength": 100},
            "department": _DEPARTMENT,
        },
        "required": ["reason"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that lead to a person."""
    for schema, executor, topic, policy in (
        (_ESCALATE_HUMAN, escalate_human, "transfer", _BY_AGENTS),
        (_TRANSFER_CALL, transfer_call_to_call_center, "transfer", _BY_AGENTS),
        (_SCHEDULE_CALLBACK, schedule_callback, "callback", ToolPolicy(has_side_effects=True)),
    ):
        registry.register(
            schema["name"], schema, executor, tags={"escalation", topic}, policy=policy
        )


async def escalate_human(arguments: Json, context: ToolContext) -> Json:
    """Ask for a person of a department; one without a queue of its own is reached as general.

    Raises:
        ToolRefusedError: No person can be reached at all.
        ToolRetryError: Neither the department nor general has a queue.
    """
    department = arguments["department"]
    queues = context.services.transfer_targets
    queue_id = department if department in queues else DEFAULT_QUEUE
    return {
        **_transfer(queue_id, context),
        "department": department,
        "priority": arguments["priority"],
    }


async def transfer_call_to_call_center(arguments: Json, context: ToolContext) -> Json:
    """Ask for the transfer to a queue.

    Raises:
        ToolRefusedError: No person can be reached at all.
        ToolRetryError: There is no such queue; the text names those there are.
    """
    return _transfer(arguments["queue_id"], context)


def _transfer(queue_id: str, context: ToolContext) -> Json:
    queues = context.services.transfer_targets
    if not queues:
        raise ToolRefusedError(
            "No person can be reached from here. Offer a callback with schedule_callback.",
            missing="transfer_target",
        )
    queue = queue_id.lower()
    if queue not in queues:
        raise ToolRetryError(f"There is no such queue_id. Known: {', '.join(sorted(queues))}.")
    return {
        "success": True,
        "transfer_requested": True,
        "transfer": {"target": queues[queue], "next": _others(queue, queues)},
        "queue_id": queue,
        "reference_id": context.services.new_id("ESC"),
        "message": "The transfer will be tried when you have finished speaking. Tell the caller.",
    }


def _others(queue: str, queues: Mapping[str, str]) -> list[str]:
    """Whom to try when *queue* does not answer: the people for everything."""
    general = queues.get(DEFAULT_QUEUE)
    return [general] if general not in (None, queues[queue]) else []


async def schedule_callback(arguments: Json, context: ToolContext) -> Json:
    """Note a callback in the bank's records; nothing is sent to the caller.

    Raises:
        ToolRetryError: Nobody knows which number to call.
    """
    services = context.services
    noted = await services.records.add_callback(
        Callback(
            callback_id=services.new_id("CB"),
            client_id=context.client_id,
            phone=await _phone(arguments, context),
            department=arguments["department"],
            reason=arguments["reason"],
            preferred_time=arguments.get("preferred_time"),
            requested_at=services.clock.now(),
        ),
        context.idempotency_key,
    )
    return {
        "success": True,
        "callback_scheduled": True,
        "callback_id": noted.callback_id,
        "department": noted.department,
        "message": "The callback is noted. No message goes to the caller.",
        "data_source": services.records.source,
    }


async def _phone(arguments: Json, context: ToolContext) -> str:
    """The number to call: as given, else of the verified customer, else the caller's own."""
    if "phone_number" in arguments:
        return str(arguments["phone_number"])
    if context.client_id is not None:
        customer = await context.services.records.customer(context.client_id)
        if customer is not None and customer.phone:
            return customer.phone
    number = context.memo.get_context(CALLER_NUMBER, None)
    if isinstance(number, str) and number:
        return number
    raise ToolRetryError("Ask the caller for a phone_number with country code.")
