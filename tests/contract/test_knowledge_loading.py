"""Loading passages, on the real SDKs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.errors import UpstreamError
from shared.knowledge.chunks import Chunk
from shared.knowledge.loading import BATCH, load
from simulator.cosmos import Fault as CosmosFault
from simulator.model import Fault
from tests.contract.knowledge_stage import (
    KnowledgeStage,
    chunk,
    knowledge_stage,
    stage_for_other_vectors,
)


@pytest.fixture
async def stage() -> AsyncIterator[KnowledgeStage]:
    """An empty knowledge base."""
    async with knowledge_stage() as running:
        yield running


def passages(count: int) -> list[Chunk]:
    """That many of them."""
    return [chunk(f"one-{number:03}", f"Sentence {number}.") for number in range(count)]


def embedded(stage: KnowledgeStage) -> int:
    """How many texts were embedded so far."""
    return sum(len(request["input"]) for request in stage.model.embeddings.requests)


async def test_loading_twice_changes_nothing(stage: KnowledgeStage) -> None:
    """Loading is part of every deployment; it must cost nothing when nothing is new."""
    first = await load(passages(3), stage.shelf, stage.embeddings)
    assert (len(first.added), len(first.unchanged)) == (3, 0)
    writes = len(stage.cosmos.exchanges)
    second = await load(passages(3), stage.shelf, stage.embeddings)
    assert (len(second.added), len(second.updated), len(second.unchanged)) == (0, 0, 3)
    assert second.removed == ()
    assert embedded(stage) == 3
    later = [one.operation for one in stage.cosmos.exchanges[writes:]]
    assert set(later) <= {"read", "query"}


async def test_loading_follows_the_articles(stage: KnowledgeStage) -> None:
    """What changed is embedded anew, what vanished is not found any more."""
    await load(passages(3), stage.shelf, stage.embeddings)
    changed = [chunk("one-000", "Another sentence."), *passages(2)[1:]]
    changes = await load(changed, stage.shelf, stage.embeddings)
    assert [one.id for one in changes.updated] == ["one-000"]
    assert [one.id for one in changes.removed] == ["one-002"]
    found = await stage.retriever().search("another sentence", collection="faq", top_k=5)
    assert found[0].content == "Another sentence."
    assert {one.title for one in found} <= {"One-000", "One-001"}


@pytest.mark.parametrize("what", ["model", "database"])
async def test_loading_goes_on_where_it_failed(stage: KnowledgeStage, what: str) -> None:
    """A thousand articles are not embedded again because of the last one."""
    chunks = passages(BATCH + 4)
    await load(chunks[:BATCH], stage.shelf, stage.embeddings)
    if what == "model":
        stage.model.embeddings.faults.extend([Fault("error"), Fault("error")])
    else:
        stage.cosmos.inject(*[CosmosFault("error", operation="upsert", status=503)] * 40)
    with pytest.raises(UpstreamError):
        await load(chunks, stage.shelf, stage.embeddings)
    stage.cosmos.faults.replace([])
    before = embedded(stage)
    changes = await load(chunks, stage.shelf, stage.embeddings)
    assert len(changes.unchanged) >= BATCH
    assert embedded(stage) - before == len(changes.added) <= 4
    assert len(await stage.shelf.kept()) == len(chunks)


async def test_shelf_tells_of_everything_it_holds(stage: KnowledgeStage) -> None:
    """More than fits on a page of the service: what is overlooked would be embedded again."""
    for one in passages(120):
        await stage.shelf.put(one, [0.0] * 383 + [1.0], "digest")
    kept = await stage.shelf.kept()
    assert len({one.id for one in kept}) == 120
    assert {(one.collection, one.digest) for one in kept} == {("faq", "digest")}
    assert len([one for one in stage.cosmos.exchanges if one.operation == "query"]) > 4


async def test_loading_refuses_a_container_for_other_vectors(tmp_path: Path) -> None:
    """Before anything is embedded, or paid for."""
    async with stage_for_other_vectors(tmp_path) as stage:
        with pytest.raises(UpstreamError, match="made for 1536 dimensions, not for 384"):
            await load(passages(1), stage.shelf, stage.embeddings)
        assert stage.model.embeddings.requests == []
