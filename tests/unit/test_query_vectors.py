"""The memory of questions: bounded, and never of failures."""

from collections.abc import Sequence

import pytest

from shared.errors import UpstreamError
from shared.knowledge.embeddings import Vector
from shared.knowledge.query_vectors import QueryVectors


class FakeEmbeddings:
    """Vectors that say how long the text is."""

    dimensions = 1

    def __init__(self) -> None:
        self.model = "one"
        self.asked: list[str] = []
        self.error: UpstreamError | None = None

    async def embed(self, texts: Sequence[str], *, deadline_s: float) -> list[Vector]:
        """Remember what was asked; fail if told to."""
        self.asked += texts
        if self.error:
            raise self.error
        return [[float(len(text))] for text in texts]


async def test_vectors_are_forgotten_when_there_are_too_many() -> None:
    """Memory is bounded, and what was asked last is kept."""
    embeddings = FakeEmbeddings()
    queries = QueryVectors(embeddings, capacity=2)
    for query in ("a", "b", "a", "c", "a", "b"):
        await queries.of(query, deadline_s=1)
    assert embeddings.asked == ["a", "b", "c", "b"]


async def test_vectors_belong_to_their_model() -> None:
    """Another model's vector would be compared and mean nothing."""
    embeddings = FakeEmbeddings()
    queries = QueryVectors(embeddings)
    await queries.of("a", deadline_s=1)
    embeddings.model = "two"
    await queries.of("a", deadline_s=1)
    assert embeddings.asked == ["a", "a"]


async def test_failures_are_not_remembered() -> None:
    """The next caller tries again."""
    embeddings = FakeEmbeddings()
    queries = QueryVectors(embeddings)
    embeddings.error = UpstreamError("down")
    with pytest.raises(UpstreamError):
        await queries.of("a", deadline_s=1)
    embeddings.error = None
    assert list(await queries.of("a", deadline_s=1)) == [1.0]
