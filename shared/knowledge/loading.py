"""Brings the shelf of passages to what the articles say, with as little work as possible.

What is on the shelf already is told by its digest and left alone, so a run that was interrupted
goes on where it ended, and a second run changes nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.knowledge.chunks import Chunk, chunks_of
from shared.knowledge.embeddings import Embeddings, Vector
from shared.knowledge.markdown import Article, ArticlesError
from shared.knowledge.shelf import Kept
from shared.knowledge.together import together

BATCH = 16
"""Passages that are embedded with one request, then stored at once."""
EMBED_S = 60.0
"""For one batch; nobody waits for it, and a busy service is waited for."""

Place = tuple[str, str]
"""Collection and id."""


class Shelf(Protocol):
    """Where passages are kept; `PassageShelf` is one."""

    async def check(self, dimensions: int) -> None:
        """Refuse vectors that do not fit."""
        ...

    async def kept(self) -> list[Kept]:
        """What is there."""
        ...

    async def put(self, chunk: Chunk, vector: Vector, digest: str) -> None:
        """Store a passage."""
        ...

    async def remove(self, one: Kept) -> None:
        """Take a passage out."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What has to be done, or was done."""

    added: tuple[Chunk, ...]
    updated: tuple[Chunk, ...]
    unchanged: tuple[Chunk, ...]
    removed: tuple[Kept, ...]


def passages_of(articles: Iterable[Article]) -> list[Chunk]:
    """The passages of all *articles*.

    Raises:
        ArticlesError: Two passages would take the same place.
    """
    chunks = [chunk for article in articles for chunk in chunks_of(article)]
    places: set[Place] = set()
    for chunk in chunks:
        if _place(chunk) in places:
            raise ArticlesError([f"{chunk.collection}: two files lead to the id {chunk.id}"])
        places.add(_place(chunk))
    return chunks


def changes_between(chunks: Sequence[Chunk], kept: Sequence[Kept], *, model: str) -> Changes:
    """What distinguishes the shelf from *chunks*, whose vectors are made by *model*."""
    digests = {(one.collection, one.id): one.digest for one in kept}
    wanted = {_place(chunk) for chunk in chunks}
    new = [chunk for chunk in chunks if _place(chunk) not in digests]
    known = [chunk for chunk in chunks if _place(chunk) in digests]
    same = [chunk for chunk in known if digests[_place(chunk)] == chunk.digest(model)]
    return Changes(
        added=tuple(new),
        updated=tuple(chunk for chunk in known if chunk not in same),
        unchanged=tuple(same),
        removed=tuple(one for one in kept if (one.collection, one.id) not in wanted),
    )


async def load(
    chunks: Sequence[Chunk],
    shelf: Shelf,
    embeddings: Embeddings,
    *,
    on_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Changes:
    """Make the shelf hold *chunks* and nothing else; returns what was done.

    Args:
        chunks: Everything there is to know.
        shelf: Where it goes.
        embeddings: Makes the vectors.
        on_progress: Told how many passages of how many are stored, from 0 on.

    Raises:
        UpstreamError: A service failed; what was stored until then stays.
    """
    await shelf.check(embeddings.dimensions)
    changes = changes_between(chunks, await shelf.kept(), model=embeddings.model)
    todo = (*changes.added, *changes.updated)
    for start in range(0, len(todo), BATCH):
        on_progress(start, len(todo))
        await _store(todo[start : start + BATCH], shelf, embeddings)
    on_progress(len(todo), len(todo))
    for one in changes.removed:
        await shelf.remove(one)
    return changes


async def _store(batch: Sequence[Chunk], shelf: Shelf, embeddings: Embeddings) -> None:
    vectors = await embeddings.embed([chunk.text for chunk in batch], deadline_s=EMBED_S)
    await together(
        shelf.put(chunk, vector, chunk.digest(embeddings.model))
        for chunk, vector in zip(batch, vectors, strict=True)
    )


def _place(chunk: Chunk) -> Place:
    return chunk.collection, chunk.id
