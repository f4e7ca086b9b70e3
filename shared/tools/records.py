"""What the bank knows of its customers, and what may be done with it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Customer:
    """A person the bank knows."""

    client_id: str
    full_name: str
    ssn_last_4: str = field(repr=False)
    """Compared when a caller identifies; never part of a result."""
    phone: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Account:
    """Money of one customer."""

    type: str
    balance: Decimal
    available: Decimal
    number_last4: str
    currency: str = "USD"


class TransactionKind(StrEnum):
    """What moved the money."""

    CARD = "card_payment"
    FEE = "fee"
    DEPOSIT = "deposit"
    TRANSFER = "transfer"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Transaction:
    """Money that moved; ``amount`` is negative where it left the account."""

    transaction_id: str
    on: date
    description: str
    amount: Decimal
    kind: TransactionKind
    account_last4: str
    status: str = "posted"
    flagged_because: str | None = None
    """Why the bank itself finds it suspicious."""


@dataclass(frozen=True, slots=True)
class Refund:
    """A fee that was given back."""

    refund_id: str
    transaction_id: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Callback:
    """A call that a person of the bank owes someone."""

    callback_id: str
    client_id: str | None
    phone: str = field(repr=False)
    department: str
    reason: str = field(repr=False)
    preferred_time: str | None = field(repr=False)
    requested_at: datetime


class RecordStore(Protocol):
    """The bank's records. Every method raises UpstreamError if they cannot be reached."""

    @property
    def source(self) -> str:
        """``mock`` for demonstration data, ``cosmos`` for a database."""
        ...

    async def find_customers(self, full_name: str) -> Sequence[Customer]:
        """Everybody of that name; case, blanks and punctuation do not matter."""
        ...

    async def customer(self, client_id: str) -> Customer | None:
        """The customer of that id."""
        ...

    async def accounts(self, client_id: str) -> Sequence[Account]:
        """The customer's accounts; empty if there are none."""
        ...

    async def transactions(self, client_id: str, limit: int) -> Sequence[Transaction]:
        """The customer's latest transactions, newest first."""
        ...

    async def transaction(self, client_id: str, transaction_id: str) -> Transaction | None:
        """One transaction of the customer's."""
        ...

    async def refund(
        self, client_id: str, transaction_id: str, amount: Decimal, idempotency_key: str
    ) -> Refund:
        """Give a fee back to the customer.

        Atomic: of two refunds of one transaction one happens. The same key again returns the same
        refund and moves nothing.

        Raises:
            NotFoundError: The customer has no such transaction.
            ConflictError: It was refunded before, under another key.
        """
        ...

    async def add_callback(self, callback: Callback, idempotency_key: str) -> Callback:
        """Note that someone is to be called; the same key again returns the first one."""
        ...


def comparable_name(name: str) -> str:
    """*name* as it is compared: lower case, letters and digits only, single blanks."""
    letters = "".join(char if char.isalnum() else " " for char in name.casefold())
    return " ".join(letters.split())
