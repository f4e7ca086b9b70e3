"""What the end-to-end tests share: a quick stack, and what can be seen of a call."""

from pathlib import Path
from typing import Any

from simulator.acs import Ended, Pace, PhoneCall, Say
from simulator.app_client import AppClient
from simulator.stack import CALLEE, CALLER, Stack

SCENARIOS = Path(__file__).with_name("scenarios")
QUICK = Pace(speed=40, ring_s=1200, context_s=12_000)
"""People speak forty times as fast; the phone still rings for thirty real seconds."""

LIMIT_S = 60.0


async def play(stack: Stack, lines: tuple[str, ...] | None = None) -> PhoneCall:
    """Let the scenario's caller make a call, to its end."""
    call = await ring(stack, lines)
    await call.ended(LIMIT_S)
    return call


async def ring(stack: Stack, lines: tuple[str, ...] | None = None) -> PhoneCall:
    """Let the scenario's caller call."""
    script = stack.acs.reader([Say(line) for line in lines or stack.script.caller])
    return await stack.acs.ring(caller=CALLER, callee=CALLEE, script=script)


async def look(stack: Stack, app: AppClient, call: PhoneCall) -> dict[str, Any]:
    """The session's state and history once the app knows that the call is over."""
    assert call.call_connection_id is not None
    session_id = app.session_of(call.call_connection_id)
    await stack.acs.idle(LIMIT_S)
    session = await app.get(f"/api/sessions/{session_id}")
    history = await app.get(f"/api/sessions/{session_id}/history")
    return {**session, "history": history["messages"]}


def spoken(call: PhoneCall) -> list[str]:
    """What the caller heard, in order."""
    return [one.text for one in call.heard]


def words(session: dict[str, Any]) -> list[tuple[str, str]]:
    """Who said what, as the app remembers it."""
    return [
        (one["role"], one["content"])
        for one in session["history"]
        if one["role"] in ("user", "assistant") and one.get("content")
    ]


def tool_results(session: dict[str, Any]) -> list[str]:
    """What the tools answered, as the app remembers it."""
    return [one["content"] for one in session["history"] if one["role"] == "tool"]


def recordings_of(session: dict[str, Any]) -> list[str]:
    """The texts of the call's recordings, as far as the app has them."""
    context: dict[str, Any] = session["context"]
    return [one["text"] for key, one in context.items() if key.startswith("recording:")]


def reason_of(call: PhoneCall) -> str:
    """Why the call is over."""
    last = call.transcript[-1]
    assert isinstance(last, Ended)
    return last.reason.value
