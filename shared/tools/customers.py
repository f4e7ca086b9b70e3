"""The people the bank knows, as its records hold them."""

from dataclasses import dataclass, field

from shared.errors import UpstreamError
from shared.records.containers import CUSTOMERS
from shared.records.documents import Document, Documents
from shared.types import Json

_MAX_NAMESAKES = 20


@dataclass(frozen=True, slots=True)
class Customer:
    """A person the bank knows."""

    client_id: str
    full_name: str = field(repr=False)
    protected_digits: str | None = field(repr=False)
    """As `identity.protect` made it; compared when a caller identifies, never part of a result."""
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    tier: str = "standard"
    customer_since: str | None = None

    def profile(self) -> Json:
        """What may be told of the customer, with addresses that say which, and not what."""
        return {
            "client_id": self.client_id,
            "full_name": self.full_name,
            "tier": self.tier,
            "customer_since": self.customer_since,
            "phone": masked(self.phone),
            "email": masked(self.email),
        }


class Customers:
    """Finds customers."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def named(self, full_name: str) -> list[Customer]:
        """Everybody of that name; case, blanks and punctuation do not matter."""
        key = comparable_name(full_name)
        if not key:
            return []
        found = await self._documents.find(
            CUSTOMERS.name, where={"name_key": key}, limit=_MAX_NAMESAKES
        )
        return [_customer(each) for each in found]

    async def get(self, client_id: str) -> Customer | None:
        """The customer of that id."""
        found = await self._documents.read(CUSTOMERS.name, client_id, client_id)
        return _customer(found) if found else None


def comparable_name(name: str) -> str:
    """*name* as it is compared: lower case, letters and digits only, single blanks."""
    letters = "".join(char if char.isalnum() else " " for char in name.casefold())
    return " ".join(letters.split())


def masked(address: str | None) -> str | None:
    """A phone number or e-mail address that its owner recognises and nobody else learns."""
    if not address:
        return None
    name, at, domain = address.rpartition("@")
    if at:
        return f"{name[:1]}***@{domain}"
    return f"***{address[-2:]}"


def _customer(document: Document) -> Customer:
    body = document.body
    if not isinstance(body.get("full_name"), str):
        raise UpstreamError("records: a customer has no name")
    return Customer(
        client_id=document.id,
        full_name=body["full_name"],
        protected_digits=body.get("protected_digits"),
        phone=body.get("phone"),
        email=body.get("email"),
        tier=str(body.get("tier") or "standard"),
        customer_since=body.get("customer_since"),
    )
