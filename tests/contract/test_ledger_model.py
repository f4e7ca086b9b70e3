"""The ledger of the schedules and the one in Valkey say the same, whatever is asked of them."""

import asyncio
from random import Random

import pytest

from shared.redis.manager import AzureRedisManager
from shared.state.ledger import RedisLedger
from shared.state.session_ids import new_session_id
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.ledger_model import LedgerModel
from tests.unit.test_tools_schedules import SCHEMA
from tests.unit.tool_fakes import context

pytest_plugins = ("tests.contract.redis_fixture",)

WALKS, STEPS = 60, 12


@pytest.mark.parametrize("unknown_after_s", [0.0, 60.0])
async def test_ledger_model_agrees_with_the_scripts(
    redis: AzureRedisManager, unknown_after_s: float
) -> None:
    """Random claims, results and withdrawals of two keys, with a session and without."""
    ledger = RedisLedger(redis, 600, unknown_after_s=unknown_after_s)
    for seed in range(WALKS):
        random, model = Random(seed), LedgerModel(unknown_after_ms=round(unknown_after_s * 1000))
        sid = new_session_id() if seed % 2 else None
        names = [f"{new_session_id()}-{number}" for number in range(2)]
        for step in range(STEPS):
            name, print_ = random.choice(names), random.choice("fffg")
            match random.randrange(4):
                case 0 | 1:
                    real = await ledger.begin(sid, name, print_)
                    said = model.begin((sid, name), print_, f"{step}")
                    assert (real.state, real.result) == (said.state, said.result), (seed, step)
                case 2:
                    result: Json = {"step": step}
                    await ledger.finish(sid, name, result)
                    model.finish((sid, name), result)
                case _:
                    await ledger.forget(sid, name)
                    model.forget((sid, name))


async def test_duplicates_on_valkey_have_at_most_one_effect(redis: AzureRedisManager) -> None:
    """The schedules once more, fewer of them, on the real ledger: at once, and killed anywhere."""
    for seed in range(WALKS):
        random, paid = Random(seed), list[int]()

        async def pay(arguments: Json, paid: list[int] = paid) -> Json:
            await asyncio.sleep(0)
            paid.append(arguments["amount"])
            await asyncio.sleep(0)
            return {"receipt": len(paid)}

        registry = ToolRegistry()
        registry.register("pay", SCHEMA, pay, policy=ToolPolicy(has_side_effects=True))
        who = context(session_id=new_session_id(), key=f"key-{seed}")
        ledger = RedisLedger(redis, 600)
        runs = [
            asyncio.create_task(run_tool(registry, "pay", {"amount": 5}, who, ledger))
            for _ in range(4)
        ]
        for _ in range(random.randrange(12)):
            await asyncio.sleep(0)
        for run in runs:
            if random.random() < 0.4:
                run.cancel()
        answers = [
            one
            for one in await asyncio.gather(*runs, return_exceptions=True)
            if isinstance(one, dict)
        ]
        last = await run_tool(registry, "pay", {"amount": 5}, who, ledger)
        assert len(paid) <= 1, seed
        for answer in [*answers, last]:
            expected = {"success": True, "receipt": 1}
            assert answer == expected or answer["error"] == "outcome_unknown", seed
