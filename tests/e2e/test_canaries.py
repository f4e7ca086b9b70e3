"""A chat, a call and a row of failures full of things that must never be written down."""

import asyncio
import json
from urllib.parse import quote

from simulator.acs import HangUp, Say, Step
from simulator.app_client import AppClient
from simulator.model import Fault, Timing
from simulator.stack import CALLEE, Plan, Stack, Telemetry
from tests.canaries import CANARIES, found_in
from tests.e2e.calls import LIMIT_S, QUICK, SCENARIOS

PLAN = Plan(
    pace=QUICK,
    scenario=SCENARIOS / "echo.yaml",
    timing=Timing(1, 0),
    telemetry=Telemetry.WORKER,  # log lines, too, go out both ways
    settings={"LOG_LEVEL": "DEBUG"},
)
PER_TURN = 12


def _sayings() -> list[str]:
    sentences = [one.sentence for one in CANARIES]
    return ["; ".join(sentences[at : at + PER_TURN]) for at in range(0, len(sentences), PER_TURN)]


async def test_no_sink_holds_what_was_said_in_chats_calls_and_failures() -> None:
    """The session may know them; what operators read may not."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        await _chat(stack, app)
        await _call(stack)
        await _fail(app)
        await stack.hosts[0].stop()  # sends what it has held back
        written = "\n".join(host.output() for host in stack.hosts)
        sent = json.dumps(stack.insights.items, ensure_ascii=False)
    assert "session_id=" in written
    degraded = len(_sayings()) // 6
    assert written.count("turn degraded") == degraded, "each line once"
    assert found_in(written) == []
    assert {one["data"]["baseType"] for one in stack.insights.items} >= {
        *("MessageData", "MetricData", "RemoteDependencyData", "RequestData"),
    }
    assert 0 < sent.count("turn degraded") <= degraded
    assert found_in(sent) == []


async def _chat(stack: Stack, app: AppClient) -> None:
    """Say everything; now and then the model fails, and the words are in what it was sent."""
    _, opened = await app.request("POST", "/api/sessions", {})
    path = f"/api/sessions/{opened['session_id']}"
    for number, saying in enumerate(_sayings()):
        if number % 6 == 5:
            stack.model.inject(Fault("malformed", data=saying), Fault("error"))
        status, _ = await app.request("POST", f"{path}/turns", {"text": saying})
        assert status == 200
    history = str(await app.get(f"{path}/history"))
    assert len(found_in(history)) >= 200, "or nothing was seeded"


async def _call(stack: Stack) -> None:
    """From a number, to a number, with numbers on the line."""
    script: list[Step] = [*(Say(saying) for saying in _sayings()[::9]), HangUp()]
    call = await stack.acs.ring(caller=CANARIES[0].value, callee=CALLEE, script=script)
    await call.ended(LIMIT_S)
    await stack.acs.idle(LIMIT_S)


async def _fail(app: AppClient) -> None:
    """Requests that fail, with something in every part of them."""
    for one in CANARIES[::12]:
        name = quote(one.value)
        await asyncio.gather(
            app.request("GET", f"/api/sessions/{name}"),
            app.request("POST", f"/api/tools/{name}", {"arguments": {}}),
            app.request("POST", "/api/sessions", {"agent": one.value}),
            app.request("POST", f"/api/sessions/{name}/turns", {"text": [one.value]}),
            app.request("POST", "/api/tools/schedule_callback", {"arguments": {one.value: 1}}),
            app.request("POST", f"/api/callbacks/{name}?sig={name}", [{"id": one.value}]),
        )
    phone = CANARIES[3].value
    status, _ = await app.request("POST", "/api/calls", {"to": phone, "reason": phone})
    assert status == 202
