"""Load a folder of Markdown into the knowledge base: ``python -m shared.knowledge.ingest FOLDER``.

The folder is all there is to know: passages that are in the database and not in the folder are
removed. Exits with 0 when that is so; with 1 when a service failed, and may be run again then; with
2, and nothing done, when files, settings or arguments are wrong.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.errors import AppError, SettingsError
from shared.knowledge.chunks import Chunk
from shared.knowledge.loading import Changes, load, passages_of
from shared.knowledge.markdown import ArticlesError, read_articles
from shared.knowledge.progress import Progress
from shared.pools.lazy import Lazy
from shared.resources import Resources, environment
from shared.settings import Settings

DONE, FAILED, WRONG, INTERRUPTED = 0, 1, 2, 130

_NOT_NEEDED = {
    "PUBLIC_BASE_URL": "https://unused.invalid",
    "CALLBACK_SIGNING_KEY": "unused-unused-unused",
    "ACS_ENDPOINT": "https://unused.invalid",
    "ACS_AUDIENCE": "unused",
    "COGNITIVE_SERVICES_ENDPOINT": "https://unused.invalid",
    "AZURE_OPENAI_CHAT_DEPLOYMENT": "unused",
    "REDIS_HOST": "unused.invalid",
}
"""What the app must be told and this command need not."""


def main(words: Sequence[str] | None = None) -> int:
    """Run the command with *words*, by default those it was called with; returns its exit code."""
    arguments = _arguments(words)
    try:
        settings = read_settings(arguments.settings)
        chunks = passages_of(read_articles(arguments.folder))
        changes = asyncio.run(_run(chunks, settings))
    except ArticlesError as err:
        for problem in err.problems:
            sys.stderr.write(f"{problem}\n")
        return WRONG
    except SettingsError as err:
        sys.stderr.write(f"{err}\n")
        return WRONG
    except AppError as err:
        sys.stderr.write(f"{err}; run it again to go on\n")
        return FAILED
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; run it again to go on\n")
        return INTERRUPTED
    sys.stdout.write(report(changes))
    return DONE


def read_settings(file: Path | None) -> Settings:
    """The settings of *file*, if there is one, and of the environment, which goes first.

    Raises:
        SettingsError: They do not say where to load to.
    """
    env: dict[str, str] = {**_NOT_NEEDED, **_values_of(file), **environment()}
    settings = Settings.from_env(env)
    needed = {
        "COSMOS_ENDPOINT": settings.cosmos_endpoint,
        "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": settings.openai_embedding_deployment,
    }
    if missing := [f"{name} is missing" for name, value in needed.items() if not value]:
        raise SettingsError("; ".join(missing))
    return settings


def report(changes: Changes) -> str:
    """What was changed, one line each, and a summary."""
    lines = [
        *(f"added    {chunk.collection}/{chunk.id}" for chunk in changes.added),
        *(f"updated  {chunk.collection}/{chunk.id}" for chunk in changes.updated),
        *(f"removed  {one.collection}/{one.id}" for one in changes.removed),
        f"{len(changes.added)} added, {len(changes.updated)} updated,"
        f" {len(changes.unchanged)} unchanged, {len(changes.removed)} removed",
    ]
    return "".join(f"{line}\n" for line in lines)


async def _run(chunks: Sequence[Chunk], settings: Settings) -> Changes:
    parts = Resources(settings=settings)
    parts.imported = Lazy.of(None)  # no calls will come
    embeddings, database = await parts.embeddings.get(), await parts.database.get()
    try:
        return await load(
            chunks,
            await parts.shelf.get(),
            embeddings,
            on_progress=Progress(sys.stderr, "storing passages"),
        )
    finally:
        await embeddings.aclose()
        await database.aclose()


def _values_of(file: Path | None) -> Mapping[str, str]:
    """The ``Values`` of a ``local.settings.json``."""
    if file is None:
        return {}
    try:
        values = json.loads(file.read_text(encoding="utf-8"))["Values"]
    except (OSError, ValueError, TypeError, KeyError):
        raise SettingsError(f"{file.name} is no file of settings") from None
    return {str(name): str(value) for name, value in values.items()}


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m shared.knowledge.ingest",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="Markdown files, a folder a collection")
    parser.add_argument(
        "--settings",
        type=Path,
        metavar="FILE",
        help="a local.settings.json to read beside the environment",
    )
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
