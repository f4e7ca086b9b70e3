"""What a call cost, beside what the services say that they have delivered."""

from dataclasses import replace
from decimal import Decimal

from simulator.app_client import AppClient
from simulator.bill import bill
from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK, SCENARIOS, look, play

PLAN = Plan(
    pace=QUICK,
    scenario=SCENARIOS / "refund.yaml",
    settings={"PRICES": "speech/characters=20", "PRICE_CURRENCY": "EUR"},
)


async def test_call_costs_what_the_services_have_delivered() -> None:
    """Tokens as the model counted them, the minutes of the line; turns and line are the whole."""
    async with Stack(replace(PLAN)) as stack, AppClient(stack) as app:
        call = await play(stack)
        session = await look(stack, app, call)
        # The summary is made when the call is over, and is not the call's own doing.
        asked = [one for one in stack.model.exchanges if "record_summary" not in str(one.body)]
        usages = [one.usage for one in asked]
    cost, used = session["cost"], session["cost"]["usage"]
    read = sum(one["prompt_tokens"] for one in usages)
    written = sum(one["completion_tokens"] for one in usages)
    tokens = {name.partition("/")[2]: n for name, n in used.items() if "gpt" in name}
    assert tokens["input"] + tokens.get("cached", 0) == read > 0
    assert tokens["output"] == written
    assert used["acs/inbound_ms"] > 0
    assert cost["unpriced"] == []
    parts = sum(Decimal(turn["total"]) for turn in cost["turns"]) + Decimal(cost["items"]["acs"])
    assert abs(parts - Decimal(cost["total"])) <= Decimal("0.00000001")  # each is rounded
    assert Decimal(cost["items"]["tts"]) == Decimal(used["speech/characters"]) * 20 / 10**6
    assert bill(cost).startswith(f"cost      EUR {Decimal(cost['total']):.6f} = model input")
