"""Fills a stack's knowledge base with the app's articles, by the command that a deployment uses.

Embedding them takes seconds, so the documents are kept in a file, for as long as neither the
articles nor what makes documents of them has changed.
"""

import asyncio
import hashlib
import json
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from simulator.cosmos import CosmosStandIn
from simulator.model import ScriptedModel
from simulator.model.embeddings import EMBEDDING_MODEL
from simulator.model.minilm import DIMENSIONS, MODEL_SHA256

ROOT = Path(__file__).resolve().parents[1]
SOURCES = ROOT / "shared" / "knowledge"
ARTICLES = SOURCES / "articles"
CONTAINER = "knowledge"

_MADE_BY = ("markdown.py", "chunks.py", "loading.py", "shelf.py")
_LIMIT_S = 120.0


class KnowledgeNotLoadedError(Exception):
    """The command failed; the text is what it said."""


class Knowledge:
    """What a stack's app can look up; after `load`, its text says how."""

    def __init__(
        self, model: ScriptedModel, cosmos: CosmosStandIn, database: str, *, folder: Path | None
    ) -> None:
        """Load nothing yet.

        Args:
            model: Its embeddings are used, where they are installed.
            cosmos: The account, running when `load` is called.
            database: Whose containers exist.
            folder: Where vectors are kept for the next time; None: articles are searched by words.
        """
        self._is_wanted = folder is not None
        self._is_able = model.embeddings.is_available
        self._model = model
        self._cosmos = cosmos
        self._database = database
        self._folder = folder or Path()
        self._passages_total = 0

    def settings(self) -> dict[str, str]:
        """The app settings that make the app search by meaning, if it is to."""
        if not (self._is_wanted and self._is_able):
            return {}
        return {
            "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": EMBEDDING_MODEL,
            "EMBEDDING_DIMENSIONS": str(DIMENSIONS),
        }

    async def load(self, settings: Mapping[str, str]) -> None:
        """Fill the database, if the app is to search it; *settings* are all of the app's."""
        if self.settings():
            self._passages_total = await load_knowledge(
                self._cosmos, self._database, settings=settings, folder=self._folder
            )
            await self._model.embeddings.warm()

    def __str__(self) -> str:
        if self._passages_total:
            return f"{self._passages_total} passages in the Cosmos DB stand-in, found by meaning"
        why = "" if self._is_able else " (no embedding model is installed here)"
        return f"the shipped articles, found by their words{why}"


def sources_in(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """Where the tool results of a history say that they come from, each once."""
    found: dict[str, None] = {}
    for message in messages:
        if message["role"] == "tool":
            source = json.loads(message["content"]).get("source")
            found |= {source: None} if isinstance(source, str) else {}
    return list(found)


async def load_knowledge(
    cosmos: CosmosStandIn, database: str, *, settings: Mapping[str, str], folder: Path
) -> int:
    """Put the passages into the container; returns how many there are.

    Args:
        cosmos: The account, running.
        database: Whose containers exist.
        settings: Of the app; they lead to the account and to the embedding model.
        folder: Where the documents are kept for the next time.

    Raises:
        KnowledgeNotLoadedError: The command failed.
    """
    kept = folder / f"knowledge-{await asyncio.to_thread(_digest)}.json"
    if kept.is_file():
        documents = json.loads(kept.read_text(encoding="utf-8"))
        for document in documents:
            _store(cosmos, database, document)
        return len(documents)
    await _run_command(settings)
    documents = _stored(cosmos, database)
    await asyncio.to_thread(_keep, kept, documents)
    return len(documents)


async def _run_command(settings: Mapping[str, str]) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "shared.knowledge.ingest", str(ARTICLES)),
        cwd=ROOT,
        env=dict(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            said, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise KnowledgeNotLoadedError(said.decode(errors="replace")[-2000:])


def _keep(path: Path, documents: list[dict[str, Any]]) -> None:
    """Write the file, whole or not at all, in place of older ones."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob("knowledge-*.json"):
        old.unlink(missing_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    unfinished.write_text(json.dumps(documents), encoding="utf-8")
    unfinished.replace(path)


def _digest() -> str:
    """Changes when the documents would."""
    files = [*sorted(ARTICLES.rglob("*.md")), *(SOURCES / name for name in _MADE_BY)]
    digest = hashlib.sha256(MODEL_SHA256.encode())
    for path in files:
        digest.update(path.relative_to(SOURCES).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _stored(cosmos: CosmosStandIn, database: str) -> list[dict[str, Any]]:
    container = cosmos.store.container(database, CONTAINER)
    return [
        {name: value for name, value in body.items() if not name.startswith("_")}
        for _, body in container.items(None, cosmos.store.now())
    ]


def _store(cosmos: CosmosStandIn, database: str, document: dict[str, Any]) -> None:
    container = cosmos.store.container(database, CONTAINER)
    draft = cosmos.store.draft(container, container.partition_of(document))
    draft.upsert(document)
    cosmos.store.keep(draft)
