"""The search tool: what it asks for, what it returns, and that it makes nothing up."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import UpstreamError
from shared.knowledge.passages import Passage
from shared.tools.knowledge_base import cut
from shared.tools.registry import build_registry
from shared.types import Json
from tests.unit.tool_fakes import FakeKnowledgeBase, context, services

REGISTRY = build_registry()


async def search(arguments: Json, knowledge: FakeKnowledgeBase) -> Json:
    """Run the tool against *knowledge*."""
    who = context(using=services(knowledge=knowledge))
    return await REGISTRY.execute("search_knowledge_base", arguments, who)


async def test_search_returns_results_with_their_source() -> None:
    """Agents quote title and content; ``source`` must be what was really asked."""
    passage = Passage("Fees", "One. " * 200, "https://x.example/fees", "policies", 0.5)
    result = await search({"query": "fees", "collection": "policies"}, FakeKnowledgeBase([passage]))
    (first,) = result["results"]
    assert result["source"] == "cosmos_vector"
    assert (first["title"], first["url"]) == ("Fees", "https://x.example/fees")
    assert (first["score"], first["doc_type"]) == (0.5, "policies")
    assert len(first["content"]) <= 500
    assert len(first["snippet"]) <= 160


async def test_search_applies_its_defaults() -> None:
    """The document's tool takes a query alone."""
    knowledge = FakeKnowledgeBase()
    result = await search({"query": " fees "}, knowledge)
    assert knowledge.asked == [("fees", "general", 5)]
    assert result["success"] is True
    assert result["results"] == []
    assert "Nothing" in result["message"]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"query": ""},
        {"query": "   "},
        {"query": "fees", "collection": "secrets"},
        {"query": "fees", "top_k": 0},
        {"query": "fees", "top_k": 11},
        {"query": "fees", "top_k": "abc"},
    ],
)
async def test_search_refuses_what_it_cannot_answer(arguments: Json) -> None:
    """An unknown collection once silently searched another one."""
    knowledge = FakeKnowledgeBase()
    assert (await search(arguments, knowledge))["error"] == "invalid_arguments"
    assert knowledge.asked == []


async def test_search_makes_nothing_up_when_the_database_is_down() -> None:
    """Callers once were told invented policy as if it were the bank's."""
    result = await search({"query": "fees"}, FakeKnowledgeBase(error=UpstreamError("down")))
    assert result["success"] is False
    assert result["error"] == "tool_failed"
    assert "results" not in result


@settings(deadline=None)
@given(text=st.text(), limit=st.integers(min_value=2, max_value=40))
def test_cut_keeps_the_beginning_within_the_limit(text: str, limit: int) -> None:
    """A cut text is read aloud: it must not be longer, nor hold what was not there."""
    shorter = cut(text, limit)
    assert len(shorter) <= limit
    assert text.startswith(shorter.removesuffix("…"))


def test_cut_ends_after_a_sentence_or_a_word() -> None:
    """Half a word sounds like a fault."""
    assert cut("One two. Three four.", 14) == "One two."
    assert cut("One two three", 9) == "One two…"
    assert cut("Onetwothree", 5) == "Onet…"
    assert cut("short", 5) == "short"
