"""How the parts that keep documents fit together; `shared.resources` builds them when needed."""

from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential

from shared.cosmos.database import CosmosDatabase
from shared.pools.lazy import Lazy
from shared.records.cosmos import CosmosDocuments
from shared.settings import NotConfiguredError, Settings


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    credential: Lazy[AsyncTokenCredential]
    database: Lazy[CosmosDatabase]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_database(parts: Parts) -> CosmosDatabase:
    """The database, not connected yet; with a token where there is no key.

    Raises:
        NotConfiguredError: The settings name none.
    """
    settings = parts.settings
    if settings.cosmos_endpoint is None:
        raise NotConfiguredError("COSMOS_ENDPOINT is missing")
    return CosmosDatabase(
        settings.cosmos_endpoint,
        settings.cosmos_key or await parts.credential.get(),
        name=settings.cosmos_database,
    )


async def build_documents(parts: Parts) -> CosmosDocuments:
    """The documents of the database."""
    return CosmosDocuments(await parts.database.get())
