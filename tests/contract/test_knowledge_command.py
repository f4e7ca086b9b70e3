"""``python -m shared.knowledge.ingest``: what it does, says and exits with."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from shared.knowledge.ingest import main
from shared.knowledge.loading import BATCH
from simulator.model import Fault
from tests.contract.knowledge_stage import KnowledgeStage, knowledge_stage, settings_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def stage() -> AsyncIterator[KnowledgeStage]:
    """An empty knowledge base."""
    async with knowledge_stage() as running:
        yield running


async def run(settings: dict[str, str], folder: Path) -> int:
    """Run the command as it is called, with a file of settings."""
    file = folder / "settings.json"
    file.write_text(json.dumps({"Values": settings}))
    return await asyncio.to_thread(main, [str(folder), "--settings", str(file)])


def write_articles(folder: Path, names: Sequence[str]) -> None:
    """Put articles into ``folder/faq``."""
    (folder / "faq").mkdir(exist_ok=True)
    for name in names:
        (folder / "faq" / f"{name}.md").write_text(f"# About {name}\n\nIt is about {name}.\n")


async def test_command_says_what_it_changed(
    stage: KnowledgeStage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Results on one stream, progress on the other: a pipeline keeps the former."""
    write_articles(tmp_path, ["cards", "fees"])
    assert await run(settings_of(stage), tmp_path) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "added    faq/faq-cards-1",
        "added    faq/faq-fees-1",
        "2 added, 0 updated, 0 unchanged, 0 removed",
    ]
    assert said.err.splitlines() == [
        "storing passages: 0 of 2",
        "storing passages: 2 of 2",
    ]
    (tmp_path / "faq" / "fees.md").unlink()
    assert await run(settings_of(stage), tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "removed  faq/faq-fees-1",
        "0 added, 0 updated, 1 unchanged, 1 removed",
    ]


async def test_command_survives_being_killed(
    stage: KnowledgeStage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What was stored before counts; the next run does the rest and says so."""
    write_articles(tmp_path, [f"thing-{number:02}" for number in range(BATCH + 2)])
    # The second batch never gets its vectors.
    stage.model.embeddings.faults.extend([Fault("slow", first_token_ms=0), Fault("hang")])
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.knowledge.ingest", str(tmp_path)),
        cwd=ROOT,
        env=settings_of(stage),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            assert process.stderr is not None
            while b"16 of 18" not in await process.stderr.readline():
                pass
    finally:
        process.kill()
        await process.communicate()
    stage.model.embeddings.faults.clear()
    assert await run(settings_of(stage), tmp_path) == 0
    assert capsys.readouterr().out.splitlines() == [
        "added    faq/faq-thing-16-1",
        "added    faq/faq-thing-17-1",
        "2 added, 0 updated, 16 unchanged, 0 removed",
    ]


async def test_command_names_what_is_wrong_and_does_nothing(
    stage: KnowledgeStage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A file that cannot be read must not cost the passages that it had."""
    write_articles(tmp_path, ["thing"])
    (tmp_path / "faq" / "bad.md").write_text("no title")
    assert await run(settings_of(stage), tmp_path) == 2
    assert capsys.readouterr() == ("", "faq/bad.md: title is missing\n")
    assert stage.model.embeddings.requests == []


async def test_command_says_that_a_service_failed(
    stage: KnowledgeStage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever runs it in a pipeline goes by the exit code."""
    write_articles(tmp_path, ["thing"])
    stage.model.embeddings.faults.extend([Fault("error"), Fault("error")])
    assert await run(settings_of(stage), tmp_path) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("the model refused the request with status 500; run it again to go on\n")


@pytest.mark.parametrize(
    ("settings", "problems"),
    [
        (
            {"COSMOS_ENDPOINT": "nonsense"},
            {"COSMOS_ENDPOINT is malformed", "AZURE_OPENAI_ENDPOINT is missing"},
        ),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://x.example"},
            {"COSMOS_ENDPOINT is missing", "AZURE_OPENAI_EMBEDDING_DEPLOYMENT is missing"},
        ),
    ],
)
async def test_command_needs_a_database_and_a_model(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    problems: set[str],
) -> None:
    """What the command needs is named; what only the app needs is not asked for."""
    write_articles(tmp_path, ["thing"])
    assert await run(settings, tmp_path) == 2
    assert set(capsys.readouterr().err.strip().split("; ")) == problems


async def test_command_refuses_a_file_that_holds_no_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The name of the file is told, and nothing of what is in it."""
    (tmp_path / "secrets.json").write_text("hush")
    words = [str(tmp_path), "--settings", str(tmp_path / "secrets.json")]
    assert await asyncio.to_thread(main, words) == 2
    assert capsys.readouterr().err == "secrets.json is no file of settings\n"
