"""One call from the first ring to a person, as it happens: ``python -m simulator.demo``.

The caller really speaks where this machine has a voice engine, and the app is told what is
recognized. Exits with 0 if everything was said and done, else with 1 and the reason; a caller who
was misheard (with ``--open-vocabulary``) may end up somewhere else, and that is no failure.
"""

import argparse
import asyncio
import logging
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simulator.acs import (
    Connected,
    Ended,
    Entry,
    Heard,
    Pace,
    PhoneCall,
    Recognized,
    Said,
    Say,
    Transferred,
)
from simulator.app_client import AppClient
from simulator.appinsights import waterfall
from simulator.bill import bill
from simulator.knowledge import sources_in
from simulator.sound_files import keep_sound
from simulator.stack import CALLEE, CALLER, Plan, Stack, Telemetry
from simulator.verdict import failures_of, misheard, missed_goals

CALL_LIMIT_S = 90.0
IDLE_LIMIT_S = 30.0
KEPT = Path(".run")
"""What the next run finds again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asks for."""

    speed: float = 8.0
    instances: int = 1
    is_spoken: bool = True
    has_open_vocabulary: bool = False
    wav_folder: Path | None = None


class Narrator:
    """Prints a call as it goes on, and what each turn was made of."""

    def __init__(self, call: PhoneCall, app: AppClient) -> None:
        self._call = call
        self._app = app
        self._is_terminal = sys.stdout.isatty()
        self._answered = 0
        self._said = ""
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
                self._said = text
                self._line("caller", text)
            case Recognized(text=text) if text != self._said:
                self._line("heard as", text or "(nothing)")
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


async def run(stack: Stack, *, wav_folder: Path | None = None) -> list[str]:
    """Play the scenario's call, and keep its sound if asked to; return what went wrong."""
    lines = stack.script.caller
    script = stack.acs.reader([Say(line) for line in lines])
    call = await stack.acs.ring(caller=CALLER, callee=CALLEE, script=script)
    async with AppClient(stack) as app:
        narrator = Narrator(call, app)
        try:
            async with asyncio.timeout(CALL_LIMIT_S):
                await narrator.follow()
        except TimeoutError:
            return [f"the call did not end within {CALL_LIMIT_S:.0f} s"]
        if call.call_connection_id is None:
            return ["the call was never answered"]
        # The line is dead, but the app may not have been told yet.
        await stack.acs.idle(IDLE_LIMIT_S)
        session_id = app.session_of(call.call_connection_id)
        session = await app.get(f"/api/sessions/{session_id}")
        history = await app.get(f"/api/sessions/{session_id}/history")
        pools = await app.get("/api/pools")
    print_facts(stack, call, narrator.tools, session, pools)
    print(f"knowledge source {', '.join(sources_in(history['messages']))}")
    if wav_folder is not None:
        await keep(call, wav_folder, is_audible=stack.voicebox.is_audible)
    failures, missed = failures_of(call, session), missed_goals(call, session, lines)
    if stack.plan.telemetry is not Telemetry.NONE:
        failures += await print_trace(stack, session_id)
    print(bill(session["cost"]))
    if missed and stack.plan.has_open_vocabulary and (count := misheard(call)):
        print(f"\n{count} of {len(call.said)} lines were misheard, so the call went another way:")
        print("\n".join(f"  {goal}" for goal in missed))
        return failures
    return failures + missed


async def print_trace(stack: Stack, session_id: str) -> list[str]:
    """Print the call as Application Insights got it; return what went wrong."""
    has_ended = await stack.insights.has_span(session_id, "event CallEnded", within_s=IDLE_LIMIT_S)
    print(f"\ntrace     {waterfall(stack.insights.items, session_id)}")
    return [] if has_ended else ["the end of the call did not arrive as telemetry"]


async def keep(call: PhoneCall, folder: Path, *, is_audible: bool) -> None:
    """Keep the sound of the call."""
    if not is_audible:
        print("sound     none to keep: nobody spoke")
        return
    files = await keep_sound(call.tape, folder)
    print(f"sound     {files[0]}, and {len(files) - 1} files beside it with one utterance each")


def print_facts(
    stack: Stack, call: PhoneCall, tools: list[str], session: dict[str, Any], pools: dict[str, Any]
) -> None:
    """Print what is left of the call when it is over."""
    silences = call.silences_ms
    asked = [one.operation for one in stack.acs.requests]
    built = ", ".join(f"{name} {ms:.0f}" for name, ms in pools["built_ms"].items() if ms >= 1)
    warm = "; ".join(
        f"{name}: {one['idle']} idle of {one['alive']}, handed out"
        f" {one['metrics']['allocations_warm']} warm, {one['metrics']['allocations_cold']} cold"
        for name, one in pools["pools"].items()
    )
    redis = ", ".join(f"{value} {name.replace('_', ' ')}" for name, value in pools["redis"].items())
    print(f"""
silence   median {statistics.median(silences):.0f} ms, longest {max(silences):.0f} ms, \
{len(silences)} answers
{_recognition(call)}tools     {", ".join(tools)}
session   {session["session_id"]}
          outcome {session["outcome"]}, agent {session["agent"]}, {session["turn"]} turns, \
caller verified: {session["context"].get("authenticated", False)}
commands  {", ".join(f"{asked.count(name)} {name}" for name in dict.fromkeys(asked))}
pools     redis: {redis}
          {warm}
          built in ms: {built}""")


def _recognition(call: PhoneCall) -> str:
    """How long the recognition took; that is the service's time and no part of the silence."""
    took = [one.recognition_ms for one in call.transcript if isinstance(one, Recognized)]
    if not took:
        return ""
    return (
        f"listening median {statistics.median(took):.0f} ms, longest {max(took):.0f} ms from the"
        " sound to its words (the service's time, before the silence begins)\n"
    )


def who_speaks(stack: Stack) -> str:
    """How the caller's lines reach the app."""
    if stack.voicebox.is_audible:
        grammar = "any English" if stack.plan.has_open_vocabulary else "the lines of the scenario"
        return (
            f"The caller speaks with the voice of {stack.caller_voice}; the app is told what"
            f" pocketsphinx recognized ({grammar}), printed where it differs."
        )
    if not stack.plan.is_spoken:
        return "Nobody speaks: the caller's lines reach the app as text."
    return (
        "No voice engine here (flite or espeakng-loader, and pocketsphinx): the caller's lines"
        " reach the app as text."
    )


async def main(options: Options) -> int:
    """Bring everything up, play the call, take everything down."""
    started_at, speed = time.monotonic(), options.speed
    # The phone rings in real time however fast people speak: the app needs real time to answer.
    pace = Pace(speed=speed, ring_s=30 * speed, context_s=300 * speed)
    plan = Plan(
        instances=options.instances,
        pace=pace,
        is_spoken=options.is_spoken,
        has_open_vocabulary=options.has_open_vocabulary,
        telemetry=Telemetry.APP,
        knowledge_folder=KEPT,
    )
    async with Stack(plan) as stack:
        print(
            f"Up in {time.monotonic() - started_at:.1f} s: {stack.redis.flavour}, ACS and Event"
            f" Grid and Speech stand-ins, a scripted model, {options.instances} instance(s) of the"
            f" app. People speak {speed:g} times as fast as they would; silences are real.\n"
            f"{who_speaks(stack)}\nKnowledge: {stack.knowledge}.\n",
            flush=True,
        )
        problems = await run(stack, wav_folder=options.wav_folder)
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


def _options() -> Options:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--speed", type=float, default=8.0, help="how much faster people speak")
    parser.add_argument("--instances", type=int, default=1, help="how many hosts serve the app")
    parser.add_argument("--wav", type=Path, metavar="DIR", help="keep the sound of the call there")
    parser.add_argument("--text", action="store_true", help="nobody speaks; lines go over as text")
    parser.add_argument(
        "--open-vocabulary", action="store_true", help="recognize any English, slowly and badly"
    )
    given = parser.parse_args()
    return Options(
        speed=given.speed,
        instances=given.instances,
        is_spoken=not given.text,
        has_open_vocabulary=given.open_vocabulary,
        wav_folder=given.wav,
    )


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(asyncio.run(main(_options())))
