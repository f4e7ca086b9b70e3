"""What is told of a tool's run: a span and a duration, by what came of it."""

import json
import re
from collections.abc import Awaitable

from shared.telemetry import names
from shared.telemetry.metrics import REFUSALS, TOOL_DURATION, record
from shared.telemetry.tracing import Attributes, Span, holds_content, span
from shared.tools.context import ToolContext
from shared.tools.failures import OUTCOME_UNKNOWN
from shared.types import Json

UNKNOWN_TOOL = "unknown"
"""Stands for a name that the model or a client has made up."""

_CODE = re.compile(r"[a-z_:]{1,40}")


async def observed(
    tool: str, arguments: object, context: ToolContext, run: Awaitable[Json]
) -> Json:
    """Await *run* of the registered tool *tool*, and tell of it."""
    clock = context.services.clock
    facts: Attributes = {names.GEN_AI_OPERATION: names.SPAN_TOOL, names.GEN_AI_TOOL: tool}
    started_at = clock.monotonic()
    with span(f"{names.SPAN_TOOL} {tool}", facts) as running:
        running.set(names.GEN_AI_AGENT, context.agent)
        running.set(names.GEN_AI_CONVERSATION, context.session_id)
        if holds_content():
            running.set(names.TOOL_ARGUMENTS, json.dumps(arguments, default=str))
        result = await run
        outcome = _note(running, result)
    duration_ms = (clock.monotonic() - started_at) * 1000
    record(TOOL_DURATION, duration_ms, {"tool": tool, "outcome": outcome})
    if outcome == "refused":
        record(REFUSALS, 1, {"what": "tool"})
    return result


def _note(running: Span, result: Json) -> str:
    """Note what came of it; a refusal is the policy at work, and no failure."""
    if result.get("success"):
        running.set(names.TOOL_OUTCOME, "ok")
        return "ok"
    error = str(result.get("error", ""))
    code = error if _CODE.fullmatch(error) else "failed"  # else it is a sentence for the model
    running.set(names.TOOL_OUTCOME, code)
    if code.startswith("refused"):
        return "refused"
    running.fail(code)
    return "unknown" if code == OUTCOME_UNKNOWN else "failed"
