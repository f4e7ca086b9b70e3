"""Where passages are kept with their vectors: a container of Cosmos DB for NoSQL."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from shared.cosmos.database import CosmosDatabase
from shared.errors import NotFoundError, UpstreamError
from shared.knowledge.chunks import Chunk
from shared.knowledge.embeddings import Vector
from shared.knowledge.markdown import COLLECTIONS
from shared.types import Json

VECTOR_PATH = "/embedding"


@dataclass(frozen=True, slots=True)
class Kept:
    """A passage that is on the shelf."""

    collection: str
    id: str
    digest: str


class PassageShelf:
    """Puts passages into a container and takes them out; every method raises UpstreamError."""

    def __init__(self, database: CosmosDatabase, container: str) -> None:
        self._database = database
        self._container = container

    async def check(self, dimensions: int) -> None:
        """Refuse a container whose vectors have another length than *dimensions*, or that has none.

        Its policy cannot be changed: another length needs another container.
        """
        container = await self._database.container(self._container)
        async with self._database.guarded():
            properties = await container.read()
        policy = properties.get("vectorEmbeddingPolicy") or {}
        lengths = [
            one.get("dimensions")
            for one in policy.get("vectorEmbeddings", ())
            if one.get("path") == VECTOR_PATH
        ]
        if lengths != [dimensions]:
            made_for = f"{lengths[0]} dimensions" if lengths else "no vectors"
            raise UpstreamError(f"the container was made for {made_for}, not for {dimensions}")

    async def kept(self) -> list[Kept]:
        """What is there, by collection."""
        container = await self._database.container(self._container)
        found: list[Kept] = []
        for collection in COLLECTIONS:
            pages = container.query_items(
                "SELECT c.id, c.digest FROM c", parameters=[], partition_key=collection
            ).by_page()
            # Each page has the time of one call: there may be many.
            while (rows := await self._next(pages)) is not None:
                found += [Kept(collection, row["id"], row.get("digest", "")) for row in rows]
        return found

    async def _next(self, pages: AsyncIterator[AsyncIterator[Json]]) -> list[Json] | None:
        async with self._database.guarded():
            page = await anext(pages, None)
            return None if page is None else [row async for row in page]

    async def put(self, chunk: Chunk, vector: Vector, digest: str) -> None:
        """Store a passage, whatever was there before."""
        document = {
            "id": chunk.id,
            "partition": chunk.collection,
            "title": chunk.title,
            "content": chunk.content,
            "url": chunk.url,
            "digest": digest,
            "embedding": list(vector),
        }
        container = await self._database.container(self._container)
        async with self._database.guarded():
            await container.upsert_item(document)

    async def remove(self, one: Kept) -> None:
        """Take a passage out; it may be gone already."""
        container = await self._database.container(self._container)
        try:
            async with self._database.guarded():
                await container.delete_item(one.id, partition_key=one.collection)
        except NotFoundError:
            return
