"""Articles cut into passages that a model can be given and a vector can stand for."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.knowledge.markdown import Article

CHUNK_CHARS = 500
"""What the search tool shows of a passage."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A passage of an article."""

    id: str
    """Place and number in it, for example ``policies-fees-2``; unique in its collection."""
    title: str
    collection: str
    url: str
    content: str

    @property
    def text(self) -> str:
        """What its vector stands for."""
        return f"{self.title}\n{self.content}"

    def digest(self, model: str) -> str:
        """Changes when the document that would be stored does; *model* makes the vectors."""
        fields = (self.title, self.url, self.content, model)
        return hashlib.sha256("\0".join(fields).encode()).hexdigest()


def chunks_of(article: Article) -> list[Chunk]:
    """The passages of *article*, in order: whole paragraphs where they fit, else sentences."""
    # An id may not hold a slash.
    name = re.sub(r"[^\w-]+", "-", article.name)
    return [
        Chunk(f"{name}-{number}", article.title, article.collection, article.url, content)
        for number, content in enumerate(_pack(_pieces(article.text)), start=1)
    ]


def _pieces(text: str) -> Iterator[str]:
    """Paragraphs on one line each; those that are too long in sentences, or in words."""
    for paragraph in re.split(r"\n\s*\n", text):
        line = " ".join(paragraph.split())
        if len(line) <= CHUNK_CHARS:
            yield line
            continue
        for sentence in _SENTENCE_END.split(line):
            yield from [sentence] if len(sentence) <= CHUNK_CHARS else _pack(sentence.split())


def _pack(pieces: Iterator[str] | list[str]) -> list[str]:
    """Put pieces together as long as they fit into a chunk."""
    packed: list[str] = []
    for piece in pieces:
        if packed and len(packed[-1]) + 1 + len(piece) <= CHUNK_CHARS:
            packed[-1] = f"{packed[-1]} {piece}"
        else:
            packed += [piece[at : at + CHUNK_CHARS] for at in range(0, len(piece), CHUNK_CHARS)]
    return packed
