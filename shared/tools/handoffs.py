"""Passing the caller to another agent.

A handoff only says why, and what the next agent needs to know. Who that is stands in the edges of
the agents; the conversation looks it up and switches. Desks that are people: `people.py`.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from shared.tools.context import CALLER_NAME, ToolContext
from shared.tools.handoff_context import HandoffContext
from shared.tools.policy import ToolPolicy
from shared.tools.registration import CLIENT_ID_PROPERTY, ToolRegistrar
from shared.types import Json

ANY_AGENT_TOOL = "handoff_to_agent"
"""The one tool that may lead to several agents: its ``target_agent`` says to which."""

TARGET_AGENT = "target_agent"

_BY_AGENTS = ToolPolicy(callers=frozenset({"agent"}))
_SHORT: Json = {"type": "string", "maxLength": 200}
_LONG: Json = {"type": "string", "maxLength": 1000}


@dataclass(frozen=True, slots=True)
class Handoff:
    """One handoff tool."""

    tool: str
    topic: str
    description: str
    reason: str
    """The property that says why, in a few words."""
    summary: str | None = None
    """The property that says what was talked about."""
    details: Json = field(default_factory=dict)
    """Further properties."""
    required: tuple[str, ...] = ()
    """No client_id among them: who cannot be verified must reach the desk that verifies."""


HANDOFFS = (
    Handoff(
        tool="handoff_concierge",
        topic="concierge",
        description="Pass the caller back to the concierge once the special matter is settled.",
        reason="previous_topic",
        summary="resolution_summary",
    ),
    Handoff(
        tool="handoff_fraud_agent",
        topic="fraud",
        description=(
            "Pass the caller to the fraud desk: a charge they do not recognize, a lost or stolen "
            "card, a suspicious message."
        ),
        reason="fraud_type",
        summary="issue_summary",
    ),
    Handoff(
        tool="handoff_to_auth",
        topic="auth",
        description="Pass the caller to the desk that verifies who they are.",
        reason="reason",
    ),
    Handoff(
        tool="handoff_card_recommendation",
        topic="cards",
        description="Pass the caller to the card specialist: finding, comparing, applying for one.",
        reason="customer_goal",
        summary="spending_preferences",
        details={"current_cards": {**_LONG, "description": "The cards the caller has today."}},
    ),
    Handoff(
        tool="handoff_investment_advisor",
        topic="investments",
        description="Pass the caller to the desk for investments and retirement.",
        reason="topic",
        summary="retirement_question",
        details={
            "employment_change": {**_SHORT, "description": "A change of job, if that is why."}
        },
    ),
    Handoff(
        tool="handoff_compliance_desk",
        topic="compliance",
        description=(
            "Pass the caller to the compliance desk: a payment that is held or reviewed, questions "
            "about reporting, sanctions or the use of personal data."
        ),
        reason="compliance_issue",
        summary="transaction_details",
        details={"urgency": {"type": "string", "enum": ["normal", "high", "expedited"]}},
    ),
    Handoff(
        tool="handoff_general_kb",
        topic="knowledge",
        description="Pass the caller to the desk for general questions about the bank.",
        reason="topic",
        summary="question",
    ),
    Handoff(
        tool=ANY_AGENT_TOOL,
        topic="any",
        description="Pass the caller to another agent, by name.",
        reason="reason",
        summary="context",
        details={TARGET_AGENT: {**_SHORT, "description": "One of the agents you were told of."}},
        required=(TARGET_AGENT, "reason"),
    ),
)


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that switch agents."""
    for handoff in HANDOFFS:
        registry.register(
            handoff.tool,
            _schema(handoff),
            build_handoff(handoff),
            tags={"handoff", handoff.topic},
            policy=_BY_AGENTS,
            is_handoff=True,
        )


def _schema(handoff: Handoff) -> Json:
    properties: Json = {
        "client_id": CLIENT_ID_PROPERTY,
        handoff.reason: {**_SHORT, "description": "Why, in a few words."},
    }
    if handoff.summary is not None:
        properties[handoff.summary] = {**_LONG, "description": "What the next agent needs to know."}
    return {
        "name": handoff.tool,
        "description": handoff.description,
        "parameters": {
            "type": "object",
            "properties": {**properties, **handoff.details},
            "required": list(handoff.required),
        },
    }


def build_handoff(handoff: Handoff) -> Callable[[Json, ToolContext], Coroutine[Any, Any, Json]]:
    """The executor of one handoff tool."""

    async def hand_over(arguments: Json, context: ToolContext) -> Json:
        along = HandoffContext(
            previous_agent=context.agent,
            reason=arguments.get(handoff.reason),
            summary=arguments.get(handoff.summary) if handoff.summary else None,
            client_id=context.client_id,
            caller_name=_verified_name(context),
            handoff_timestamp=context.services.clock.now().isoformat(),
            details={key: arguments[key] for key in handoff.details if key in arguments},
        )
        return {
            "success": True,
            "handoff": True,
            "message": "The next agent takes over and answers.",
            "handoff_summary": along.summary or along.reason or "",
            "handoff_context": along.as_json(),
        }

    return hand_over


def _verified_name(context: ToolContext) -> str | None:
    name = context.memo.get_context(CALLER_NAME, None) if context.client_id else None
    return name if isinstance(name, str) else None
