"""Everything up until Ctrl-C, with three things to try: ``python -m simulator.run``."""

import argparse
import asyncio
import contextlib
import logging
import signal
from pathlib import Path

from simulator.acs import Pace
from simulator.stack import CALLEE, CALLER, Plan, Ports, Stack

LOGS = Path(".run")
DATABASE = LOGS / "cosmos.sqlite"


async def main(instances: int, speed: float, ports: Ports) -> None:
    """Bring everything up, say where it is, wait for Ctrl-C."""
    pace = Pace(speed=speed, ring_s=30 * speed, context_s=300 * speed)
    plan = Plan(
        instances=instances,
        pace=pace,
        ports=ports,
        log_folder=LOGS,
        cosmos_file=DATABASE,
        knowledge_folder=LOGS,
    )
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stopped.set)
    async with Stack(plan) as stack:
        print(_welcome(stack), flush=True)
        await stopped.wait()


def _welcome(stack: Stack) -> str:
    app, acs, key = stack.front_door.url, stack.acs.endpoint, stack.function_key
    instances = ", ".join(host.url for host in stack.hosts)
    return f"""
The app         {app}   ({instances})
Function key    {key}
ACS stand-in    {acs}   calls, phones and chaos under /_sim/
Model stand-in  {stack.model.base_url}
Speech stand-in {stack.speech.host_url}   faults and transcripts under {stack.speech.control_url}/_sim/
Cosmos stand-in {stack.cosmos.endpoint}   faults and requests under /_sim/; kept in {DATABASE}
Knowledge       {stack.knowledge}
Redis           {stack.redis.url}   ({stack.redis.flavour})
Logs            {LOGS}/

Chat with the agent:
  curl -s -X POST {app}/api/sessions -H 'x-functions-key: {key}'

Run a tool:
  curl -s -X POST {app}/api/tools/search_knowledge_base -H 'x-functions-key: {key}' \\
    -d '{{"arguments": {{"query": "fee refund policy", "collection": "policies"}}}}'

Let the phone ring, then read what was said (the id is in the first answer):
  curl -s -X POST {acs}/_sim/calls -H 'content-type: application/json' \\
    -d '{{"caller": "{CALLER}", "callee": "{CALLEE}", "script": [{{"say": "What is your fee refund policy?"}}]}}'
  curl -s {acs}/_sim/calls

Read the text messages and e-mails, with their codes:
  curl -s {acs}/_sim/messages

Ctrl-C stops everything.
"""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=int, default=1, help="how many hosts serve the app")
    parser.add_argument("--speed", type=float, default=1.0, help="how much faster people speak")
    parser.add_argument("--port", type=int, default=7071, help="of the app; 0 takes a free one")
    parser.add_argument("--acs-port", type=int, default=7072, help="of the ACS stand-in")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    arguments = _arguments()
    LOGS.mkdir(exist_ok=True)
    listen = Ports(front_door=arguments.port, acs=arguments.acs_port)
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(main(arguments.instances, arguments.speed, listen))
