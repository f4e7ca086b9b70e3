"""What a document costs, against the stand-in of Cosmos DB in a process of its own.

That measures the client and the way to it; the service in Azure adds its own time. The floor is
one HTTP request and answer of the SDK: the stand-in's own share is a fraction of a millisecond.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from shared.cosmos.database import CosmosDatabase
from shared.records.cosmos import CosmosDocuments
from shared.records.documents import Document
from tests.bench.figures import percentiles
from tests.contract.cosmos_stage import LAYOUT

RUNS = 400
WARM_UPS = 20
IN_PARTITION = 50
PASSAGES, DIMENSIONS = 300, 384
NEAREST = (
    "SELECT TOP 5 c.id, VectorDistance(c.embedding, @v) AS score FROM c"
    " ORDER BY VectorDistance(c.embedding, @v)"
)


async def run() -> list[str]:
    """All figures."""
    async with _database() as database:
        documents = CosmosDocuments(database)
        some = [_transaction(number) for number in range(IN_PARTITION)]
        await documents.write_together("transactions", "p", some)
        names = iter(range(10**6))

        async def select() -> None:
            await documents.select(
                "transactions", "p", where={"kind": "fee"}, newest_first_by="on", limit=10
            )

        work: dict[str, Callable[[], Awaitable[object]]] = {
            "read": lambda: documents.read("transactions", "p", "t-7"),
            "upsert": lambda: documents.upsert(some[3]),
            "newest 10 of 50 by a field": select,
            "two documents in a transaction": lambda: documents.write_together(
                "accounts",
                "p",
                [
                    replace(some[0], container="accounts", id=f"{next(names)}-{half}")
                    for half in "ab"
                ],
            ),
            f"nearest 5 of {PASSAGES} vectors": await _vector_search(database),
        }
        lines = [f"Documents on the Cosmos DB stand-in, over HTTP ({RUNS} of each)"]
        for name, call in work.items():
            lines.append(f"  {name:<34} {percentiles(await _times_ms(call))}")
        return lines


@asynccontextmanager
async def _database() -> AsyncIterator[CosmosDatabase]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.cosmos", "--containers", LAYOUT),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    if process.stdout is None:
        raise RuntimeError("the stand-in has no output")
    where = json.loads(await process.stdout.readline())
    database = CosmosDatabase(where["endpoint"], where["key"], name=where["database"])
    try:
        yield database
    finally:
        await database.aclose()
        process.kill()
        await process.communicate()


async def _vector_search(database: CosmosDatabase) -> Callable[[], Awaitable[object]]:
    container = await database.container("knowledge")
    for number in range(PASSAGES):
        vector = [((number * 31 + at * 17) % 101 - 50) / 50 for at in range(DIMENSIONS)]
        await container.create_item({"id": str(number), "partition": "p", "embedding": vector})
    question = [(at % 13 - 6) / 6 for at in range(DIMENSIONS)]
    wanted: dict[str, object] = {"name": "@v", "value": question}

    async def search() -> list[object]:
        found = container.query_items(NEAREST, parameters=[wanted], partition_key="p")
        return [row async for row in found]

    return search


def _transaction(number: int) -> Document:
    kind = "fee" if number % 2 else "card_payment"
    body = {"kind": kind, "amount": "-12.50", "on": f"2026-11-{number % 28 + 1:02}"}
    return Document("transactions", "p", f"t-{number}", body | {"description": "x" * 80})


async def _times_ms(call: Callable[[], Awaitable[object]]) -> list[float]:
    times = []
    for number in range(WARM_UPS + RUNS):
        start = time.perf_counter()
        await call()
        if number >= WARM_UPS:
            times.append((time.perf_counter() - start) * 1000)
    return times


if __name__ == "__main__":
    for line in asyncio.run(run()):
        print(line)
