"""What a search of the knowledge base finds."""

from dataclasses import dataclass

EVERYWHERE = "general"
"""The collection that stands for all of them in a search."""


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of written knowledge that fits a query."""

    title: str
    content: str
    url: str
    collection: str
    """``policies``, ``products``, ``faq`` or ``general``."""
    score: float
    """How well it fits, greater than 0 and at most 1; comparable within one search only."""
