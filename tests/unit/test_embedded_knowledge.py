"""The shipped articles and the search over them."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.knowledge.chunks import CHUNK_CHARS, chunks_of
from shared.knowledge.embedded import ARTICLES, EmbeddedKnowledge
from shared.knowledge.markdown import COLLECTIONS, read_articles

KNOWLEDGE = EmbeddedKnowledge()


@pytest.mark.parametrize(
    ("query", "collection", "title"),
    [
        ("What is the fee refund policy?", "policies", "Fee Refund Policy"),
        ("What is your fee refund policy?", "general", "Fee Refund Policy"),
        ("how do I dispute a charge", "policies", "Dispute Resolution Policy"),
        ("overdrafts", "policies", "Overdraft Policy"),
        ("do you sell my personal information", "general", "Privacy Policy"),
        ("my card was stolen", "faq", "What should I do if my card is lost or stolen?"),
        ("savings interest", "products", "Growth Savings Account"),
        ("when are branches open on Saturday", "general", "Branch Hours and Holidays"),
    ],
)
async def test_search_finds_the_article(query: str, collection: str, title: str) -> None:
    """The first result is read to the caller."""
    results = await KNOWLEDGE.search(query, collection=collection, top_k=3)
    assert results[0].title == title
    scores = [each.score for each in results]
    assert scores == sorted(scores, reverse=True)
    assert all(0 < score <= 1 for score in scores)


async def test_search_stays_in_its_collection() -> None:
    """A question about a product must not be answered with a policy; general means everywhere."""
    for collection in ("products", "policies", "faq"):
        found = await KNOWLEDGE.search("card fee account", collection=collection, top_k=10)
        assert {each.collection for each in found} == {collection}
    everywhere = await KNOWLEDGE.search("card fee account", collection="general", top_k=10)
    assert len({each.collection for each in everywhere}) > 1


@pytest.mark.parametrize("query", ["a", "what is the", "...", "zyzzyva", "ee"])
async def test_search_finds_nothing_where_nothing_fits(query: str) -> None:
    """A letter inside a word is no match; a caller must hear that nothing was found."""
    assert list(await KNOWLEDGE.search(query, collection="general", top_k=10)) == []


async def test_search_limits_the_results() -> None:
    """The model pays for every result with time."""
    found = await KNOWLEDGE.search("card fee account", collection="general", top_k=2)
    assert len(found) == 2


@settings(deadline=None)
@given(query=st.text(), collection=st.sampled_from(COLLECTIONS), top_k=st.integers(1, 10))
async def test_search_is_total(query: str, collection: str, top_k: int) -> None:
    """Whatever speech recognition makes of a question, scores hold what they promise."""
    found = await KNOWLEDGE.search(query, collection=collection, top_k=top_k)
    assert len(found) <= top_k
    assert all(0 < each.score <= 1 for each in found)


def test_articles_are_complete() -> None:
    """Every collection has something to find, the named policies exist, and texts are short."""
    articles = read_articles(ARTICLES)
    titles = [each.title for each in articles]
    assert len(articles) >= 30
    assert len(titles) == len(set(titles))
    assert set(Counter(each.collection for each in articles)) == set(COLLECTIONS)
    policies = {each.title for each in articles if each.collection == "policies"}
    assert policies >= {
        "Fee Refund Policy",
        "Dispute Resolution Policy",
        "Overdraft Policy",
        "Privacy Policy",
    }
    assert all(len(each.text) <= CHUNK_CHARS for each in articles)
    assert all(len(chunks_of(each)) == 1 for each in articles)
    assert all(each.url.startswith("https://bank.example/") for each in articles)
