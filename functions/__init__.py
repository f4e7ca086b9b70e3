"""The triggers: the only code that knows azure.functions."""

from functions import (
    events_calls,
    http_callbacks,
    http_calls,
    http_health,
    http_latency,
    http_mcp,
    http_reports,
    http_sessions,
    http_speech,
    http_tools,
    lifecycle,
)

BLUEPRINTS = (
    events_calls.bp,
    http_callbacks.bp,
    http_calls.bp,
    http_sessions.bp,
    http_latency.bp,
    http_reports.bp,
    http_tools.bp,
    http_mcp.bp,
    http_speech.bp,
    http_health.bp,
    lifecycle.bp,
)
"""Every blueprint; `function_app.py` registers them."""
