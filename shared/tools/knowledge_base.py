"""Looking things up in what the bank has written down."""

from shared.knowledge.passages import Passage
from shared.tools.context import ToolContext
from shared.tools.policy import ToolPolicy
from shared.tools.registration import ToolRegistrar
from shared.types import Json

CONTENT_CHARS = 500
SNIPPET_CHARS = 160


def register(registry: ToolRegistrar) -> None:
    """Bring in the search."""
    registry.register(
        "search_knowledge_base",
        {
            "name": "search_knowledge_base",
            "description": (
                "Search the bank's policies, products and answers to frequent questions. Answer "
                "from the results only."
            ),
            "parameters": {
                "type": "object",
                "properties": {
                    "query": {
                        "type": "string",
                        "minLength": 1,
                        "maxLength": 500,
                        "description": "What the caller wants to know, as a question.",
                    },
                    "collection": {
                        "type": "string",
                        "enum": ["general", "products", "policies", "faq"],
                        "default": "general",
                        "description": "Where to look; general looks everywhere.",
                    },
                    "top_k": {"type": "integer", "minimum": 1, "maximum": 10, "default": 5},
                },
                "required": ["query"],
            },
        },
        search_knowledge_base,
        tags={"rag", "knowledge"},
        policy=ToolPolicy(timeout_s=4.0),
    )


async def search_knowledge_base(arguments: Json, context: ToolContext) -> Json:
    """Search; ``source`` tells where the results come from, and finding nothing is a success.

    Raises:
        UpstreamError: The knowledge base cannot be reached; nothing is made up instead.
    """
    knowledge = context.services.knowledge
    passages = await knowledge.search(
        arguments["query"], collection=arguments["collection"], top_k=arguments["top_k"]
    )
    found = len(passages)
    return {
        "success": True,
        "message": f"{found} results." if found else "Nothing was found. Say so.",
        "results": [_result(each) for each in passages],
        "source": knowledge.source,
    }


def _result(passage: Passage) -> Json:
    return {
        "title": passage.title,
        "content": cut(passage.content, CONTENT_CHARS),
        "snippet": cut(passage.content, SNIPPET_CHARS),
        "url": passage.url,
        "score": passage.score,
        "doc_type": passage.collection,
    }


def cut(text: str, limit: int) -> str:
    """The beginning of *text*, at most *limit* characters, ended after a sentence or a word."""
    if len(text) <= limit:
        return text
    head = text[:limit]
    sentence_end = max(head.rfind(mark) for mark in (". ", "! ", "? "))
    if sentence_end > 0:
        return head[: sentence_end + 1]
    # Room for the mark that says that there is more.
    shorter = head[: limit - 1]
    return (shorter.rsplit(" ", 1)[0] or shorter) + "…"
