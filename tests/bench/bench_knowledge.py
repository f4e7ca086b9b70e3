"""How well and how fast passages are found: by meaning, and by words in the same run.

The real SDKs against the stand-ins in this process, with a real model of embeddings; so the times
are those of the code and of the model, not of a network.
Run ``python -m tests.bench.bench_knowledge``.
"""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module

from shared.knowledge.chunks import Chunk
from shared.knowledge.embedded import ARTICLES, EmbeddedKnowledge
from shared.knowledge.loading import load, passages_of
from shared.knowledge.markdown import read_articles
from shared.knowledge.passages import Passage
from tests.bench.figures import percentiles
from tests.contract.knowledge_stage import KnowledgeStage, knowledge_stage
from tests.knowledge_questions import QUESTIONS, Marks, marks_of

ROUNDS = 8
Search = Callable[[str], Awaitable[Sequence[Passage]]]


async def run() -> list[str]:
    """Measure; gives the lines of the report."""
    chunks = passages_of(read_articles(ARTICLES))
    embedded = EmbeddedKnowledge()

    async def by_words(question: str) -> Sequence[Passage]:
        return await embedded.search(question, collection="general", top_k=3)

    async with knowledge_stage() as stage:
        started_at = time.perf_counter()
        await load(chunks, stage.shelf, stage.embeddings)
        loaded_s = time.perf_counter() - started_at
        search = _search_of(stage, "general")
        right = [
            ("by meaning (Cosmos DB, all-MiniLM-L6-v2 int8)", await _marks(search)),
            ("by words (the embedded index)", await _marks(by_words)),
            ("by words (rank-bm25, Okapi)", _marks_of_bm25(chunks)),
        ]
        new_ms, known_ms, everywhere_ms = await _times_ms(stage)
    words_ms = [await _timed_ms(by_words, question) for question, _ in QUESTIONS * ROUNDS]
    return [
        f"knowledge: {len(chunks)} passages, {len(QUESTIONS)} questions in other words,"
        f" loaded in {loaded_s:.1f} s",
        *(f"  {name:<46} {marks}" for name, marks in right),
        f"  search of a collection, a new question         {percentiles(new_ms)}",
        f"  search of a collection, a question asked before {percentiles(known_ms)}",
        f"  search of all collections, asked before        {percentiles(everywhere_ms)}",
        f"  search of the embedded index                   {percentiles(words_ms)}",
    ]


async def _times_ms(stage: KnowledgeStage) -> tuple[list[float], list[float], list[float]]:
    """Of one collection with new questions, with known ones, and of all collections."""
    one, every = _search_of(stage, "policies"), _search_of(stage, "general")
    new = [f"{question} ({number})" for number in range(ROUNDS) for question, _ in QUESTIONS]
    return (
        [await _timed_ms(one, question) for question in new],
        [await _timed_ms(one, question) for question in new],
        [await _timed_ms(every, question) for question, _ in QUESTIONS * ROUNDS][len(QUESTIONS) :],
    )


def _search_of(stage: KnowledgeStage, collection: str) -> Search:
    retriever = stage.retriever()

    async def search(question: str) -> Sequence[Passage]:
        return await retriever.search(question, collection=collection, top_k=3)

    return search


async def _timed_ms(search: Search, question: str) -> float:
    started_at = time.perf_counter()
    await search(question)
    return (time.perf_counter() - started_at) * 1000


async def _marks(search: Search) -> Marks:
    answers = [[one.url for one in await search(question)] for question, _ in QUESTIONS]
    return marks_of(answers)


def _marks_of_bm25(chunks: Sequence[Chunk]) -> Marks:
    rank_bm25 = import_module("rank_bm25")  # it has no types
    index = rank_bm25.BM25Okapi([_words(chunk.text) for chunk in chunks])
    urls = [chunk.url for chunk in chunks]
    return marks_of([index.get_top_n(_words(question), urls, n=3) for question, _ in QUESTIONS])


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z0-9]+", text.lower())


if __name__ == "__main__":
    print("\n".join(asyncio.run(run())))
