"""Every figure we claim, in one run: ``make bench``."""

import asyncio
import logging
import os
import sys

from simulator.redis_server import RedisServer
from tests.bench import (
    bench_call,
    bench_documents,
    bench_import,
    bench_knowledge,
    bench_logs,
    bench_package,
    bench_pool,
    bench_speech,
    bench_state,
    bench_telemetry,
    bench_tools,
)


async def main(redis_url: str) -> None:
    """Run them one after the other: they would disturb each other."""
    for line in (*bench_import.run(), "", *bench_package.run()):
        print(line)
    for measured in (
        bench_state.run(redis_url),
        bench_call.run(redis_url),
        bench_pool.run(),
        bench_speech.run(redis_url),
        bench_telemetry.run(redis_url),
        bench_logs.run(),
        bench_documents.run(),
        bench_tools.run(redis_url),
        bench_knowledge.run(),
    ):
        print()
        for line in await measured:
            print(line, flush=True)


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("voice_agent").setLevel(logging.ERROR)
    with RedisServer() as server:
        print(f"{server.flavour}, Python {sys.version.split()[0]}, {os.cpu_count()} cores\n")
        asyncio.run(main(server.url))
