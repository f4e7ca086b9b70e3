"""Articles in Markdown: ``policies/fees.md`` is an article of the collection ``policies``.

A head of YAML between two ``---`` lines may name ``title``, ``collection`` and ``url``; else the
title is the first heading, the collection the folder, and the url the file's place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

COLLECTIONS = ("general", "products", "policies", "faq")
_FENCE = "---\n"


class ArticlesError(ValueError):
    """Files cannot be read as articles; ``problems`` names each file and what is wrong with it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


@dataclass(frozen=True, slots=True)
class Article:
    """Something the bank has written down."""

    name: str
    """The file's place below the folder, without its ending: ``policies/fees``."""
    title: str
    collection: str
    url: str
    text: str


def read_articles(folder: Path) -> list[Article]:
    """All articles of *folder* and the folders in it, by name.

    Raises:
        ArticlesError: The folder is none or has no article, or some cannot be read.
    """
    found: list[Article] = []
    problems: list[str] = []
    for path in sorted(folder.rglob("*.md")):
        try:
            found.append(read_article(path, folder))
        except ValueError as err:
            problems.append(f"{path.relative_to(folder).as_posix()}: {err}")
    if not found and not problems:
        problems.append(f"{folder.name}: there are no *.md files")
    if problems:
        raise ArticlesError(problems)
    return found


def read_article(path: Path, folder: Path) -> Article:
    """One article.

    Raises:
        ValueError: Something is missing or malformed; names the field.
    """
    place = path.relative_to(folder).with_suffix("")
    head, body = _parts(path.read_text(encoding="utf-8"))
    title, text = head.get("title"), body
    if not title and body.startswith("# "):
        title, _, text = body.removeprefix("# ").partition("\n")
    if not title:
        raise ValueError("title is missing")
    collection = head.get("collection") or place.parts[0]
    if collection not in COLLECTIONS:
        raise ValueError(f"collection must be one of {', '.join(COLLECTIONS)}")
    if not text.strip():
        raise ValueError("text is missing")
    url = head.get("url") or place.as_posix()
    return Article(place.as_posix(), title.strip(), collection, url, text.strip())


def _parts(text: str) -> tuple[dict[str, str], str]:
    """Head and body; without a head all is body."""
    if not text.startswith(_FENCE):
        return {}, text.strip()
    head, fence, body = text.removeprefix(_FENCE).partition("\n" + _FENCE)
    if not fence:
        raise ValueError("the head is not closed")
    try:
        fields = yaml.safe_load(head)
    except yaml.YAMLError:
        raise ValueError("the head is not YAML") from None
    is_mapping = isinstance(fields, dict)
    if not is_mapping:
        raise ValueError("the head is not YAML")
    named = {name: fields.get(name) for name in ("title", "collection", "url")}
    if not all(value is None or isinstance(value, str) for value in named.values()):
        raise ValueError("title, collection and url are text")
    return {name: value for name, value in named.items() if value}, body.strip()
