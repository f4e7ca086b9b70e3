"""The records of a bank that does not exist, for trying things out without a database.

They live in memory: what is refunded here is forgotten with the process.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

from shared.clock import Clock
from shared.errors import ConflictError, NotFoundError
from shared.tools.records import (
    Account,
    Callback,
    Customer,
    Refund,
    Transaction,
    TransactionKind,
    comparable_name,
)

DEMO_BANK = Path(__file__).with_name("demo_bank.yaml")


class EmbeddedRecords:
    """A `RecordStore` over the demonstration data.

    Args:
        path: YAML of the form of ``demo_bank.yaml``; read once, here.
        clock: The data says how many days ago something was.
    """

    source = "mock"

    def __init__(self, clock: Clock, path: Path = DEMO_BANK) -> None:
        self._clock = clock
        self._customers: dict[str, Customer] = {}
        self._accounts: dict[str, list[Account]] = {}
        self._transactions: dict[str, list[Transaction]] = {}
        self._refunds: dict[tuple[str, str], tuple[str, Refund]] = {}
        self._callbacks: dict[str, Callback] = {}
        for entry in yaml.safe_load(path.read_text(encoding="utf-8"))["customers"]:
            self._add(entry)

    def _add(self, entry: Mapping[str, Any]) -> None:
        client_id = entry["client_id"]
        self._customers[client_id] = Customer(
            client_id, entry["full_name"], entry["ssn_last_4"], entry["phone"]
        )
        self._accounts[client_id] = [
            Account(each["type"], _money(each["balance"]), _money(each["available"]), each["last4"])
            for each in entry["accounts"]
        ]
        today = self._clock.now().date()
        self._transactions[client_id] = [
            Transaction(
                transaction_id=each["id"],
                on=today - timedelta(days=each["days_ago"]),
                description=each["description"],
                amount=_money(each["amount"]),
                kind=TransactionKind(each["kind"]),
                account_last4=each["account"],
                status=each.get("status", "posted"),
                flagged_because=each.get("flagged_because"),
            )
            for each in entry["transactions"]
        ]

    async def find_customers(self, full_name: str) -> Sequence[Customer]:
        """Everybody of that name."""
        wanted = comparable_name(full_name)
        return [
            each
            for each in self._customers.values()
            if wanted and comparable_name(each.full_name) == wanted
        ]

    async def customer(self, client_id: str) -> Customer | None:
        """The customer of that id."""
        return self._customers.get(client_id)

    async def accounts(self, client_id: str) -> Sequence[Account]:
        """The customer's accounts."""
        return tuple(self._accounts.get(client_id, ()))

    async def transactions(self, client_id: str, limit: int) -> Sequence[Transaction]:
        """The customer's latest transactions, newest first."""
        newest_first = sorted(
            self._transactions.get(client_id, ()), key=lambda each: each.on, reverse=True
        )
        return tuple(newest_first[: max(limit, 0)])

    async def transaction(self, client_id: str, transaction_id: str) -> Transaction | None:
        """One transaction of the customer's."""
        return self._transaction(client_id, transaction_id)

    async def refund(
        self, client_id: str, transaction_id: str, amount: Decimal, idempotency_key: str
    ) -> Refund:
        """Give a fee back: the money is in the account of the fee at once."""
        # No await between the look and the change: on one event loop that is atomic.
        earlier = self._refunds.get((client_id, transaction_id))
        if earlier is not None:
            key, refund = earlier
            if key == idempotency_key:
                return refund
            raise ConflictError("the transaction was refunded before")
        fee = self._transaction(client_id, transaction_id)
        if fee is None:
            raise NotFoundError("no such transaction")
        refund = Refund(f"RF-{transaction_id}", transaction_id, amount)
        self._refunds[client_id, transaction_id] = (idempotency_key, refund)
        self._transactions[client_id].append(
            Transaction(
                transaction_id=refund.refund_id,
                on=self._clock.now().date(),
                description=f"Refund of {fee.description}",
                amount=amount,
                kind=TransactionKind.REFUND,
                account_last4=fee.account_last4,
            )
        )
        self._accounts[client_id] = [
            replace(each, balance=each.balance + amount, available=each.available + amount)
            if each.number_last4 == fee.account_last4
            else each
            for each in self._accounts[client_id]
        ]
        return refund

    async def add_callback(self, callback: Callback, idempotency_key: str) -> Callback:
        """Note that someone is to be called; nobody in the demonstration ever calls."""
        return self._callbacks.setdefault(idempotency_key, callback)

    def _transaction(self, client_id: str, transaction_id: str) -> Transaction | None:
        for each in self._transactions.get(client_id, ()):
            if each.transaction_id == transaction_id:
                return each
        return None


def _money(text: str) -> Decimal:
    return Decimal(text)
