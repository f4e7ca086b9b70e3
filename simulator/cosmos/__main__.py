"""The stand-in as a process of its own: ``python -m simulator.cosmos --file cosmos.sqlite``."""

import argparse
import asyncio
import contextlib
import json
import sys
from pathlib import Path

from simulator.cosmos.seed import seed_containers, seed_records
from simulator.cosmos.server import EMULATOR_KEY, CosmosStandIn


async def serve(arguments: argparse.Namespace) -> None:
    """Write one line of JSON that says where it is, and serve until standard input ends."""
    stand_in = CosmosStandIn(key=arguments.key, file=arguments.file)
    where = {"key": stand_in.key}
    if arguments.containers is not None:
        where["database"] = seed_containers(stand_in.store, arguments.containers)
        if arguments.records is not None:
            seed_records(stand_in.store, where["database"], arguments.records)
    await stand_in.start(port=arguments.port)
    where["endpoint"] = stand_in.endpoint
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await stand_in.aclose()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="simulator.cosmos", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--file", type=Path, help="keeps everything; else it is forgotten")
    parser.add_argument("--key", default=EMULATOR_KEY, help="of the account, in base64")
    parser.add_argument("--containers", type=Path, help="YAML: what to create")
    parser.add_argument("--records", type=Path, help="YAML: what to store in the containers")
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
