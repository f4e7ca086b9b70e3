"""The caller's own accounts, and a refund that moves money once."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from shared.errors import ConflictError, NotFoundError
from shared.tools.context import ToolContext, ToolServices
from shared.tools.demo_records import EmbeddedRecords
from shared.tools.failures import ToolRefusedError
from shared.tools.records import Refund, comparable_name
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.tool_fakes import EMILY, FakeClock, FakeLedger, context, emily, services

REGISTRY = build_registry()
FEE = "TX-90008"


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
    assert result["data_source"] == "mock"
    assert result["accounts"][0] == {
        "type": "checking",
        "balance": 2345.67,
        "available": 2295.67,
        "currency": "USD",
        "account_number_last4": "4821",
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
    assert [each["date"] for each in transactions] == ["2025-03-04", "2025-03-03", "2025-03-01"]
    assert transactions[0]["is_suspicious"] is True
    assert transactions[0]["suspicious_because"]
    assert transactions[1]["is_suspicious"] is False
    assert transactions[2] == {
        "transaction_id": FEE,
        "date": "2025-03-01",
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


@pytest.mark.parametrize("tool", ["get_account_summary", "get_recent_transactions", "refund_fee"])
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


async def test_refund_fee_is_safe_without_the_ledger_too() -> None:
    """Two instances at once, each believing to be the first: the records decide."""
    records = EmbeddedRecords(FakeClock())
    one, two = await asyncio.gather(
        records.refund(EMILY, FEE, Decimal(35), "a"),
        records.refund(EMILY, FEE, Decimal(35), "a"),
    )
    assert one == two
    with pytest.raises(ConflictError):
        await records.refund(EMILY, FEE, Decimal(35), "b")
    with pytest.raises(NotFoundError):
        await records.refund(EMILY, "TX-0", Decimal(35), "c")
    assert (await records.accounts(EMILY))[0].balance == Decimal("2380.67")


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


class ForgetfulRecords(EmbeddedRecords):
    """Loses the transaction between the look and the refund."""

    async def refund(
        self, client_id: str, transaction_id: str, amount: Decimal, idempotency_key: str
    ) -> Refund:
        """Fail."""
        raise NotFoundError("no such transaction")


async def test_refund_fee_hears_what_the_records_say() -> None:
    """Between the look and the refund another instance may have acted."""
    using = services(records=ForgetfulRecords(FakeClock()))
    result = await run("refund_fee", {"transaction_id": FEE, "amount": 35}, emily(using=using))
    assert result["error"] == "retry"


@pytest.mark.parametrize("tool", ["get_account_summary", "get_recent_transactions", "refund_fee"])
async def test_banking_executors_do_not_rely_on_policy_alone(tool: str) -> None:
    """An executor that is called around the policy must not serve a stranger either."""
    executor: Any = REGISTRY.get_tool_executor(tool)
    with pytest.raises(ToolRefusedError):
        await executor({"transaction_id": FEE, "amount": 35, "limit": 5}, context())


async def test_records_find_people_by_the_sound_of_a_name() -> None:
    """Speech recognition decides about case and punctuation, not the caller."""
    records = EmbeddedRecords(FakeClock())
    assert [each.client_id for each in await records.find_customers("EMILY, rivera")] == [EMILY]
    assert await records.find_customers("") == []
    assert await records.customer("CLT-9999") is None
    assert await records.transaction("CLT-9999", FEE) is None
    assert comparable_name(" O'Neil-Smith ") == "o neil smith"
