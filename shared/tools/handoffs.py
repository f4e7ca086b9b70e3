"""Passing the caller to another agent.

A handoff only says who should take over and what they need to know; the conversation switches.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from shared.tools.banking import CLIENT_ID_PROPERTY
from shared.tools.context import CALLER_NAME, ToolContext
from shared.tools.policy import ToolPolicy
from shared.tools.registration import ToolRegistrar
from shared.types import Json

_BY_AGENTS = ToolPolicy(callers=frozenset({"agent"}))


@dataclass(frozen=True, slots=True)
class Handoff:
    """One handoff tool."""

    tool: str
    target_agent: str
    topic: str
    description: str
    reason: str
    """The property that says why, in a few words."""
    summary: str
    """The property that says what was talked about."""


HANDOFFS = (
    Handoff(
        tool="handoff_concierge",
        target_agent="concierge",
        topic="concierge",
        description="Pass the caller back to the concierge once the special matter is settled.",
        reason="previous_topic",
        summary="resolution_summary",
    ),
    Handoff(
        tool="handoff_fraud_agent",
        target_agent="fraud",
        topic="fraud",
        description=(
            "Pass the caller to the fraud desk: a charge they do not recognize, a lost or stolen "
            "card, a suspicious message."
        ),
        reason="fraud_type",
        summary="issue_summary",
    ),
)


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that switch agents."""
    for handoff in HANDOFFS:
        registry.register(
            handoff.tool,
            {
                "name": handoff.tool,
                "description": handoff.description,
                "parameters": {
                    "type": "object",
                    "properties": {
                        "client_id": CLIENT_ID_PROPERTY,
                        handoff.reason: {
                            "type": "string",
                            "maxLength": 200,
                            "description": "Why, in a few words.",
                        },
                        handoff.summary: {
                            "type": "string",
                            "maxLength": 1000,
                            "description": "What the next agent needs to know.",
                        },
                    },
                },
            },
            build_handoff(handoff),
            tags={"handoff", handoff.topic},
            policy=_BY_AGENTS,
            is_handoff=True,
        )


def build_handoff(handoff: Handoff) -> Callable[[Json, ToolContext], Coroutine[Any, Any, Json]]:
    """The executor of one handoff tool."""

    async def hand_over(arguments: Json, context: ToolContext) -> Json:
        facts: Json = {
            **arguments,
            # Whom the session has verified, never whom the model names.
            "client_id": context.client_id,
            "caller_name": context.memo.get_context(CALLER_NAME, None)
            if context.client_id
            else None,
            "previous_agent": context.agent,
            "reason": arguments.get(handoff.reason),
            "summary": arguments.get(handoff.summary),
            "handoff_timestamp": context.services.clock.now().isoformat(),
        }
        return {
            "success": True,
            "handoff": True,
            "target_agent": handoff.target_agent,
            "message": f"{handoff.target_agent} takes over.",
            "handoff_context": {key: value for key, value in facts.items() if value is not None},
        }

    return hand_over
