"""The stand-in as a process of its own: ``python -m simulator.speech --port 8089``."""

import argparse
import asyncio
import contextlib
import json
import sys

from simulator.speech.server import SpeechStandIn


async def serve(port: int, *, connect_delay_ms: float) -> None:
    """Write one line of JSON that says where it is, and serve until standard input ends."""
    stand_in = SpeechStandIn()
    stand_in.connect_delay_ms = connect_delay_ms
    await stand_in.start(port=port)
    where = {
        "host": stand_in.host_url,
        "endpoint": stand_in.endpoint_url,
        "control": stand_in.control_url,
        "speaks": stand_in.is_voice_available,
        "listens": stand_in.is_recognition_available,
    }
    sys.stdout.write(json.dumps(where) + "\n")
    sys.stdout.flush()
    try:
        await asyncio.to_thread(sys.stdin.read)
    finally:
        await stand_in.aclose()


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="simulator.speech", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--connect-delay-ms", type=float, default=0.0)
    arguments = parser.parse_args()
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(arguments.port, connect_delay_ms=arguments.connect_delay_ms))


if __name__ == "__main__":
    main()
