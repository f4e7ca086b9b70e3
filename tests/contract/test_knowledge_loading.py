"""Loading articles, on the real SDKs and as a command."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
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
    settings_of,
    stage_for_other_vectors,
)

ROOT = Path(__file__).parents[2]


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


async def command(stage: KnowledgeStage, *arguments: str) -> tuple[int | None, str, str]:
    """Run ``python -m shared.knowledge.ingest``; gives its exit code and what it said."""
    process = await start_command(stage, *arguments)
    out, err = await asyncio.wait_for(process.communicate(), 60)
    return process.returncode, out.decode(), err.decode()


async def start_command(stage: KnowledgeStage, *arguments: str) -> asyncio.subprocess.Process:
    """Start it with the settings of the stage."""
    pipe = asyncio.subprocess.PIPE
    words = ("-m", "shared.knowledge.ingest", *arguments)
    return await asyncio.create_subprocess_exec(
        sys.executable, *words, env=settings_of(stage), cwd=ROOT, stdout=pipe, stderr=pipe
    )


def write_articles(folder: Path, names: Sequence[str]) -> None:
    """Put articles into ``folder/faq``."""
    (folder / "faq").mkdir(exist_ok=True)
    for name in names:
        (folder / "faq" / f"{name}.md").write_text(f"# About {name}\n\nIt is about {name}.\n")


async def test_command_survives_being_killed(stage: KnowledgeStage, tmp_path: Path) -> None:
    """What was stored before counts; the next run does the rest and says so."""
    write_articles(tmp_path, [f"thing-{number:02}" for number in range(BATCH + 2)])
    # The second batch never gets its vectors.
    stage.model.embeddings.faults.extend([Fault("slow", first_token_ms=0), Fault("hang")])
    process = await start_command(stage, str(tmp_path))
    async with asyncio.timeout(60):
        assert process.stderr is not None
        while b"16 of 18" not in await process.stderr.readline():
            pass
    process.kill()
    await process.communicate()
    stage.model.embeddings.faults.clear()
    before = embedded(stage)
    code, out, _ = await command(stage, str(tmp_path))
    assert code == 0
    assert out.splitlines() == [
        "added    faq/faq-thing-16-1",
        "added    faq/faq-thing-17-1",
        "2 added, 0 updated, 16 unchanged, 0 removed",
    ]
    assert embedded(stage) >= before + 2


async def test_command_names_what_is_wrong_and_does_nothing(
    stage: KnowledgeStage, tmp_path: Path
) -> None:
    """A file that cannot be read must not cost the passages that it had."""
    write_articles(tmp_path, ["thing"])
    (tmp_path / "faq" / "bad.md").write_text("no title")
    code, out, err = await command(stage, str(tmp_path))
    assert (code, out) == (2, "")
    assert err == "faq/bad.md: title is missing\n"
    assert stage.model.embeddings.requests == []


async def test_command_says_that_a_service_failed(stage: KnowledgeStage, tmp_path: Path) -> None:
    """Whoever runs it in a pipeline goes by the exit code."""
    write_articles(tmp_path, ["thing"])
    stage.model.embeddings.faults.extend([Fault("error"), Fault("error")])
    code, out, err = await command(stage, str(tmp_path))
    assert (code, out) == (1, "")
    assert err.endswith("the model refused the request with status 500; run it again to go on\n")


async def test_command_needs_a_database_and_a_model(stage: KnowledgeStage, tmp_path: Path) -> None:
    """Both are named; a file of settings may name them."""
    write_articles(tmp_path, ["thing"])
    settings = tmp_path / "settings.json"
    settings.write_text(json.dumps({"Values": {"COSMOS_ENDPOINT": "nonsense"}}))
    words = ("-m", "shared.knowledge.ingest", str(tmp_path), "--settings", str(settings))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words), env={}, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 2
    assert set(err.decode().strip().split("; ")) == {
        "COSMOS_ENDPOINT is malformed",
        "AZURE_OPENAI_ENDPOINT is missing",
    }
