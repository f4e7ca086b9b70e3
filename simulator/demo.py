"""One call from the first ring to a person, as it happens: ``python -m simulator.demo``.

Exits with 0 if everything was said and done, else with 1 and the reason.
"""

import argparse
import asyncio
import logging
import statistics
import sys
import time
from typing import Any

from simulator.acs import (
    Connected,
    Ended,
    EndReason,
    Entry,
    Heard,
    Pace,
    PhoneCall,
    Said,
    Say,
    Transferred,
)
from simulator.app_client import AppClient
from simulator.stack import CALLEE, CALLER, Plan, Stack

CALL_LIMIT_S = 90.0


class Narrator:
    """Prints a call as it goes on, and what each turn was made of."""

    def __init__(self, call: PhoneCall, app: AppClient) -> None:
        self._call = call
        self._app = app
        self._is_terminal = sys.stdout.isatty()
        self._answered = 0
        self.tools: list[str] = []

    async def follow(self) -> None:
        """Print until the line is dead."""
        async for entry in self._call:
            if isinstance(entry, Said | Ended):
                await self._explain_reply()
            self._print_entry(entry)

    def _print_entry(self, entry: Entry) -> None:
        match entry:
            case Connected(at_s):
                self._line("phone", f"{CALLER} calls {CALLEE}, answered after {at_s * 1000:.0f} ms")
            case Heard(text=text):
                self._line("agent", text)
            case Said(text=text):
                self._line("caller", text)
            case Transferred(to=to, outcome=outcome):
                self._line("phone", f"transfer to {to}: {outcome}")
            case Ended(reason=reason):
                self._line("phone", f"the call is over: {reason.value}")

    async def _explain_reply(self) -> None:
        """Say how long the caller waited for the reply that has just ended, and for what."""
        silences = self._call.silences_ms
        if len(silences) <= self._answered:
            return
        silence_ms = silences[self._answered]
        self._answered += 1
        # The greeting is turn 1, so the first answer is turn 2.
        record = await self._turn_record(self._answered + 1)
        stages = {name.replace("_", " "): ms for name, ms in record["stages_ms"].items()}
        stages["on the line"] = silence_ms - sum(stages.values())
        parts = " + ".join(f"{name} {ms:.1f}" for name, ms in stages.items())
        self._line("", f"silence {silence_ms:.0f} ms = {parts}", dim=True)
        tools = [f"{one['name']} {one['ms']:.1f} ms" for one in record["tools"]]
        if tools:
            self._line("", f"tools {', '.join(tools)}", dim=True)
        self.tools += [one["name"] for one in record["tools"]]

    async def _turn_record(self, turn: int) -> dict[str, Any]:
        assert self._call.call_connection_id is not None
        session_id = self._app.session_of(self._call.call_connection_id)
        session = await self._app.get(f"/api/sessions/{session_id}")
        found: dict[str, Any] = next(one for one in session["turns"] if one["turn"] == turn)
        return found

    def _line(self, who: str, text: str, *, dim: bool = False) -> None:
        if dim and self._is_terminal:
            text = f"\033[2m{text}\033[0m"
        print(f"{who:>8}  {text}", flush=True)


async def run(stack: Stack) -> list[str]:
    """Play the scenario's call; return what went wrong."""
    lines = stack.script.caller
    call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=[Say(line) for line in lines])
    async with AppClient(stack) as app:
        narrator = Narrator(call, app)
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await narrator.follow()
        except TimeoutError:
            return [f"the call did not end within {CALL_LIMIT_S:.0f} s"]
        if call.call_connection_id is None:
            return ["the call was never answered"]
        session_id = app.session_of(call.call_connection_id)
        session = await app.get(f"/api/sessions/{session_id}")
        pools = await app.get("/api/pools")
    print_facts(stack, call, narrator.tools, session, pools)
    return problems_of(call, session, lines)


def print_facts(
    stack: Stack, call: PhoneCall, tools: list[str], session: dict[str, Any], pools: dict[str, Any]
) -> None:
    """Print what is left of the call when it is over."""
    silences = call.silences_ms
    asked = [one.operation for one in stack.acs.requests]
    built = ", ".join(f"{name} {ms:.0f}" for name, ms in pools["built_ms"].items() if ms >= 1)
    redis = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in pools["redis"].items())
    print(f"""
silence   median {statistics.median(silences):.0f} ms, longest {max(silences):.0f} ms, \
{len(silences)} answers
tools     {", ".join(tools)}
session   {session["session_id"]}
          outcome {session["outcome"]}, agent {session["agent"]}, {session["turn"]} turns, \
caller verified: {session["context"].get("authenticated", False)}
commands  {", ".join(f"{asked.count(name)} {name}" for name in dict.fromkeys(asked))}
pools     redis: {redis}
          built in ms: {built}""")


def problems_of(call: PhoneCall, session: dict[str, Any], lines: tuple[str, ...]) -> list[str]:
    """What did not go as it should have."""
    ended = call.transcript[-1]
    checks = {
        "the caller did not get to say everything": len(call.said) == len(lines),
        "an utterance got no answer": len(call.silences_ms) == len(lines),
        "the caller was not verified": session["context"].get("authenticated") is True,
        "the caller did not reach the fraud desk": session["agent"] == "fraud",
        "the caller was not transferred": isinstance(ended, Ended)
        and ended.reason is EndReason.TRANSFERRED,
        "the app does not know how the call ended": session["outcome"] == "transferred",
    }
    return [problem for problem, is_well in checks.items() if not is_well]


async def main(speed: float, instances: int) -> int:
    """Bring everything up, play the call, take everything down."""
    started_at = time.monotonic()
    # The phone rings in real time however fast people speak: the app needs real time to answer.
    pace = Pace(speed=speed, ring_s=30 * speed, context_s=300 * speed)
    async with Stack(Plan(instances=instances, pace=pace)) as stack:
        print(
            f"Up in {time.monotonic() - started_at:.1f} s: {stack.redis.flavour}, ACS and Event"
            f" Grid stand-ins, a scripted model, {instances} instance(s) of the app."
            f" People speak {speed:g} times as fast as they would; silences are real.\n",
            flush=True,
        )
        problems = await run(stack)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=8.0, help="how much faster people speak")
    parser.add_argument("--instances", type=int, default=1, help="how many hosts serve the app")
    return parser.parse_args()


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    arguments = _arguments()
    sys.exit(asyncio.run(main(arguments.speed, arguments.instances)))
