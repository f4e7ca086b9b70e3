"""What a tool call costs beside its executor: validation, policy, ledger, trace and audit.

Run ``python -m tests.bench.bench_tools [redis-url]``; without a URL it starts a server.
"""

import asyncio
import contextlib
import sys
import time
from dataclasses import replace

from shared.redis.manager import AzureRedisManager
from shared.state.ledger import RedisLedger
from shared.state.session_ids import new_session_id
from shared.tools.context import ToolContext
from shared.tools.policy import Authentication, ToolPolicy
from shared.tools.registry import ToolRegistry, build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.bench.figures import percentiles
from tests.contract.redis_wire import running_server
from tests.unit.tool_fakes import emily, services

CALLS = 2000
ARGUMENTS: Json = {"transaction_id": "TX-90008", "amount": "35.00", "reason": "as a courtesy"}


class Stopwatch:
    """An executor that says how long it was awaited for."""

    def __init__(self) -> None:
        self.ms = 0.0

    async def __call__(self, arguments: Json, context: ToolContext) -> Json:
        """Give the loop a chance, as any executor does."""
        start = time.perf_counter()
        await asyncio.sleep(0)
        result = {"refunded": True, "amount": arguments["amount"], "message": "It was refunded."}
        self.ms = (time.perf_counter() - start) * 1000
        return result


def registry_of(executor: Stopwatch, *, has_side_effects: bool) -> ToolRegistry:
    """A tool with the schema and the policy of the refund, around a stopwatch."""
    schema = build_registry().get_tool_schema("refund_fee")
    registry, policy = (
        ToolRegistry(),
        ToolPolicy(
            authentication=Authentication.IDENTIFIED,
            max_amount=100,
            has_side_effects=has_side_effects,
        ),
    )
    registry.register("refund_fee", schema, executor, policy=policy)
    return registry


async def overheads(
    ledger: RedisLedger, *, has_side_effects: bool, key: str | None = None
) -> list[float]:
    """Milliseconds of each call that were not the executor's."""
    executor = Stopwatch()
    registry = registry_of(executor, has_side_effects=has_side_effects)
    who = replace(emily(using=services()), session_id=new_session_id())
    times = []
    for number in range(CALLS):
        context = replace(who, idempotency_key=key or f"key-{number}")
        executor.ms = 0.0
        start = time.perf_counter()
        result = await run_tool(registry, "refund_fee", ARGUMENTS, context, ledger)
        times.append((time.perf_counter() - start) * 1000 - executor.ms)
        assert result["success"], result
    return times[CALLS // 10 :]


async def refusals(ledger: RedisLedger) -> list[float]:
    """Milliseconds until a stranger has been refused."""
    registry = registry_of(Stopwatch(), has_side_effects=True)
    who = replace(emily(using=services()), session_id=new_session_id())
    who.memo.set_context("authenticated", False)
    times = []
    for _ in range(CALLS):
        start = time.perf_counter()
        await run_tool(registry, "refund_fee", ARGUMENTS, who, ledger)
        times.append((time.perf_counter() - start) * 1000)
    return times


async def run(redis_url: str) -> list[str]:
    """Measure everything; one line per figure."""
    async with AzureRedisManager(url=redis_url) as redis:
        ledger = RedisLedger(redis, ttl_s=600)
        bare = []
        for _ in range(CALLS):
            start = time.perf_counter()
            await redis.ping_async()
            bare.append((time.perf_counter() - start) * 1000)
        lines = {
            "tool call: validation and policy": await overheads(ledger, has_side_effects=False),
            "tool call: and the ledger": await overheads(ledger, has_side_effects=True),
            "tool call: the stored answer": await overheads(
                ledger, has_side_effects=True, key="key"
            ),
            "tool call: refused": await refusals(ledger),
        }
    floor = f"{'floor: a round trip to the Redis of the ledger':<48} {percentiles(bare)}"
    return [floor] + [
        f"{name:<48} {percentiles(times)} over the executor" for name, times in lines.items()
    ]


def main() -> None:
    """Print the figures."""
    with contextlib.ExitStack() as stack:
        if len(sys.argv) > 1:
            url = sys.argv[1]
        else:
            url = f"redis://127.0.0.1:{stack.enter_context(running_server())}/0"
        for line in asyncio.run(run(url)):
            print(line)


if __name__ == "__main__":
    main()
