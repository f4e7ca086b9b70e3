"""The trace a tool call leaves in the log: who was refused what, and what was done.

Names, codes and ids only: neither arguments nor results.
"""

from shared.telemetry.logs import get_logger
from shared.tools.context import ToolContext
from shared.tools.definition import ToolDefinition
from shared.types import Json

logger = get_logger(__name__)

_REFUSED = "refused:"


def audit(tool: ToolDefinition | None, context: ToolContext, result: Json) -> None:
    """Note a refusal, and every call of a tool that changes the world; reading leaves no trace.

    Args:
        tool: None if there is no tool of that name; the name is the model's, so it is not kept.
        context: Whose call it was.
        result: What was answered.
    """
    facts = {
        "tool": tool.name if tool else "(unknown)",
        "channel": context.channel,
        "agent": context.agent,
        "session_id": context.session_id,
    }
    error = str(result.get("error", ""))
    if not result["success"] and error.startswith(_REFUSED):
        logger.info("tool refused", extra={**facts, "missing": error.removeprefix(_REFUSED)})
    elif tool and tool.policy.has_side_effects:
        logger.info("tool ran", extra={**facts, "outcome": error or "done"})
