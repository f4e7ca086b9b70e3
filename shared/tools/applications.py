"""Applications for cards: what was decided, agreed and signed, one for each client and card.

The steps are pure; `Applications.save` refuses a step that was taken from an older state.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from shared.records.containers import APPLICATIONS
from shared.records.documents import Document, Documents
from shared.tools.cards import CardProduct
from shared.types import Json

CODE_TRIES = 5
"""Wrong signature codes after which the agreement has to be sent again."""


class Eligibility(StrEnum):
    """What the bank's rules say of a client and a card."""

    PRE_APPROVED = "PRE_APPROVED"
    WITH_REVIEW = "APPROVED_WITH_REVIEW"
    PENDING = "PENDING_VERIFICATION"


class Status(StrEnum):
    """How far an application has come."""

    EVALUATED = "evaluated"
    AGREEMENT_SENT = "agreement_sent"
    SIGNED = "signed"
    APPROVED = "approved"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules say, and why nobody can argue: it follows from tier and cards alone."""

    eligibility: Eligibility
    score: int
    credit_limit: int

    @property
    def may_proceed(self) -> bool:
        """Whether an agreement may be sent."""
        return self.eligibility is not Eligibility.PENDING


@dataclass(frozen=True, slots=True)
class Application:
    """One client's wish for one card."""

    client_id: str
    product_id: str
    verdict: Verdict
    status: Status = Status.EVALUATED
    code_digest: str = field(default="", repr=False)
    code_expires_at: datetime | None = None
    code_tries_left: int = 0
    signed_at: datetime | None = None
    card_last4: str = ""
    finalized_at: datetime | None = None
    etag: str | None = None

    def evaluated(self, verdict: Verdict) -> "Application":
        """Judged again; what was agreed to holds only as long as the verdict does."""
        if verdict == self.verdict or self.status is Status.APPROVED:
            return self
        return replace(Application(self.client_id, self.product_id, verdict), etag=self.etag)

    def sent(self, digest: str, expires_at: datetime) -> "Application":
        """The agreement went out with a code; an earlier code is worth nothing now."""
        return replace(
            self,
            status=Status.AGREEMENT_SENT,
            code_digest=digest,
            code_expires_at=expires_at,
            code_tries_left=CODE_TRIES,
        )

    def awaits_code(self, now: datetime) -> bool:
        """Whether a code could still sign it."""
        return (
            self.status is Status.AGREEMENT_SENT
            and self.code_tries_left > 0
            and self.code_expires_at is not None
            and now < self.code_expires_at
        )

    def signed(self, now: datetime) -> "Application":
        """Signed; the code is used up."""
        return replace(self, status=Status.SIGNED, signed_at=now, code_digest="", code_tries_left=0)

    def missed(self) -> "Application":
        """A wrong code was tried."""
        return replace(self, code_tries_left=self.code_tries_left - 1)

    def approved(self, now: datetime, card_last4: str) -> "Application":
        """The card is granted."""
        return replace(self, status=Status.APPROVED, finalized_at=now, card_last4=card_last4)


class Applications:
    """Reads and keeps applications."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def get(self, client_id: str, product_id: str) -> Application | None:
        """The client's application for that card."""
        found = await self._documents.read(APPLICATIONS.name, client_id, product_id)
        return _application(found) if found else None

    async def of(self, client_id: str) -> list[Application]:
        """Every application of the client."""
        found = await self._documents.select(APPLICATIONS.name, client_id)
        return [_application(each) for each in found]

    async def save(self, application: Application) -> None:
        """Keep *application*.

        Raises:
            ConflictError: It was changed since it was read; nothing is kept.
        """
        document = Document(
            APPLICATIONS.name,
            application.client_id,
            application.product_id,
            _body(application),
            application.etag,
        )
        if application.etag is None:
            await self._documents.create(document)
        else:
            await self._documents.replace(document)


def judge(tier: str, product: CardProduct, *, has_card: bool) -> Verdict:
    """What the bank's rules say of a client of that tier who wants that card."""
    score = 50 + (15 if has_card else 0)
    score += {"gold": 15, "platinum": 30, "diamond": 30}.get(tier, 0)
    limit = 15_000 if score >= 80 else 8_500 if score >= 60 else 5_000
    if not product.admits(tier) or score < 55:
        return Verdict(Eligibility.PENDING, score, limit)
    return Verdict(
        Eligibility.PRE_APPROVED if score >= 75 else Eligibility.WITH_REVIEW, score, limit
    )


def _body(application: Application) -> Json:
    return {
        "status": application.status.value,
        "eligibility": application.verdict.eligibility.value,
        "score": application.verdict.score,
        "credit_limit": application.verdict.credit_limit,
        "code_digest": application.code_digest,
        "code_expires_at": _text(application.code_expires_at),
        "code_tries_left": application.code_tries_left,
        "signed_at": _text(application.signed_at),
        "card_last4": application.card_last4,
        "finalized_at": _text(application.finalized_at),
    }


def _application(document: Document) -> Application:
    body = document.body
    verdict = Verdict(Eligibility(body["eligibility"]), body["score"], body["credit_limit"])
    return Application(
        client_id=document.partition,
        product_id=document.id,
        verdict=verdict,
        status=Status(body["status"]),
        code_digest=body["code_digest"],
        code_expires_at=_instant(body["code_expires_at"]),
        code_tries_left=body["code_tries_left"],
        signed_at=_instant(body["signed_at"]),
        card_last4=body["card_last4"],
        finalized_at=_instant(body["finalized_at"]),
        etag=document.etag,
    )


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else instant.isoformat()


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
