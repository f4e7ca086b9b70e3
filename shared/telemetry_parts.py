"""How telemetry begins; `shared.resources` does that before it builds the first part."""

import asyncio

from shared.errors import AppError
from shared.settings import Settings
from shared.telemetry.configuration import configure_tracing, flush_at_the_end
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)


async def begin_telemetry(settings: Settings) -> None:
    """Send spans and measurements from now on; without them the app works all the same."""
    try:
        is_sent = await asyncio.to_thread(
            configure_tracing,
            settings.service_name,
            settings.service_version,
            settings.otlp_endpoint,
            connection_string=settings.applicationinsights_connection_string or "",
            may_hold_content=settings.trace_content,
        )
    except (AppError, OSError, RuntimeError, ValueError) as error:
        # The SDK's own troubles, too, such as a folder that cannot be written: callers come first.
        logger.error("telemetry not configured", extra={"error": type(error).__name__})
        return
    will_flush = flush_at_the_end()
    logger.info("telemetry configured", extra={"is_sent": is_sent, "will_flush": will_flush})
