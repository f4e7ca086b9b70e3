"""Ten thousand ways in which a tool is run twice, at once, and killed in between: one effect.

The real `run_tool` and registry, on the ledger's own rules; lines break, requests arrive late,
instances die at every await. What is seeded can be played again: the seed is in the message.
"""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from shared.errors import UpstreamError
from shared.tools.context import EphemeralFacts, ToolContext
from shared.tools.failures import OUTCOME_UNKNOWN, ToolFailedError, ToolRetryError
from shared.tools.policy import ToolPolicy
from shared.tools.registry import ToolRegistry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.ledger_model import LedgerModel, LineToLedger, Scheduler
from tests.unit.tool_fakes import context

SCHEDULES = 10_000
PARTS = 8
SCHEMA: Json = {
    "name": "pay",
    "parameters": {"type": "object", "properties": {"amount": {"type": "integer"}}},
}
WHO = context()


@dataclass
class World:
    """One key, and everybody who runs it."""

    scheduler: Scheduler
    ledger: LedgerModel = field(default_factory=LedgerModel)
    effects: int = 0
    answers: list[Json] = field(default_factory=list)
    killed: int = 0

    async def run(self, who: int, amount: int) -> Json:
        """Run the tool on the instance *who*."""
        line = LineToLedger(self.ledger, self.scheduler, who)
        context = replace(WHO, memo=EphemeralFacts({"world": self, "who": who}))
        answer = await run_tool(REGISTRY, "pay", {"amount": amount}, context, line)
        self.answers.append(answer)
        return answer


async def pay(arguments: Json, context: ToolContext) -> Json:
    """The tool: it may fail before and after the money has moved."""
    world, who = context.memo.get_context("world"), context.memo.get_context("who")
    assert isinstance(world, World)
    assert isinstance(who, int)
    scheduler = world.scheduler
    await scheduler.step(who)
    if scheduler.happens():
        raise scheduler.random.choice(
            [ToolRetryError("Not so."), ToolFailedError("No."), RuntimeError("a bug")]
        )
    world.effects += 1
    await scheduler.step(who)
    if scheduler.happens():
        raise scheduler.random.choice([UpstreamError("no answer"), TimeoutError()])
    return {"receipt": world.effects, "amount": arguments["amount"]}


REGISTRY = ToolRegistry()
REGISTRY.register("pay", SCHEMA, pay, policy=ToolPolicy(has_side_effects=True))


async def play(seed: int) -> World:
    """One schedule: duplicates begin, go on, break and die in a random order, until all is still.

    In every fourth nothing breaks.
    """
    scheduler = Scheduler(seed, trouble=0.0 if seed // PARTS % 4 == 0 else 0.12)
    world, random = World(scheduler), scheduler.random
    tasks: dict[int, asyncio.Task[Json]] = {}
    planned = random.randint(2, 4)
    while planned or scheduler.waiting:
        if planned and (not scheduler.waiting or random.random() < 0.3):
            planned -= 1
            amount = 6 if random.random() < 0.05 else 5
            tasks[planned] = asyncio.create_task(world.run(planned, amount))
        elif scheduler.happens() and random.random() < 0.3:
            who = random.choice(list(scheduler.waiting))
            scheduler.kill(who, tasks[who])
            world.killed += 1
        else:
            scheduler.go_on()
        if random.random() < 0.05:
            world.ledger.now_ms += 40_000
        await asyncio.sleep(0)
    await asyncio.gather(*tasks.values(), return_exceptions=True)
    return world


async def ask_again(world: World) -> Json:
    """One more duplicate, when all is quiet and every line works."""
    world.scheduler.trouble = 0.0
    task = asyncio.create_task(world.run(99, 5))
    while not task.done():
        world.scheduler.go_on()
        await asyncio.sleep(0)
    return await task


def check(world: World, seed: int) -> None:
    """At most one effect; whoever hears of success hears of the same one."""
    assert world.effects <= 1, seed
    successes = [one for one in world.answers if one["success"]]
    assert all(one == successes[0] for one in successes), seed
    assert not successes or (world.effects == 1 and successes[0]["receipt"] == 1), seed
    allowed = {OUTCOME_UNKNOWN, "tool_failed", "retry", "idempotency_mismatch"}
    assert {one["error"] for one in world.answers if not one["success"]} <= allowed, seed
    if world.scheduler.trouble == 0.0:
        # Nothing broke, so the only doubt is about a run that goes on.
        assert world.effects == 1, seed
        assert {one.get("error") for one in world.answers} <= {
            None,
            OUTCOME_UNKNOWN,
            "idempotency_mismatch",
        }, seed


@pytest.mark.parametrize("part", range(PARTS))
async def test_schedules_have_at_most_one_effect(
    part: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever happens to whom: paid once, and everybody told so, or told that it is not known."""
    caplog.set_level("CRITICAL", logger="voice_agent")
    seen = {"done": 0, "unknown": 0, "killed": 0, "none": 0}
    for seed in range(part, SCHEDULES, PARTS):
        world = await play(seed)
        check(world, seed)
        seen["killed"] += world.killed > 0
        seen["unknown"] += any(one.get("error") == OUTCOME_UNKNOWN for one in world.answers)
        before = world.effects
        last = await ask_again(world)
        assert world.effects <= 1, seed
        if last["success"]:
            assert world.effects == 1, seed
            assert all(one == last for one in world.answers if one["success"]), seed
        else:
            assert world.effects == before, seed
        seen["done"] += last["success"]
        seen["none"] += world.effects == 0
    # The schedules are worth something only if all of this has happened.
    assert min(seen.values()) > SCHEDULES // PARTS // 50, seen
