"""The stand-in by itself: prints its connection string and runs until it is stopped."""

import asyncio
import sys

from simulator.appinsights.server import AppInsights


async def serve(port: int) -> None:
    """Listen until the process ends."""
    insights = AppInsights()
    await insights.start(port=port)
    sys.stdout.write(f"{insights.connection_string}\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    try:
        asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
    except KeyboardInterrupt:
        sys.exit(0)
