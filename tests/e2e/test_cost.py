"""What a call cost, beside what the services say that they have delivered."""

import asyncio
from decimal import Decimal

from shared.cost.prices import sum_of
from simulator.app_client import AppClient
from simulator.bill import bill
from simulator.stack import Plan, Stack
from tests.e2e.calls import LIMIT_S, QUICK, look, play

PLAN = Plan(
    pace=QUICK,
    settings={"PRICES": "speech/characters=20", "PRICE_CURRENCY": "EUR"},
)


async def test_call_costs_what_the_services_have_delivered() -> None:
    """Tokens as the model counted them, the minutes of the line; turns and line are the whole."""
    async with Stack(PLAN) as stack, AppClient(stack) as app:
        call = await play(stack)
        async with asyncio.timeout(LIMIT_S):
            while not (session := await look(stack, app, call))["context"].get("summary"):
                pass  # the last thing that costs anything
        usages = [one.usage for one in stack.model.exchanges if one.usage]
    cost, used = session["cost"], session["cost"]["usage"]
    read = sum(one["prompt_tokens"] for one in usages)
    written = sum(one["completion_tokens"] for one in usages)
    tokens = {name.partition("/")[2]: n for name, n in used.items() if "gpt" in name}
    assert tokens["input"] + tokens.get("cached", 0) == read > 0
    assert tokens["output"] == written
    assert used["acs/inbound_ms"] > 0
    assert cost["unpriced"] == []
    turns = sum_of(turn["usage"] for turn in cost["turns"])
    beside = {name for name, count in used.items() if count != turns.get(name, 0)}
    assert beside == {"acs/inbound_ms", *(name for name in used if "gpt" in name)}  # the summary
    assert Decimal(cost["items"]["tts"]) == Decimal(used["speech/characters"]) * 20 / 10**6
    assert bill(cost).startswith(f"cost      EUR {Decimal(cost['total']):.6f} = model input")
