"""Accounts and the money that moves on them, as the bank's records hold them.

A transaction of the database spans one partition of one container. So the balance of an account is
kept beside the transactions of its owner: money moves and is recorded in the same instant, or not.
Amounts are stored as text, so that they stay exact.
"""

import asyncio
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum

from shared.errors import ConflictError, NotFoundError, UpstreamError
from shared.records.containers import ACCOUNTS, TRANSACTIONS
from shared.records.documents import Document, Documents
from shared.types import Json

_BALANCE = "balance"
_ATTEMPTS = 4
"""Of a refund, while others change the same account."""


class AlreadyRefundedError(ConflictError):
    """The fee was given back before, by another request."""

    code = "already_refunded"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of one customer."""

    type: str
    balance: Decimal
    available: Decimal
    number_last4: str
    routing_number: str | None
    currency: str


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
    posted_at: str
    """An instant, ISO 8601, UTC."""
    description: str
    amount: Decimal
    kind: TransactionKind
    account_last4: str
    status: str
    flagged_because: str | None
    """Why the bank itself finds it suspicious."""


@dataclass(frozen=True, slots=True)
class RefundOrder:
    """A fee to give back."""

    client_id: str
    transaction_id: str
    amount: Decimal
    request: str
    """Names the wish: the same wish again is the same refund."""
    at: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Refund:
    """A fee that was given back."""

    refund_id: str
    transaction_id: str
    amount: Decimal


class Accounts:
    """Reads accounts and gives fees back."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    async def accounts(self, client_id: str) -> list[Account]:
        """The customer's accounts; empty if there are none."""
        described, held = await asyncio.gather(
            self._documents.select(ACCOUNTS.name, client_id),
            self._documents.select(TRANSACTIONS.name, client_id, where={"kind": _BALANCE}),
        )
        balances = {each.body.get("account"): each for each in held}
        return [_account(each, balances.get(each.id)) for each in described]

    async def transactions(self, client_id: str, limit: int) -> list[Transaction]:
        """The customer's latest transactions, newest first."""
        found = await self._documents.select(
            # What has no posted_at, as balances have not, comes last.
            TRANSACTIONS.name,
            client_id,
            newest_first_by="posted_at",
            limit=limit,
        )
        return [_transaction(each) for each in found if each.body.get("kind") != _BALANCE]

    async def transaction(self, client_id: str, transaction_id: str) -> Transaction | None:
        """One transaction of the customer's."""
        found = await self._read(client_id, transaction_id)
        return _transaction(found) if found else None

    async def refund(self, order: RefundOrder) -> Refund:
        """Give a fee back: the refund, the mark on the fee and the new balance, or nothing.

        Raises:
            NotFoundError: The customer has no such transaction.
            AlreadyRefundedError: It was refunded before, for another wish.
            ConflictError: The account is being changed all the time; nothing was done.
        """
        for _ in range(_ATTEMPTS):
            fee = await self._read(order.client_id, order.transaction_id)
            if fee is None:
                raise NotFoundError("no such transaction")
            if refunded_by := fee.body.get("refunded_by"):
                return await self._earlier(order, str(refunded_by))
            try:
                return await self._move(order, fee)
            except ConflictError:
                continue
        raise ConflictError("the account is busy")

    async def _move(self, order: RefundOrder, fee: Document) -> Refund:
        account = str(fee.body.get("account"))
        balance = await self._documents.read(
            TRANSACTIONS.name, order.client_id, balance_id(account)
        )
        if balance is None:
            raise UpstreamError("records: an account has no balance")
        refund = Refund(f"RF-{order.transaction_id}", order.transaction_id, order.amount)
        body: Json = {
            "kind": TransactionKind.REFUND.value,
            "account": account,
            "amount": str(order.amount),
            "posted_at": order.at.isoformat(),
            "description": f"Refund of {fee.body.get('description', 'a fee')}",
            "status": "posted",
            "refunds": order.transaction_id,
            "request": order.request,
            "reason": order.reason,
        }
        await self._documents.write_together(
            TRANSACTIONS.name,
            order.client_id,
            creates=[Document(TRANSACTIONS.name, order.client_id, refund.refund_id, body)],
            replaces=[
                replace(fee, body={**fee.body, "refunded_by": refund.refund_id}),
                replace(balance, body=_raised(balance.body, order.amount)),
            ],
        )
        return refund

    async def _earlier(self, order: RefundOrder, refund_id: str) -> Refund:
        """The refund there is, if it was made for the same wish."""
        found = await self._read(order.client_id, refund_id)
        if found is None or found.body.get("request") != order.request:
            raise AlreadyRefundedError("the transaction was refunded before")
        return Refund(found.id, order.transaction_id, _money(found.body, "amount"))

    async def _read(self, client_id: str, transaction_id: str) -> Document | None:
        found = await self._documents.read(TRANSACTIONS.name, client_id, transaction_id)
        return found if found and found.body.get("kind") != _BALANCE else None


def balance_id(account: str) -> str:
    """The id of the document that holds the balance of *account*."""
    return f"balance-{account}"


def _raised(body: Json, amount: Decimal) -> Json:
    """*body* with *amount* more in both of its figures."""
    raised = {name: str(_money(body, name) + amount) for name in ("balance", "available")}
    return {**body, **raised}


def _account(described: Document, balance: Document | None) -> Account:
    if balance is None:
        # Zero would be an invention.
        raise UpstreamError("records: an account has no balance")
    return Account(
        type=str(described.body.get("type", "")),
        balance=_money(balance.body, "balance"),
        available=_money(balance.body, "available"),
        number_last4=described.id,
        routing_number=described.body.get("routing_number"),
        currency=str(described.body.get("currency") or "USD"),
    )


def _transaction(document: Document) -> Transaction:
    body = document.body
    try:
        kind = TransactionKind(str(body.get("kind")))
    except ValueError:
        raise UpstreamError("records: a transaction is of an unknown kind") from None
    return Transaction(
        transaction_id=document.id,
        posted_at=str(body.get("posted_at", "")),
        description=str(body.get("description", "")),
        amount=_money(body, "amount"),
        kind=kind,
        account_last4=str(body.get("account", "")),
        status=str(body.get("status") or "posted"),
        flagged_because=body.get("flagged_because"),
    )


def _money(body: Json, name: str) -> Decimal:
    try:
        amount = Decimal(str(body[name]))
    except (KeyError, InvalidOperation):
        raise UpstreamError("records: an amount is missing or malformed") from None
    if not amount.is_finite():
        raise UpstreamError("records: an amount is missing or malformed")
    return amount
