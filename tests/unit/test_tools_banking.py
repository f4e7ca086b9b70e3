"""The caller's own accounts, and a refund that moves money once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import ConflictError, NotFoundError, UpstreamError
from shared.records.documents import Document
from shared.tools.accounts import Accounts, AlreadyRefundedError, RefundOrder
from shared.tools.context import ToolContext, ToolServices
from shared.tools.customers import Customers, comparable_name
from shared.tools.failures import ToolRefusedError
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.bank import bank, body_of
from tests.unit.document_fakes import FakeDocuments
from tests.unit.tool_fakes import EMILY, FakeClock, FakeLedger, context, emily, services

REGISTRY = build_registry()
FEE = "TX-90008"
TOOLS = ["get_user_profile", "get_account_summary", "get_recent_transactions", "refund_fee"]


async def run(
    tool: str, arguments: Json, who: ToolContext | None = None, ledger: FakeLedger | None = None
) -> Json:
    """Run a tool the way the agent does."""
    return await run_tool(REGISTRY, tool, arguments, who or emily(), ledger or FakeLedger())


async def checking(using: ToolServices) -> float:
    """What is in the checking account."""
    result = await run("get_account_summary", {}, emily(using=using))
    balance: float = result["accounts"][0]["balance"]
    return balance


async def test_get_account_summary_reads_the_callers_own_accounts() -> None:
    """The balance is what the caller asked for; it is exact and says where it comes from."""
    result = await run("get_account_summary", {})
    assert result["data_source"] == "cosmos"
    assert result["accounts"][0] == {
        "type": "checking",
        "balance": 2345.67,
        "available": 2295.67,
        "currency": "USD",
        "account_number_last4": "4821",
        "routing_number": "000000018",
    }
    assert [each["type"] for each in result["accounts"]] == ["checking", "savings"]


async def test_get_account_summary_invents_no_account() -> None:
    """A customer without accounts once heard of a zero balance; a failure is the truth."""
    who = context(facts={"client_id": "CLT-9999", "authenticated": True})
    result = await run("get_account_summary", {}, who)
    assert result["success"] is False
    assert result["error"] == "tool_failed"
    assert "accounts" not in result


async def test_get_recent_transactions_are_newest_first_and_flag_the_suspicious() -> None:
    """The fraud desk names the first flagged charge; dates must be those of this week."""
    result = await run("get_recent_transactions", {"limit": "3"})
    transactions = result["transactions"]
    assert [each["date"] for each in transactions] == ["2026-11-26", "2026-11-25", "2026-11-23"]
    assert transactions[0]["is_suspicious"] is True
    assert transactions[0]["suspicious_because"]
    assert transactions[1]["is_suspicious"] is False
    assert transactions[2] == {
        "transaction_id": FEE,
        "date": "2026-11-23",
        "description": "Overdraft fee",
        "amount": -35.0,
        "type": "fee",
        "status": "posted",
        "account_number_last4": "4821",
        "is_suspicious": False,
        "suspicious_because": None,
    }


@pytest.mark.parametrize("limit", [0, -1, 51, "all"])
async def test_get_recent_transactions_refuses_an_odd_limit(limit: object) -> None:
    """A limit of -1 once returned all but one."""
    assert (await run("get_recent_transactions", {"limit": limit}))["error"] == "invalid_arguments"


@pytest.mark.parametrize("tool", TOOLS)
async def test_banking_serves_verified_callers_only(tool: str) -> None:
    """Whoever names a client id is not that client."""
    arguments = {"transaction_id": FEE, "amount": 35} if tool == "refund_fee" else {}
    stranger = await run(tool, {**arguments, "client_id": EMILY}, context())
    assert stranger["error"] == "refused:authentication"
    other = await run(tool, {**arguments, "client_id": "CLT-1002"})
    assert other["error"] == "refused:client_id"


async def test_refund_fee_moves_the_money() -> None:
    """The caller hears that it is refunded; then the account must show it."""
    using = services()
    before = await checking(using)
    result = await run("refund_fee", {"transaction_id": FEE, "amount": "35.00"}, emily(using=using))
    assert result["success"] is True
    assert result["refunded"] is True
    assert result["amount"] == 35.0
    assert result["refund_id"]
    assert await checking(using) == pytest.approx(before + 35)
    listed = await run("get_recent_transactions", {"limit": 1}, emily(using=using))
    assert listed["transactions"][0]["type"] == "refund"


async def test_refund_fee_moves_the_money_once() -> None:
    """The same turn delivered twice gets the same answer; a later wish for the same fee a no."""
    using, ledger = services(), FakeLedger()
    arguments = {"transaction_id": FEE, "amount": 35}
    first = await run("refund_fee", arguments, emily(using=using), ledger)
    again = await run("refund_fee", arguments, emily(using=using), ledger)
    later = await run("refund_fee", arguments, emily(using=using, key="key-2"), ledger)
    assert first == again
    assert later["error"] == "tool_failed"
    assert "before" in later["message"]
    assert await checking(using) == pytest.approx(2345.67 + 35)


def order(request: str, transaction_id: str = FEE) -> RefundOrder:
    """A wish to have Emily's fee back."""
    return RefundOrder(EMILY, transaction_id, Decimal(35), request, FakeClock().now())


async def test_refund_fee_is_safe_without_the_ledger_too() -> None:
    """Two instances at once, each believing to be the first: the records decide."""
    documents = bank()
    accounts = Accounts(documents)
    one, two = await asyncio.gather(accounts.refund(order("a")), accounts.refund(order("a")))
    assert one == two
    with pytest.raises(AlreadyRefundedError):
        await accounts.refund(order("b"))
    with pytest.raises(NotFoundError):
        await accounts.refund(order("c", "TX-0"))
    assert (await accounts.accounts(EMILY))[0].balance == Decimal("2380.67")
    refund = body_of(documents, "transactions", f"RF-{FEE}")
    assert (refund["amount"], refund["refunds"], refund["request"]) == ("35", FEE, "a")
    assert body_of(documents, "transactions", FEE)["refunded_by"] == f"RF-{FEE}"


class Crowded(FakeDocuments):
    """Somebody else moves money on the account before each of the first *times* transactions."""

    def __init__(self, times: int) -> None:
        super().__init__(bank().held("transactions"))
        self.times = times

    async def write_together(self, *args: Any, **options: Any) -> None:
        """Too late, as often as told."""
        self.times -= 1
        if self.times >= 0:
            raise ConflictError("the document was changed since it was read")
        await super().write_together(*args, **options)


@pytest.mark.parametrize(("times", "error"), [(3, None), (4, "retry")])
async def test_refund_fee_finds_its_turn_or_does_nothing(times: int, error: str | None) -> None:
    """Other movements on the account do not break a refund; a storm of them ends it cleanly."""
    documents = Crowded(times)
    using = services(documents=documents)
    result = await run("refund_fee", {"transaction_id": FEE, "amount": 35}, emily(using=using))
    assert result.get("error") == error
    paid = "refunded_by" in body_of(documents, "transactions", FEE)
    assert paid is (error is None)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"amount": 35}, "invalid_arguments"),
        ({"transaction_id": FEE}, "invalid_arguments"),
        ({"transaction_id": FEE, "amount": -35}, "invalid_arguments"),
        ({"transaction_id": FEE, "amount": 0}, "invalid_arguments"),
        ({"transaction_id": FEE, "amount": float("nan")}, "invalid_arguments"),
        ({"transaction_id": FEE, "amount": 1e9}, "refused:amount"),
        ({"transaction_id": FEE, "amount": 1e-400}, "invalid_arguments"),
        ({"transaction_id": FEE, "amount": 35.01}, "retry"),
        ({"transaction_id": FEE, "amount": 0.001}, "retry"),
        ({"transaction_id": "TX-90005", "amount": 4.75}, "retry"),
        ({"transaction_id": "TX-80024", "amount": 12}, "retry"),
        ({"transaction_id": "TX-0", "amount": 35}, "retry"),
    ],
)
async def test_refund_fee_refuses_what_is_no_fee_of_the_callers(arguments: Json, code: str) -> None:
    """Negative, huge, invented and foreign refunds were all paid once."""
    using = services()
    result = await run("refund_fee", arguments, emily(using=using))
    assert result["success"] is False
    assert result["error"] == code
    assert await checking(using) == 2345.67


class Lossy(FakeDocuments):
    """Loses the answer to whatever it writes."""

    async def write_together(self, *args: Any, **options: Any) -> None:
        """Done, but nobody is told."""
        await super().write_together(*args, **options)
        raise UpstreamError("the database did not answer in time")


async def test_refund_fee_whose_answer_is_lost_is_unknown_and_not_paid_twice() -> None:
    """The money moved and the connection broke: neither "done" nor "not done" would be true."""
    documents = Lossy(bank().held("transactions"))
    using, ledger = services(documents=documents), FakeLedger()
    arguments = {"transaction_id": FEE, "amount": 35}
    for _ in range(2):
        result = await run("refund_fee", arguments, emily(using=using), ledger)
        assert result["error"] == "outcome_unknown"
    later = await run("refund_fee", arguments, emily(using=using, key="key-2"), ledger)
    assert later["error"] == "tool_failed"
    assert body_of(documents, "transactions", "balance-4821")["balance"] == "2380.67"


@pytest.mark.parametrize(
    "damage",
    [
        {"balance": "much"},
        {"balance": "NaN"},
        {"available": None},
    ],
)
async def test_account_summary_does_not_guess_at_damaged_records(damage: Json) -> None:
    """A balance that cannot be read is an error and never a zero."""
    (held,) = (each for each in bank().held("transactions") if each.id == "balance-4821")
    damaged = Document("transactions", EMILY, held.id, {**held.body, **damage})
    using = services(documents=bank(damaged))
    assert (await run("get_account_summary", {}, emily(using=using)))["error"] == "tool_failed"


async def test_account_without_a_balance_is_an_error() -> None:
    """Upstream said zero."""
    using = services(documents=bank(Document("accounts", EMILY, "9999", {"type": "checking"})))
    assert (await run("get_account_summary", {}, emily(using=using)))["error"] == "tool_failed"


async def test_balance_is_no_transaction() -> None:
    """It is kept beside them, but nobody is to see it, let alone have it refunded."""
    listed = await run("get_recent_transactions", {"limit": 50})
    assert len(listed["transactions"]) == 7
    refund = await run("refund_fee", {"transaction_id": "balance-4821", "amount": 35})
    assert refund["error"] == "retry"


async def test_get_user_profile_tells_no_secret() -> None:
    """Upstream gave the model the whole document, secrets included."""
    result = await run("get_user_profile", {})
    assert result["profile"] == {
        "client_id": EMILY,
        "full_name": "Emily Rivera",
        "tier": "gold",
        "customer_since": "2019-04-12",
        "phone": "***00",
        "email": "e***@example.com",
    }


@pytest.mark.parametrize("tool", TOOLS)
async def test_banking_executors_do_not_rely_on_policy_alone(tool: str) -> None:
    """An executor that is called around the policy must not serve a stranger either."""
    executor: Any = REGISTRY.get_tool_executor(tool)
    with pytest.raises(ToolRefusedError):
        await executor({"transaction_id": FEE, "amount": 35, "limit": 5}, context())


async def test_customers_are_found_by_the_sound_of_a_name() -> None:
    """Speech recognition decides about case and punctuation, not the caller."""
    customers = Customers(bank())
    assert [each.client_id for each in await customers.named("EMILY, rivera")] == [EMILY]
    assert await customers.named("") == []
    assert await customers.get("CLT-9999") is None
    assert comparable_name(" O'Neil-Smith ") == "o neil smith"
