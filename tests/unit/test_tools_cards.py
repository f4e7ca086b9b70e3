"""Cards on offer, and the way to one: judged, agreed, signed, granted, in this order only."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from shared.errors import ConflictError, UpstreamError
from shared.records.documents import Document
from shared.tools.applications import Application, Eligibility, Status, judge
from shared.tools.cards import CardProduct
from shared.tools.context import EphemeralFacts, ToolContext
from shared.tools.failures import ToolFailedError
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.bank import FakeDelivery, bank, body_of
from tests.unit.document_fakes import FakeDocuments
from tests.unit.tool_fakes import EMILY, MARCUS, FakeLedger, context, emily, services

REGISTRY = build_registry()
TRAVEL = {"card_product_id": "travel-rewards"}


@dataclass
class MovableClock:
    """A clock that a test moves."""

    at: datetime = datetime(2026, 11, 28, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """The time."""
        return self.at

    def monotonic(self) -> float:
        """Unused."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


class Counter:
    """Emily at the counter: each thing she does is a turn of its own."""

    def __init__(self, documents: FakeDocuments | None = None) -> None:
        self.delivery, self.documents = FakeDelivery(), documents or bank()
        self.clock, self.ledger = MovableClock(), FakeLedger()
        self.using = services(documents=self.documents, delivery=self.delivery, clock=self.clock)
        self.who = emily(using=self.using, has_mfa=True)
        self._turn = 0

    def turn(self) -> ToolContext:
        """The next turn."""
        self._turn += 1
        return replace(self.who, idempotency_key=f"turn-{self._turn}")

    async def run(
        self, tool: str, arguments: Json | None = None, who: ToolContext | None = None
    ) -> Json:
        """Run a tool as the agent does."""
        arguments = TRAVEL if arguments is None else arguments
        return await run_tool(REGISTRY, tool, arguments, who or self.turn(), self.ledger)

    async def agree(self, arguments: Json | None = None) -> str:
        """Be judged and get the agreement; returns the code."""
        assert (await self.run("evaluate_card_eligibility", arguments))["success"]
        assert (await self.run("send_card_agreement", arguments))["success"]
        return self.delivery.code()

    async def sign(self, code: str) -> Json:
        """Read the code out."""
        return await self.run("verify_esignature", {"verification_code": code})

    def application(self) -> Json:
        """What is stored of it."""
        return body_of(self.documents, "applications", "travel-rewards")


async def test_card_is_granted_after_judgement_agreement_and_signature() -> None:
    """The whole way, and what every step leaves behind."""
    counter = Counter()
    judged = await counter.run("evaluate_card_eligibility")
    assert judged["eligibility_status"] == "PRE_APPROVED"
    assert (judged["eligibility_score"], judged["credit_limit"]) == (80, 15000)
    assert (judged["can_proceed_to_agreement"], judged["customer_tier"]) == (True, "gold")
    sent = await counter.run("send_card_agreement")
    assert (sent["email_sent"], sent["email"], sent["expires_in_hours"]) == (
        True,
        "e***@example.com",
        24,
    )
    signed = await counter.sign(counter.delivery.code())
    assert (signed["verified"], signed["credit_limit"]) == (True, 15000)
    granted = await counter.run("finalize_card_application")
    assert (granted["approved"], granted["credit_limit"]) == (True, 15000)
    assert granted["confirmation_email_sent"] is True
    card = body_of(counter.documents, "cards", "card-travel-rewards")
    assert card["number_last4"] == granted["card_number_last4"]
    assert len(granted["card_number_last4"]) == 4
    assert counter.application()["status"] == "approved"
    assert (await counter.run("evaluate_card_eligibility"))["error"] == "tool_failed"


async def test_signature_code_is_shown_to_nobody() -> None:
    """Upstream handed it to the model."""
    counter = Counter()
    judged = await counter.run("evaluate_card_eligibility")
    sent = await counter.run("send_card_agreement")
    code = counter.delivery.code()
    signed = await counter.sign(code)
    for place in (judged, sent, signed, counter.ledger.entries, counter.application()):
        assert code not in str(place)


async def test_signature_code_works_once() -> None:
    """Upstream took it for 24 hours."""
    counter = Counter()
    code = await counter.agree()
    assert (await counter.sign(code))["verified"] is True
    assert (await counter.sign(code))["error"] == "tool_failed"


async def test_signature_code_works_once_of_many_at_a_time() -> None:
    """Two instances that read the same state cannot both use the code up."""
    counter = Counter()
    code = await counter.agree()
    results = await asyncio.gather(*(counter.sign(code) for _ in range(5)))
    assert sum(each["success"] for each in results) == 1


async def test_signature_code_ends_after_a_day_and_after_five_tries() -> None:
    """Neither patience nor guessing helps."""
    counter = Counter()
    code = await counter.agree()
    counter.clock.at += timedelta(hours=24)
    assert (await counter.sign(code))["error"] == "tool_failed"
    counter = Counter()
    code = await counter.agree()
    wrong = [f"{(int(code) + n) % 1_000_000:06d}" for n in range(1, 6)]
    results = [await counter.sign(each) for each in wrong]
    assert [each["tries_left"] for each in results] == [4, 3, 2, 1, 0]
    assert (await counter.sign(code))["error"] == "tool_failed"


async def test_signature_code_is_for_one_client_and_one_card() -> None:
    """Upstream kept one code for everybody."""
    counter = Counter()
    code = await counter.agree()
    facts = {"client_id": MARCUS, "authenticated": True, "mfa_client_id": MARCUS}
    marcus = replace(counter.turn(), memo=EphemeralFacts(facts))
    arguments = {"verification_code": code}
    assert (await counter.run("verify_esignature", arguments, marcus))["error"] == "tool_failed"
    other = Document("cards", "products", "other", {"name": "Other", "annual_fee": 1})
    counter = Counter(bank(other))
    first = await counter.agree()
    await counter.agree({"card_product_id": "other"})
    signed = await counter.sign(first)
    assert signed["card_product_id"] == "travel-rewards"


async def test_agreement_that_is_sent_again_makes_the_first_code_void() -> None:
    """What is signed is what was sent last."""
    counter = Counter()
    first = await counter.agree()
    second = await counter.agree()
    if first != second:
        assert (await counter.sign(first))["verified"] is False
    assert (await counter.sign(second))["verified"] is True


async def test_card_is_not_granted_unsigned() -> None:
    """Upstream approved without a signature, and cards that do not exist."""
    counter = Counter()
    for _ in range(2):
        assert (await counter.run("finalize_card_application"))["error"] == "refused:signature"
        await counter.agree()
    unknown = await counter.run("finalize_card_application", {"card_product_id": "gold-bar"})
    assert unknown["error"] == "retry"
    assert [each.id for each in counter.documents.held("cards") if each.partition == EMILY] == [
        "card-everyday-cash"
    ]


async def test_card_is_granted_once() -> None:
    """Asked for again in another turn, it is the same card, and no second letter goes out."""
    counter = Counter()
    await counter.sign(await counter.agree())
    first = await counter.run("finalize_card_application")
    letters = len(counter.delivery.sent)
    again = await counter.run("finalize_card_application")
    assert again["card_number_last4"] == first["card_number_last4"]
    assert again["finalized_at"] == first["finalized_at"]
    assert len(counter.delivery.sent) == letters
    assert (await counter.run("send_card_agreement"))["error"] == "tool_failed"


class Cardless(FakeDocuments):
    """Keeps everything but cards, until it is mended."""

    is_broken = True

    async def create(self, document: Document) -> Document:
        """Fail."""
        if self.is_broken and document.container == "cards":
            raise UpstreamError("the database did not answer in time")
        return await super().create(document)


async def test_card_that_was_approved_and_not_issued_is_issued_the_next_time() -> None:
    """Between the approval and the card an instance may die; the client has signed for one card."""
    held = [each for name in ("customers", "cards") for each in bank().held(name)]
    documents = Cardless(held)
    counter = Counter(documents)
    await counter.sign(await counter.agree())
    assert (await counter.run("finalize_card_application"))["error"] == "outcome_unknown"
    last4 = counter.application()["card_last4"]
    documents.is_broken = False
    granted = await counter.run("finalize_card_application")
    assert granted["card_number_last4"] == last4
    assert body_of(documents, "cards", "card-travel-rewards")["number_last4"] == last4


async def test_card_that_is_blocked_stays_so_when_it_is_granted_again() -> None:
    """The answer is the same; what became of the card since is not undone."""
    counter = Counter()
    await counter.sign(await counter.agree())
    await counter.run("finalize_card_application")
    documents = counter.documents
    issued = await documents.read("cards", EMILY, "card-travel-rewards")
    assert issued is not None
    await documents.replace(replace(issued, body={**issued.body, "status": "blocked"}))
    assert (await counter.run("finalize_card_application"))["success"] is True
    assert body_of(documents, "cards", "card-travel-rewards")["status"] == "blocked"


async def test_card_name_that_is_of_another_card_stops_the_grant() -> None:
    """The model mixed two cards up; the caller signed for one of them."""
    counter = Counter()
    await counter.sign(await counter.agree())
    mixed = {**TRAVEL, "card_name": "Everyday Cash"}
    assert (await counter.run("finalize_card_application", mixed))["error"] == "retry"
    right = {**TRAVEL, "card_name": "travel rewards"}
    assert (await counter.run("finalize_card_application", right))["success"] is True


@pytest.mark.parametrize("failure", [UpstreamError("no answer"), ToolFailedError("Refused.")])
async def test_card_is_granted_though_the_letter_is_not_sent(failure: Exception) -> None:
    """The truth about both."""
    counter = Counter()
    await counter.sign(await counter.agree())
    counter.delivery.failures.append(failure)
    granted = await counter.run("finalize_card_application")
    assert (granted["approved"], granted["confirmation_email_sent"]) == (True, False)
    assert granted["email_error"] == "not_sent"


async def test_agreement_that_did_not_go_out_is_not_sent() -> None:
    """Upstream said "sent" without mail and without Redis."""
    counter = Counter()
    await counter.run("evaluate_card_eligibility")
    counter.delivery.failures.append(UpstreamError("no answer"))
    assert (await counter.run("send_card_agreement"))["error"] == "retry"
    assert (await counter.run("send_card_agreement"))["success"] is True


async def test_agreement_needs_a_judgement_and_a_mailbox() -> None:
    """Upstream wrote to customer@email.com."""
    counter = Counter()
    assert (await counter.run("send_card_agreement"))["error"] == "retry"
    (person,) = (each for each in bank().held("customers") if each.id == EMILY)
    counter = Counter(bank(Document("customers", EMILY, EMILY, {**person.body, "email": None})))
    await counter.run("evaluate_card_eligibility")
    assert (await counter.run("send_card_agreement"))["error"] == "tool_failed"
    counter = Counter()
    await counter.run("evaluate_card_eligibility")
    counter.delivery.methods = frozenset()
    assert (await counter.run("send_card_agreement"))["error"] == "tool_failed"


async def test_agreements_are_not_sent_without_end() -> None:
    """A mailbox is not to be flooded, nor a code guessed five times as often."""
    counter = Counter()
    await counter.run("evaluate_card_eligibility")
    results = [await counter.run("send_card_agreement") for _ in range(6)]
    assert [each["success"] for each in results] == [True] * 5 + [False]
    assert results[5]["error"] == "refused:person"


async def test_client_who_may_not_have_a_card_gets_no_agreement() -> None:
    """Only a person can decide otherwise."""
    counter, platinum = Counter(), {"card_product_id": "platinum-reserve"}
    judged = await counter.run("evaluate_card_eligibility", platinum)
    assert judged["eligibility_status"] == "PENDING_VERIFICATION"
    assert (judged["can_proceed_to_agreement"], judged["next_step"]) == (False, "escalate_human")
    assert (await counter.run("send_card_agreement", platinum))["error"] == "tool_failed"


@pytest.mark.parametrize(
    ("tier", "has_card", "eligibility", "limit"),
    [
        ("standard", False, Eligibility.PENDING, 5000),
        ("standard", True, Eligibility.WITH_REVIEW, 8500),
        ("gold", False, Eligibility.WITH_REVIEW, 8500),
        ("gold", True, Eligibility.PRE_APPROVED, 15000),
        ("platinum", False, Eligibility.PRE_APPROVED, 15000),
        ("diamond", True, Eligibility.PRE_APPROVED, 15000),
        ("wizard", False, Eligibility.PENDING, 5000),
    ],
)
def test_judgement_follows_from_tier_and_cards_alone(
    tier: str, has_card: bool, eligibility: Eligibility, limit: int
) -> None:
    """Upstream drew the limit at random."""
    product = CardProduct("p", "P", {}, ())
    verdicts = [judge(tier, product, has_card=has_card) for _ in range(3)]
    assert [(each.eligibility, each.credit_limit) for each in verdicts] == [
        (eligibility, limit)
    ] * 3


def test_signature_does_not_outlive_its_verdict() -> None:
    """Signed for 15000, judged at 8500: that has to be agreed upon anew."""
    product = CardProduct("p", "P", {}, ())
    high, low = judge("gold", product, has_card=True), judge("gold", product, has_card=False)
    now = datetime(2026, 11, 28, tzinfo=UTC)
    signed = Application("c", "p", high, etag="e").signed(now)
    assert signed.evaluated(high) is signed
    again = signed.evaluated(low)
    assert (again.status, again.signed_at, again.etag) == (Status.EVALUATED, None, "e")
    approved = signed.approved(now, "1234")
    assert approved.evaluated(low) is approved


class Contested(FakeDocuments):
    """Somebody else is always faster."""

    async def replace(self, document: Document) -> Document:
        """Too late."""
        raise ConflictError("the document was changed since it was read")


async def test_step_that_somebody_else_took_first_is_not_taken() -> None:
    """The loser of a race is told to look again; nothing of its own is kept."""
    documents = bank()
    counter = Counter(documents)
    code = await counter.agree()
    held = [
        each for name in ("customers", "cards", "applications") for each in documents.held(name)
    ]
    contested = Contested(held)
    counter.using = services(documents=contested, clock=counter.clock)
    counter.who = emily(using=counter.using, has_mfa=True)
    assert (await counter.sign(code))["error"] == "retry"
    assert body_of(contested, "applications", "travel-rewards")["status"] == "agreement_sent"


async def test_search_card_products_finds_what_fits() -> None:
    """What is asked for decides the order; what is known of the caller counts, too."""
    result = await REGISTRY.execute(
        "search_card_products",
        {"preferences": "I travel abroad a lot", "spending_categories": ["dining"]},
        context(),
    )
    assert result["best_match"] == "travel-rewards"
    assert result["available_product_ids"] == [
        "everyday-cash",
        "platinum-reserve",
        "travel-rewards",
    ]
    assert result["no_foreign_fee_cards"] == ["platinum-reserve", "travel-rewards"]
    card = result["cards"][0]
    assert (card["annual_fee"], card["_foreign_fee_free"]) == (95, True)
    assert "faqs" not in card
    profile = {"preferences": "something useful", "customer_profile": "groceries and fuel"}
    assert (await REGISTRY.execute("search_card_products", profile, context()))["best_match"] == (
        "everyday-cash"
    )
    free = {"preferences": "no annual fee", "spending_categories": None}
    assert (await REGISTRY.execute("search_card_products", free, context()))["best_match"] == (
        "everyday-cash"
    )
    nothing = await REGISTRY.execute("search_card_products", {"preferences": "zebra"}, context())
    assert nothing["best_match"] is None


async def test_get_card_details_tells_terms_and_answers() -> None:
    """Upstream ignored the question."""
    result = await REGISTRY.execute(
        "get_card_details",
        {"product_id": "travel-rewards", "query": "Is a trip delay insured?"},
        context(),
    )
    assert result["card"]["regular_apr"] == "21.9 percent"
    assert result["answers"][0]["topic"] == "trip delay insurance"
    plain = await REGISTRY.execute("get_card_details", {"product_id": "travel-rewards"}, context())
    assert plain["answers"] == []
    unknown = await REGISTRY.execute("get_card_details", {"product_id": "none"}, context())
    assert unknown["error"] == "retry"


async def test_search_credit_card_faqs_filters_and_says_when_it_finds_nothing() -> None:
    """An answer about another card is a wrong answer."""
    question = {"query": "What is the foreign transaction fee?"}
    every = await REGISTRY.execute("search_credit_card_faqs", question, context())
    assert {each["card_id"] for each in every["results"][:2]} == {"everyday-cash", "travel-rewards"}
    one = await REGISTRY.execute(
        "search_credit_card_faqs",
        {**question, "card_name": "Travel Rewards", "top_k": 1},
        context(),
    )
    assert [each["card_id"] for each in one["results"]] == ["travel-rewards"]
    assert (one["card_filter"], one["source"]) == ("Travel Rewards", "cosmos")
    nothing = await REGISTRY.execute("search_credit_card_faqs", {"query": "zebra"}, context())
    assert nothing["results"] == []
    assert "Say so" in nothing["note"]
