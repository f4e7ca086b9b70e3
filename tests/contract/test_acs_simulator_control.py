"""The control interface does for curl what the library does for a test."""

from typing import Any

import aiohttp
from azure.communication.callautomation import DtmfTone

from tests.contract.acs_simulator_stage import (
    AGENT,
    CALLER,
    build_stage,
    listen,
)

HUMAN = "+15554560000"


async def test_control_interface_rings_and_shows_the_call() -> None:
    """With curl one can do what a test does."""
    async with build_stage() as stage, aiohttp.ClientSession() as http:
        root = f"{stage.sim.endpoint}/_sim"
        steps = [{"say": "hi"}, {"press": "1#"}, {"stay_silent": True}, {"hang_up": True}]
        call = {"caller": CALLER, "callee": AGENT, "script": steps}
        async with http.post(f"{root}/calls", json=call) as response:
            assert response.status == 201
            phone_id = (await response.json())["id"]
        context = stage.app.offers[0]["data"]["incomingCallContext"]
        await stage.client.answer_call(
            context, stage.app.url, cognitive_services_endpoint="https://c"
        )
        await stage.app.wait_for("CallConnected")
        call_id = next(iter(stage.sim.calls))
        connection = stage.client.get_call_connection(call_id)
        for number in range(4):
            await listen(connection, "Yes?", f"r{number}", dtmf_stop_tones=[DtmfTone.POUND])
        await stage.sim.phone_calls[phone_id].ended(5)
        async with http.get(f"{root}/calls/{phone_id}") as response:
            shown = await response.json()
        kinds = [entry["kind"] for entry in shown["transcript"] if entry["kind"] != "heard"]
        assert kinds == ["connected", "said", "pressed", "silentfor", "ended"]
        assert shown["callConnectionId"] == call_id
        assert shown["isOver"] is True
        async with http.get(f"{root}/calls/nobody") as response:
            assert response.status == 404


async def test_control_interface_changes_chaos_and_people() -> None:
    """What cannot be read is refused and changes nothing."""
    async with build_stage() as stage, aiohttp.ClientSession() as http:
        root = f"{stage.sim.endpoint}/_sim"
        good = {
            "duplicate": 1,
            "delay_ms": [1, 2],
            "drop_types": ["PlayCompleted"],
            "jwks_down": True,
            "rest_faults": [{"operation": "play", "status": 503, "times": 2}],
        }
        async with http.put(f"{root}/chaos", json=good) as response:
            assert response.status == 204
        chaos = stage.sim.chaos
        assert (chaos.duplicate, chaos.delay_ms) == (1.0, (1.0, 2.0))
        assert chaos.drop_types == {"PlayCompleted"}
        assert chaos.rest_faults[0].times == 2
        bodies: list[Any] = [
            {"nonsense": 1},
            {"seed": 3, "jwks_down": 1},
            {"rest_faults": [{}]},
            [1],
        ]
        for bad in bodies:
            async with http.put(f"{root}/chaos", json=bad) as response:
                assert response.status == 400
        assert chaos.seed == 0
        async with http.put(f"{root}/phones/{HUMAN}", json={"outcome": "busy"}) as response:
            assert response.status == 204
        assert stage.sim.phones[HUMAN].outcome == "busy"
        for bad_step in ([{"press": "x"}], [{"sing": "la"}], "say hi"):
            call = {"caller": CALLER, "callee": AGENT, "script": bad_step}
            async with http.post(f"{root}/calls", json=call) as response:
                assert response.status == 400
        async with http.post(f"{root}/calls", data="{") as response:
            assert response.status == 400
