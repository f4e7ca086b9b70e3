"""A Cosmos DB stand-in with the app's containers, and clients of it."""

import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from azure.core.credentials_async import AsyncTokenCredential
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient

from shared.cosmos.database import CosmosDatabase
from shared.records.containers import PARTITION_FIELD
from shared.records.cosmos import CosmosDocuments
from simulator.cosmos import EMULATOR_KEY, CosmosStandIn, seed_containers

LAYOUT = Path(__file__).parents[2] / "simulator" / "scenarios" / "containers.yaml"
DATABASE = "voice-agent"


@asynccontextmanager
async def running_account(
    *,
    file: Path | None = None,
    has_containers: bool = True,
    port: int = 0,
    now: Callable[[], float] = time.time,
) -> AsyncIterator[CosmosStandIn]:
    """An account that listens."""
    account = CosmosStandIn(file=file, now=now)
    if has_containers:
        seed_containers(account.store, LAYOUT)
    await account.start(port=port)
    try:
        yield account
    finally:
        await account.aclose()


@asynccontextmanager
async def connected_documents(
    account: CosmosStandIn,
    *,
    credential: str | AsyncTokenCredential | None = None,
    timeout_s: float = 20.0,
) -> AsyncIterator[CosmosDocuments]:
    """The app's client of an account."""
    database = CosmosDatabase(
        account.endpoint, credential or account.key, name=DATABASE, timeout_s=timeout_s
    )
    documents = CosmosDocuments(database)
    try:
        yield documents
    finally:
        await documents.aclose()


@asynccontextmanager
async def emulated_documents(endpoint: str) -> AsyncIterator[CosmosDocuments]:
    """The app's client of a database of its own in an emulator that runs already."""
    name = f"test-{uuid.uuid4()}"
    async with CosmosClient(endpoint, EMULATOR_KEY) as client:
        database = await client.create_database(name)
        await database.create_container("customers", PartitionKey(f"/{PARTITION_FIELD}"))
        documents = CosmosDocuments(
            CosmosDatabase(endpoint, EMULATOR_KEY, name=name, timeout_s=20.0)
        )
        try:
            yield documents
        finally:
            await documents.aclose()
            await client.delete_database(name)


@asynccontextmanager
async def connected_container(account: CosmosStandIn, name: str) -> AsyncIterator[ContainerProxy]:
    """A container through the SDK as it is."""
    async with CosmosClient(account.endpoint, account.key) as client:
        yield client.get_database_client(DATABASE).get_container_client(name)
