"""Semantic search in Cosmos DB for NoSQL: passages near a question, by the angle of their vectors.

One partition a collection, so every query is a single request to a single partition.
"""

import asyncio
from collections.abc import Sequence

from shared.cosmos.database import CosmosDatabase
from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.knowledge.embeddings import Vector
from shared.knowledge.markdown import COLLECTIONS
from shared.knowledge.passages import EVERYWHERE, Passage
from shared.knowledge.query_vectors import QueryVectors
from shared.knowledge.shelf import PassageShelf
from shared.knowledge.together import together
from shared.types import Json

DEADLINE_S = 3.0
"""For the vector of the question and the search together: a caller is waiting."""

_WARM_S = 10.0
"""Nobody waits for it."""

_QUERY = (
    "SELECT TOP @k c.title, c.content, c.url, c.partition,"
    " VectorDistance(c.embedding, @vector) AS score"
    " FROM c ORDER BY VectorDistance(c.embedding, @vector)"
)


class CosmosVectorRetriever:
    """Finds the passages of a `PassageShelf`."""

    source = "cosmos_vector"

    def __init__(
        self,
        database: CosmosDatabase,
        queries: QueryVectors,
        *,
        container: str,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        """Remember how to search; nothing is connected yet.

        Args:
            database: Need not be connected yet.
            queries: Turns questions into vectors.
            container: Where the passages are.
            deadline_s: For a search, its first one included.
        """
        self._database = database
        self._queries = queries
        self._container = container
        self._deadline_s = deadline_s
        self._has_fitting_vectors = False

    async def search(self, query: str, *, collection: str, top_k: int) -> Sequence[Passage]:
        """The passages nearest to *query*, best first, at most *top_k*.

        The score is the cosine between question and passage. It depends on the model what is much:
        a low best score is a reason to ask back, and no proof that there is no answer.

        Raises:
            UpstreamTimeoutError: The deadline passed.
            UpstreamError: The model or the database failed, or their vectors do not fit together.
        """
        partitions = COLLECTIONS if collection == EVERYWHERE else (collection,)
        try:
            async with asyncio.timeout(self._deadline_s):
                vector = await self._queries.of(query, deadline_s=self._deadline_s)
                await self._check_once()
                found = await self._nearest(partitions, vector, top_k)
        except TimeoutError as err:
            raise UpstreamTimeoutError("the knowledge base did not answer in time") from err
        found.sort(key=lambda passage: -passage.score)
        return found[:top_k]

    async def warm(self) -> None:
        """Connect to model and database, and see that their vectors fit together.

        Raises:
            UpstreamError: As `search`.
        """
        await together((self._queries.warm(deadline_s=_WARM_S), self._check_once()))

    async def _check_once(self) -> None:
        """The service leaves out vectors of another length: nothing found, and nobody told."""
        if not self._has_fitting_vectors:
            await PassageShelf(self._database, self._container).check(self._queries.dimensions)
            self._has_fitting_vectors = True

    async def _nearest(
        self, partitions: Sequence[str], vector: Vector, top_k: int
    ) -> list[Passage]:
        # All or nothing: the collection that cannot be asked may be the one that knows.
        found = await together(
            self._nearest_in(partition, vector, top_k) for partition in partitions
        )
        return [passage for passages in found for passage in passages]

    async def _nearest_in(self, partition: str, vector: Vector, top_k: int) -> list[Passage]:
        container = await self._database.container(self._container)
        async with self._database.guarded():
            rows = container.query_items(
                _QUERY,
                parameters=[
                    {"name": "@k", "value": top_k},
                    {"name": "@vector", "value": list(vector)},
                ],
                partition_key=partition,
            )
            found = [_passage(row) async for row in rows]
        return [passage for passage in found if passage.score > 0]


def _passage(row: Json) -> Passage:
    try:
        score = min(round(float(row["score"]), 4), 1.0)
        return Passage(row["title"], row["content"], row["url"], row["partition"], score)
    except (KeyError, TypeError, ValueError) as err:
        raise UpstreamError("the knowledge base holds what is no passage") from err
