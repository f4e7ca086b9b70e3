"""The cards the bank offers: what there is, and what people ask about it. Nothing personal."""

from shared.tools.cards import CardProduct, Cards, answers, score_of, words_of
from shared.tools.context import ToolContext
from shared.tools.failures import ToolRetryError
from shared.tools.policy import ToolPolicy
from shared.tools.registration import DATA_SOURCE, ID_PATTERN, ToolRegistrar
from shared.types import Json

_SHOWN = 3
_FOR_ALL = ToolPolicy()

_SEARCH_CARD_PRODUCTS: Json = {
    "name": "search_card_products",
    "description": "Find the credit cards of the bank that fit what the caller wants.",
    "parameters": {
        "type": "object",
        "properties": {
            "preferences": {
                "type": "string",
                "minLength": 1,
                "maxLength": 500,
                "description": "What matters to the caller, for example: travel, no annual fee.",
            },
            "customer_profile": {
                "type": "string",
                "maxLength": 500,
                "description": "What is known of the caller's habits.",
            },
            "spending_categories": {
                "type": "array",
                "maxItems": 10,
                "items": {"type": "string", "maxLength": 50},
                "description": "For example dining, travel, groceries.",
            },
        },
        "required": ["preferences"],
    },
}
_GET_CARD_DETAILS: Json = {
    "name": "get_card_details",
    "description": "Fees, rates and benefits of one card, and the answer to a question about it.",
    "parameters": {
        "type": "object",
        "properties": {
            "product_id": {"type": "string", "pattern": ID_PATTERN},
            "query": {
                "type": "string",
                "maxLength": 500,
                "description": "What the caller wants to know of it.",
            },
        },
        "required": ["product_id"],
    },
}
_SEARCH_FAQS: Json = {
    "name": "search_credit_card_faqs",
    "description": "Answers to frequent questions about the bank's credit cards.",
    "parameters": {
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 1, "maxLength": 500},
            "card_name": {
                "type": "string",
                "maxLength": 100,
                "description": "Only about this card.",
            },
            "top_k": {"type": "integer", "minimum": 1, "maximum": 10, "default": 3},
        },
        "required": ["query"],
    },
}


def register(registry: ToolRegistrar) -> None:
    """Bring in the tools that tell about cards."""
    for schema, executor, topic in (
        (_SEARCH_CARD_PRODUCTS, search_card_products, "cards"),
        (_GET_CARD_DETAILS, get_card_details, "cards"),
        (_SEARCH_FAQS, search_credit_card_faqs, "faq"),
    ):
        registry.register(
            schema["name"], schema, executor, tags={"banking", topic}, policy=_FOR_ALL
        )


async def search_card_products(arguments: Json, context: ToolContext) -> Json:
    """The cards on offer, those that fit best first; ``best_match`` is None if none does.

    Raises:
        UpstreamError: The records cannot be reached.
    """
    products = await Cards(context.services.documents).products()
    wanted = words_of(f"{arguments['preferences']} {arguments.get('customer_profile', '')}")
    categories = arguments.get("spending_categories", [])
    scored = [(score_of(each, wanted, categories), each) for each in products]
    scored.sort(key=lambda each: -each[0])
    best = scored[0] if scored and scored[0][0] else None
    return {
        "success": True,
        "cards": [_scored(each, score) for score, each in scored[:_SHOWN]],
        "available_product_ids": [each.product_id for each in products],
        "best_match": best[1].product_id if best else None,
        "no_foreign_fee_cards": [each.product_id for each in products if each.is_free_abroad],
        "message": "The best match comes first." if best else "No card fits better than another.",
        "data_source": DATA_SOURCE,
    }


async def get_card_details(arguments: Json, context: ToolContext) -> Json:
    """One card; with *query* also the answers that fit it.

    Raises:
        ToolRetryError: There is no such card.
    """
    product = await product_of(arguments["product_id"], context)
    query = arguments.get("query", "")
    return {
        "success": True,
        "card": product.card(),
        "answers": [
            {"topic": faq.topic, "answer": faq.answer}
            for _, faq in answers([product], query)[:_SHOWN]
        ],
        "data_source": DATA_SOURCE,
    }


async def search_credit_card_faqs(arguments: Json, context: ToolContext) -> Json:
    """Answers to a question, best first; finding none is a success that says so."""
    products = await Cards(context.services.documents).products()
    card_name = arguments.get("card_name", "")
    found = answers(products, arguments["query"], card_name=card_name)[: arguments["top_k"]]
    return {
        "success": True,
        "query": arguments["query"],
        "card_filter": card_name or None,
        "results": [
            {
                "card_name": product.name,
                "card_id": product.product_id,
                "topic": faq.topic,
                "answer": faq.answer,
            }
            for product, faq in found
        ],
        "source": DATA_SOURCE,
        "note": "Answer from the results only." if found else "Nothing was found. Say so.",
    }


async def product_of(product_id: str, context: ToolContext) -> CardProduct:
    """The card of that id.

    Raises:
        ToolRetryError: There is none.
    """
    product = await Cards(context.services.documents).product(product_id)
    if product is None:
        raise ToolRetryError("There is no such card. search_card_products tells the product ids.")
    return product


def _scored(product: CardProduct, score: int) -> Json:
    return {**product.card(), "_score": score, "_foreign_fee_free": product.is_free_abroad}
