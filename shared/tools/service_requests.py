"""What a caller leaves with the bank: a wish to be called back, a complaint, an emergency.

Each is written down under a reference that can be read out. Nothing more is claimed: no message
goes out, and nobody is told but those who work through the cases.
"""

from shared.records.containers import CALLBACKS, CASES
from shared.tools.cases import write_down
from shared.tools.context import CALLER_NUMBER, ToolContext
from shared.tools.customers import Customers
from shared.tools.failures import ToolRetryError, nothing_done_yet
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registration import (
    CLIENT_ID_PROPERTY,
    DATA_SOURCE,
    DEPARTMENT,
    REASON,
    ToolRegistrar,
)
from shared.types import Json

RESPONSE_TIMEFRAME = "10 business days"
ESCALATION_PATH = ["case handler", "head of customer care", "ombudsman"]

_PHONE = r"^\+[1-9][0-9]{7,14}$"
_QUEUES = {"fraud_in_progress": "fraud", "security_threat": "fraud"}
"""Whom an emergency is for; the rest is for everybody."""

_SCHEDULE_CALLBACK: Json = {
    "name": "schedule_callback",
    "description": "Note that a person of the bank is to call back.",
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "reason": REASON,
            "phone_number": {
                "type": "string",
                "pattern": _PHONE,
                "description": (
                    "With country code, for example +15555550100. May be left out for a verified "
                    "caller."
                ),
            },
            "preferred_time": {"type": "string", "maxLength": 100},
            "department": DEPARTMENT,
        },
        "required": ["reason"],
    },
}
_SUBMIT_COMPLAINT: Json = {
    "name": "submit_complaint",
    "description": "File a complaint of the verified caller and get its case number.",
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "complaint_type": {
                "type": "string",
                "enum": ["service", "fees", "account", "card", "fraud", "staff", "other"],
            },
            "description": {"type": "string", "minLength": 1, "maxLength": 2000},
            "desired_resolution": {"type": "string", "maxLength": 500},
        },
        "required": ["complaint_type", "description"],
    },
}
_ESCALATE_EMERGENCY: Json = {
    "name": "escalate_emergency",
    "description": (
        "Record an emergency with the highest priority, verified caller or not. Then transfer the "
        "call to the queue that the result names."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "emergency_type": {
                "type": "string",
                "enum": [
                    "fraud_in_progress",
                    "security_threat",
                    "safety_concern",
                    "elder_abuse",
                    "other",
                ],
            },
            "description": {"type": "string", "minLength": 1, "maxLength": 2000},
            "client_id": CLIENT_ID_PROPERTY,
        },
        "required": ["emergency_type", "description"],
    },
}
_OPEN = ToolPolicy(has_side_effects=True)
_OWN = ToolPolicy(authentication=Authentication.IDENTIFIED, has_side_effects=True)


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that write something down for the bank's people."""
    for schema, executor, topic, policy in (
        (_SCHEDULE_CALLBACK, schedule_callback, "callback", _OPEN),
        (_SUBMIT_COMPLAINT, submit_complaint, "complaint", _OWN),
        (_ESCALATE_EMERGENCY, escalate_emergency, "emergency", _OPEN),
    ):
        registry.register(
            schema["name"], schema, executor, tags={"escalation", topic}, policy=policy
        )


async def schedule_callback(arguments: Json, context: ToolContext) -> Json:
    """Note a callback in the bank's records; nothing is sent to the caller.

    Raises:
        ToolRetryError: Nobody knows which number to call.
    """
    department, preferred = arguments["department"], arguments.get("preferred_time")
    facts = {
        "phone": await _phone(arguments, context),
        "department": department,
        "reason": arguments["reason"],
        "preferred_time": preferred,
    }
    reference = await write_down(CALLBACKS.name, "CB", facts, context)
    return {
        "success": True,
        "callback_scheduled": True,
        "callback_id": reference,
        "department": department,
        "estimated_callback": preferred,
        "confirmation_sent": False,
        "message": "The callback is noted. No message goes to the caller.",
        "data_source": DATA_SOURCE,
    }


async def submit_complaint(arguments: Json, context: ToolContext) -> Json:
    """File a complaint of the session's own customer."""
    kind = arguments["complaint_type"]
    facts = {
        "kind": "complaint",
        "type": kind,
        "description": arguments["description"],
        "desired_resolution": arguments.get("desired_resolution"),
        "priority": "normal",
    }
    reference = await write_down(CASES.name, "CMP", facts, context)
    return {
        "success": True,
        "complaint_submitted": True,
        "case_id": reference,
        "type": kind,
        "response_timeframe": RESPONSE_TIMEFRAME,
        "escalation_path": ESCALATION_PATH,
        "message": f"The complaint is filed. It is answered within {RESPONSE_TIMEFRAME}.",
        "data_source": DATA_SOURCE,
    }


async def escalate_emergency(arguments: Json, context: ToolContext) -> Json:
    """Record an emergency; ``actions_taken`` names what was done, and nothing else."""
    kind = arguments["emergency_type"]
    facts = {
        "kind": "emergency",
        "type": kind,
        "description": arguments["description"],
        "priority": "critical",
    }
    reference = await write_down(CASES.name, "EMRG", facts, context)
    queues = context.services.transfer_targets
    wanted = _QUEUES.get(kind, "general")
    queue = wanted if wanted in queues else next(iter(sorted(queues)), None)
    return {
        "success": True,
        "emergency_escalation": True,
        "type": kind,
        "priority": "critical",
        "immediate_response": False,
        "reference_id": reference,
        "actions_taken": ["The case was recorded with the highest priority."],
        "next_step": "transfer_call_to_call_center" if queue else "schedule_callback",
        "queue_id": queue,
        "message": (
            "The emergency is recorded; nobody was reached yet. Whoever is in danger should call "
            "the emergency services. Now take the next step."
        ),
        "data_source": DATA_SOURCE,
    }


async def _phone(arguments: Json, context: ToolContext) -> str:
    """The number to call: as given, else of the verified customer, else the caller's own."""
    if "phone_number" in arguments:
        return str(arguments["phone_number"])
    number = context.memo.get_context(CALLER_NUMBER, None)
    known = number if isinstance(number, str) else None
    if context.client_id is not None:
        with nothing_done_yet():
            customer = await Customers(context.services.documents).get(context.client_id)
        known = (customer.phone if customer else None) or known
    if known:
        return known
    raise ToolRetryError("Ask the caller for a phone_number with country code.")
