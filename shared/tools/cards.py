"""The cards the bank offers, and those its customers have."""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from shared.errors import ConflictError
from shared.records.containers import CARDS
from shared.records.documents import Document, Documents
from shared.types import Json

PRODUCTS = "products"
"""The partition of the cards on offer; those of a customer are in the customer's own."""

TIERS = ("standard", "gold", "platinum", "diamond")
"""From the lowest."""

_WORD = re.compile(r"[a-z0-9]+")
_NO_MEANING = frozenset(
    _WORD.findall(
        "a about an and any are at be can card cards credit do does for from get have how i if in "
        "is it like me my of on or that the there to want what when which with would you your"
    )
)


@dataclass(frozen=True, slots=True)
class Faq:
    """A question that is asked often, by its topic, and the answer."""

    topic: str
    answer: str


@dataclass(frozen=True, slots=True)
class CardProduct:
    """A card on offer."""

    product_id: str
    name: str
    terms: Json
    """Fees, rates, benefits: what the bank publishes."""
    faqs: tuple[Faq, ...]

    @property
    def is_free_abroad(self) -> bool:
        """Whether paying in another currency costs nothing extra."""
        return self.terms.get("foreign_transaction_fee") == 0

    def card(self) -> Json:
        """What is told of it."""
        return {"product_id": self.product_id, "name": self.name, **self.terms}

    def admits(self, tier: str) -> bool:
        """Whether a customer of that tier may have it."""
        required = str(self.terms.get("tier_requirement") or TIERS[0])
        return rank_of(tier) >= rank_of(required)


class Cards:
    """Reads cards, and keeps those that are issued."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def products(self) -> list[CardProduct]:
        """Every card on offer."""
        found = await self._documents.select(CARDS.name, PRODUCTS)
        return sorted((_product(each) for each in found), key=lambda each: each.product_id)

    async def product(self, product_id: str) -> CardProduct | None:
        """The card of that id."""
        found = await self._documents.read(CARDS.name, PRODUCTS, product_id)
        return _product(found) if found else None

    async def held_by(self, client_id: str) -> list[Json]:
        """The cards a customer has."""
        return [each.body for each in await self._documents.select(CARDS.name, client_id)]

    async def issue(self, client_id: str, card_id: str, body: Json) -> None:
        """Keep a card that was approved; one that is there already stays as it is."""
        with suppress(ConflictError):  # by now it may have been blocked, say
            await self._documents.create(Document(CARDS.name, client_id, card_id, body))


def rank_of(tier: str) -> int:
    """The higher the better; an unknown tier counts as the lowest."""
    return TIERS.index(tier) if tier in TIERS else 0


def words_of(text: str) -> set[str]:
    """The words of *text* that mean something."""
    return {word for word in _WORD.findall(text.lower()) if word not in _NO_MEANING}


def overlap(wanted: set[str], text: str) -> int:
    """How many of the *wanted* words *text* has, plural or not."""
    have = {_stem(word) for word in words_of(text)}
    return sum(_stem(word) in have for word in wanted)


def score_of(product: CardProduct, wanted: set[str], categories: Iterable[str]) -> int:
    """How well a card fits: two points for a spending category, one for every other word."""
    terms = product.terms
    said = " ".join([product.name, *_texts(terms)])
    score = overlap(wanted, said)
    score += 2 * sum(overlap(words_of(each), said) > 0 for each in categories)
    if product.is_free_abroad and wanted & {"travel", "abroad", "foreign", "international"}:
        score += 2
    if terms.get("annual_fee") == 0 and wanted & {"free", "fee", "fees", "cheap"}:
        score += 2
    return score


def answers(
    products: Sequence[CardProduct], query: str, *, card_name: str = ""
) -> list[tuple[CardProduct, Faq]]:
    """The answers that share words with *query*, best first; of one card if it is named."""
    wanted, name = words_of(query), words_of(card_name)
    scored = [
        (overlap(wanted, f"{faq.topic} {faq.topic} {faq.answer}"), product, faq)
        for product in products
        for faq in product.faqs
        if not name or name <= words_of(f"{product.name} {product.product_id}")
    ]
    found = sorted(
        (each for each in scored if each[0]),
        key=lambda each: (-each[0], each[1].product_id, each[2].topic),
    )
    return [(product, faq) for _, product, faq in found]


def _product(document: Document) -> CardProduct:
    body = dict(document.body)
    faqs = body.pop("faqs", None) or ()
    return CardProduct(
        product_id=document.id,
        name=str(body.pop("name", document.id)),
        terms=body,
        faqs=tuple(Faq(str(each["topic"]), str(each["answer"])) for each in faqs),
    )


def _texts(terms: Json) -> list[str]:
    """Every text among the terms, one level deep."""
    texts = []
    for value in terms.values():
        if isinstance(value, str):
            texts.append(value)
        elif isinstance(value, list | dict):
            parts = value.values() if isinstance(value, dict) else value
            texts += [str(part) for part in parts]
    return texts


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") else word
