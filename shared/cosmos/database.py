"""One database of a Cosmos DB account: its connection, its deadlines, its containers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.cosmos.aio import ContainerProxy, CosmosClient

from shared.cosmos.client import connect_client
from shared.cosmos.failures import translated
from shared.errors import ConflictError, NotFoundError, UpstreamError, UpstreamTimeoutError
from shared.pools.lazy import Lazy
from shared.telemetry import names
from shared.telemetry.tracing import Kind, span

CALL_S = 4.0


class CosmosDatabase:
    """The containers of a database; connects when the first one is wanted.

    Args:
        endpoint: Of the account.
        credential: The account's key (base64), or a credential for Entra tokens.
        name: Of the database; it and its containers exist already.
        timeout_s: For one call, its repetitions included.
    """

    def __init__(
        self,
        endpoint: str,
        credential: str | AsyncTokenCredential,
        *,
        name: str,
        timeout_s: float = CALL_S,
    ) -> None:
        self._endpoint = endpoint
        self._credential = credential
        self._name = name
        self._timeout_s = timeout_s
        self._client = Lazy(self._connect)
        self._containers: dict[str, ContainerProxy] = {}

    @asynccontextmanager
    async def guarded(self) -> AsyncIterator[None]:
        """Around every call of the SDK: ends it in time, and names what went wrong.

        Raises:
            ConflictError, NotFoundError, InvalidRequestError, UpstreamError: See
                `shared.cosmos.failures`.
        """
        facts = {names.PEER: names.PEER_COSMOS, names.DB_SYSTEM: "cosmosdb"}
        answer: AzureError | None = None
        with span(names.SPAN_COSMOS, facts, kind=Kind.CLIENT, is_current=False, is_detail=True):
            try:
                async with asyncio.timeout(self._timeout_s):
                    yield
            except TimeoutError as err:
                raise UpstreamTimeoutError("the database did not answer in time") from err
            except AzureError as err:
                if not isinstance(translated(err), NotFoundError | ConflictError):
                    raise translated(err) from err
                answer = err  # that is no failure of the database
        if answer is not None:
            raise translated(answer) from answer

    async def container(self, name: str) -> ContainerProxy:
        """A container, looked up once, so that its lack is not taken for that of a document.

        Raises:
            UpstreamError: The database has none of that name, or does not answer.
        """
        container = self._containers.get(name)
        if container is not None:
            return container
        try:
            async with self.guarded():
                client = await self._client.get()
                container = client.get_database_client(self._name).get_container_client(name)
                await container.read()
        except NotFoundError as err:
            raise UpstreamError("the database lacks a container") from err
        return self._containers.setdefault(name, container)

    async def aclose(self) -> None:
        """Close the connections."""
        client, self._client = self._client.built, Lazy(self._connect)
        self._containers.clear()
        if client is not None:
            await client.close()

    async def _connect(self) -> CosmosClient:
        """The client, which has read what the account says of itself.

        A caller who has no more time leaves this to go on, so that the next one finds it done.
        """
        client = connect_client(self._endpoint, self._credential, timeout_s=self._timeout_s)
        try:
            async with asyncio.timeout(self._timeout_s):
                await client.__aenter__()
        except BaseException:
            await client.close()
            raise
        return client
