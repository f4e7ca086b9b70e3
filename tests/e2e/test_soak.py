"""Everything that can go wrong at once, differently each time: the call still reaches a person."""

from random import Random

import pytest

from simulator.acs import Chaos, RestFault
from simulator.app_client import AppClient
from simulator.event_grid import Chaos as GridChaos
from simulator.model import Fault
from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK, look, play, reason_of

OPERATIONS = ("answer", "play", "recognize", "transferToParticipant", "*")
MODEL_FAULTS = (
    Fault("throttle"),
    Fault("cut"),
    Fault("error"),
    Fault("slow", first_token_ms=600),
)
SETTINGS = {
    "LEASE_S": "3",
    "TURN_TIMEOUT_S": "2.5",
    "SILENT_CALL_S": "4",
    "SWEEP_SCHEDULE": "* * * * * *",
    "SWEEP_PERIOD_S": "1",
}


def trouble(random: Random) -> Chaos:
    """Duplicates, reordering, delays, unknown events, and three requests that fail."""
    faults = [
        RestFault(
            random.choice(OPERATIONS),
            random.choice([500, 503, 429, None]),
            random.choice([None, 0.1]),
            after_effect=random.random() < 0.5,
        )
        for _ in range(3)
    ]
    return Chaos(
        seed=random.getrandbits(16),
        duplicate=0.6,
        duplicate_copies=3,
        reorder=0.3,
        delay_ms=(0, 80),
        late_rest_ms=random.choice([0, 50]),
        retries=1,
        unknown_events=0.2,
        extra_fields=True,
        rest_faults=faults,
    )


@pytest.mark.parametrize("seed", range(4))
async def test_soak_reaches_a_person_whatever_fails(seed: int) -> None:
    """Three instances, failing requests, a failing model, chaotic delivery (G1, G5, G6)."""
    random = Random(seed)
    plan = Plan(
        instances=3,
        pace=QUICK,
        chaos=trouble(random),
        grid_chaos=GridChaos(duplicates=3),
        settings=SETTINGS,
    )
    async with Stack(plan) as stack, AppClient(stack) as app:
        stack.model.inject(*(random.choice(MODEL_FAULTS) for _ in range(2)))
        call = await play(stack)
        session = await look(stack, app, call)
        answered = [
            one
            for one in stack.acs.requests
            if one.operation == "answer" and one.status == 200 and not one.is_replay
        ]
    assert reason_of(call) == "transferred"
    assert (session["phase"], session["outcome"]) == ("ended", "transferred")
    assert len(answered) <= 1
