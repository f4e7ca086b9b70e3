"""Desks where people work, and no agent: they are reached by phone, now or later.

Why these are no handoffs stands in ``docs/adr``: there is no agent behind them, and a tool that
names one would leave the caller with nobody.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from shared.tools.context import ToolContext
from shared.tools.escalation import DEFAULT_QUEUE, transfer_call_to_call_center
from shared.tools.policy import ToolPolicy
from shared.tools.registration import CLIENT_ID_PROPERTY, ToolRegistrar
from shared.tools.service_requests import schedule_callback
from shared.types import Json

_SHORT: Json = {"type": "string", "maxLength": 200}
_LONG: Json = {"type": "string", "maxLength": 500}


@dataclass(frozen=True, slots=True)
class PeopleDesk:
    """One desk that answers the phone."""

    tool: str
    queue: str
    """Its queue among the transfer targets; without one of its own, the caller goes to general."""
    description: str
    properties: Json
    required: tuple[str, ...] = ()
    tags: frozenset[str] = field(default_factory=frozenset)


DESKS = (
    PeopleDesk(
        tool="handoff_to_trading",
        queue="trading",
        description="Connect the caller with the trading desk: orders, complex or large trades.",
        properties={
            "client_id": CLIENT_ID_PROPERTY,
            "trade_details": _LONG,
            "complexity_level": {"type": "string", "enum": ["standard", "institutional"]},
        },
        tags=frozenset({"trading"}),
    ),
    PeopleDesk(
        tool="handoff_transfer_agency_agent",
        queue="transfer_agency",
        description=(
            "Connect the caller with the transfer agency: registered shares, dividends and their "
            "reinvestment."
        ),
        properties={
            "client_id": CLIENT_ID_PROPERTY,
            "request_type": _SHORT,
            "client_code": _SHORT,
            "drip_symbols": _SHORT,
        },
        tags=frozenset({"investments"}),
    ),
    PeopleDesk(
        tool="handoff_policy_advisor",
        queue="insurance",
        description="Connect the caller with an insurance advisor: a policy they have or want.",
        properties={
            "client_id": CLIENT_ID_PROPERTY,
            "caller_name": _SHORT,
            "policy_type": _SHORT,
            "request_type": _SHORT,
            "policy_number": _SHORT,
        },
        tags=frozenset({"insurance"}),
    ),
    PeopleDesk(
        tool="handoff_fnol_agent",
        queue="claims",
        description="Connect the caller with the claims desk to report a loss.",
        properties={
            "client_id": CLIENT_ID_PROPERTY,
            "caller_name": _SHORT,
            "incident_type": _SHORT,
            "incident_date": _SHORT,
            "policy_number": _SHORT,
            "urgency": {"type": "string", "enum": ["normal", "high", "expedited"]},
        },
        tags=frozenset({"insurance"}),
    ),
    PeopleDesk(
        tool="handoff_subro_agent",
        queue="subrogation",
        description="Connect another insurer's claims handler with the subrogation desk.",
        properties={
            "claim_number": _SHORT,
            "cc_company": _SHORT,
            "caller_name": _SHORT,
            "claimant_name": _SHORT,
            "loss_date": _SHORT,
            "inquiry_type": _SHORT,
        },
        required=("claim_number",),
        tags=frozenset({"insurance"}),
    ),
)

_BANK_ADVISOR: Json = {
    "name": "handoff_bank_advisor",
    "description": (
        "Have an advisor of the bank call the caller back about investments. Nobody is connected "
        "now."
    ),
    "parameters": {
        "type": "object",
        "properties": {
            "client_id": CLIENT_ID_PROPERTY,
            "reason": {"type": "string", "minLength": 1, "maxLength": 200},
            "phone_number": {
                "type": "string",
                "pattern": r"^\+[1-9][0-9]{7,14}$",
                "description": "Only if the caller names one; with country code.",
            },
            "context": {**_LONG, "maxLength": 290, "description": "What the advisor should know."},
        },
        "required": ["reason"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that lead to these desks."""
    by_agents = ToolPolicy(callers=frozenset({"agent"}))
    for desk in DESKS:
        schema: Json = {
            "name": desk.tool,
            "description": desk.description,
            "parameters": {
                "type": "object",
                "properties": desk.properties,
                "required": list(desk.required),
            },
        }
        # No handoff among the tags of the registry's sense: no agent takes over.
        tags = {"handoff", "transfer", *desk.tags}
        registry.register(desk.tool, schema, build_transfer(desk), tags=tags, policy=by_agents)
    registry.register(
        "handoff_bank_advisor",
        _BANK_ADVISOR,
        handoff_bank_advisor,
        tags={"handoff", "callback", "investments"},
        policy=ToolPolicy(has_side_effects=True, callers=frozenset({"agent"})),
    )


def build_transfer(desk: PeopleDesk) -> Callable[[Json, ToolContext], Coroutine[Any, Any, Json]]:
    """The executor that asks for the transfer of the call to *desk*."""

    async def connect(arguments: Json, context: ToolContext) -> Json:
        queues = context.services.transfer_targets
        queue_id = desk.queue if desk.queue in queues else DEFAULT_QUEUE
        reason = f"{desk.tool.removeprefix('handoff_')}: {_told(arguments)}"
        return await transfer_call_to_call_center(
            {"queue_id": queue_id, "reason": reason[:500]}, context
        )

    return connect


async def handoff_bank_advisor(arguments: Json, context: ToolContext) -> Json:
    """Note that an advisor is to call back.

    Raises:
        ToolRetryError: Nobody knows which number to call.
    """
    along = f" ({arguments['context']})" if arguments.get("context") else ""
    number = {key: arguments[key] for key in ("phone_number",) if key in arguments}
    return await schedule_callback(
        {"reason": arguments["reason"] + along, "department": "investments", **number}, context
    )


def _told(arguments: Json) -> str:
    return ", ".join(f"{key} {value}" for key, value in arguments.items() if key != "client_id")
