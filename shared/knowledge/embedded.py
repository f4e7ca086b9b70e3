"""The articles that ship with the app, searched in memory by their words (BM25).

For trying things out without a database, and for tests: it finds words, not meanings. Results say
``mock``, so that nobody takes them for the bank's own.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from shared.knowledge.chunks import chunks_of
from shared.knowledge.markdown import read_articles
from shared.knowledge.passages import EVERYWHERE, Passage

ARTICLES = Path(__file__).with_name("articles")

_WORD = re.compile(r"[a-z0-9]+")
_NO_MEANING = frozenset(
    _WORD.findall(
        "a about am an and any are as at be by can could did do does for from had has have how i "
        "if in is it its me my of on or our please s shall should so t tell than that the their "
        "them there these they this to us was we were what when where which who why will with "
        "would you your"
    )
)
_TITLE_WEIGHT = 3
_K1 = 1.5
_B = 0.75


@dataclass(frozen=True, slots=True)
class _Article:
    passage: Passage
    counts: Counter[str]
    length: int


class EmbeddedKnowledge:
    """The shipped articles, indexed when this is made; reads all those in *folder*.

    Raises:
        ArticlesError: Some cannot be read; names the files and their faults.
    """

    source = "mock"

    def __init__(self, folder: Path = ARTICLES) -> None:
        chunks = (chunk for article in read_articles(folder) for chunk in chunks_of(article))
        self._articles = [
            _index(Passage(one.title, one.content, one.url, one.collection, score=1.0))
            for one in chunks
        ]
        total = sum(each.length for each in self._articles)
        self._mean_length = total / max(len(self._articles), 1)
        self._holders = Counter(word for each in self._articles for word in each.counts)

    async def search(self, query: str, *, collection: str, top_k: int) -> Sequence[Passage]:
        """The articles that share words with *query*, best first, at most *top_k*.

        The score is the article's BM25 divided by the highest any article could have for this
        query: 1 would be a text of nothing but the asked words.
        """
        words = {word for word in _words(query) if word not in _NO_MEANING}
        ideal = sum(self._rarity(word) * (_K1 + 1) for word in words)
        scored = [
            replace(each.passage, score=round(score, 4))
            for each in self._articles
            if collection in (EVERYWHERE, each.passage.collection)
            and (score := self._score(each, words) / (ideal or 1.0)) >= 0.0001
        ]
        scored.sort(key=lambda passage: (-passage.score, passage.title))
        return scored[:top_k]

    async def warm(self) -> None:
        """Do nothing: all is in memory."""

    def _score(self, article: _Article, words: set[str]) -> float:
        damping = _K1 * (1 - _B + _B * article.length / self._mean_length)
        return sum(
            self._rarity(word) * count * (_K1 + 1) / (count + damping)
            for word in words
            if (count := article.counts[word])
        )

    def _rarity(self, word: str) -> float:
        holders = self._holders[word]
        return math.log(1 + (len(self._articles) - holders + 0.5) / (holders + 0.5))


def _index(passage: Passage) -> _Article:
    words = _words(passage.title) * _TITLE_WEIGHT + _words(passage.content)
    return _Article(passage, Counter(words), len(words))


def _words(text: str) -> list[str]:
    return [_singular(word) for word in _WORD.findall(text.lower())]


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith("ss"):
        return word[:-1]
    return word
