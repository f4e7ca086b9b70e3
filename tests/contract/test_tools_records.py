"""The tools that read and write: the stand-in of Cosmos DB, the real SDK, a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

import pytest

from shared.redis.manager import AzureRedisManager
from shared.state.codes import RedisCodes, RedisLimits
from shared.state.ledger import RedisLedger
from shared.state.session_ids import new_session_id
from shared.tools.context import EphemeralFacts, ToolContext, ToolServices
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.contract.cosmos_stage import connected_documents, running_account
from tests.unit.bank import FakeDelivery, bank
from tests.unit.tool_fakes import context, services

pytest_plugins = ("tests.contract.redis_fixture",)

REGISTRY = build_registry()
IDENTITY = {"full_name": "Emily Rivera", "ssn_last_4": "1234"}
FEE = {"transaction_id": "TX-90008", "amount": 35}
CARD = {"card_product_id": "travel-rewards"}


@dataclass
class Branch:
    """Two instances of the app, one database, one Redis, one session of Emily's."""

    services: list[ToolServices]
    ledgers: list[RedisLedger]
    delivery: FakeDelivery
    who: ToolContext

    async def run(self, tool: str, arguments: Json, key: str, *, on: int = 0) -> Json:
        """Run a tool on one of the instances."""
        who = replace(self.who, services=self.services[on], idempotency_key=key)
        return await run_tool(REGISTRY, tool, arguments, who, self.ledgers[on])


@pytest.fixture
async def branch(redis: AzureRedisManager) -> AsyncIterator[Branch]:
    """The demonstration bank on the stand-in."""
    delivery = FakeDelivery()
    async with (
        running_account() as account,
        connected_documents(account) as one,
        connected_documents(account) as two,
    ):
        for container in ("customers", "accounts", "transactions", "cards"):
            for document in bank().held(container):
                await one.upsert(document)
        both = [
            replace(
                services(documents=documents, delivery=delivery),
                limits=RedisLimits(redis),
                code_store=RedisCodes(redis),
            )
            for documents in (one, two)
        ]
        ledgers = [RedisLedger(redis, 600) for _ in both]
        who = replace(context(using=both[0]), session_id=new_session_id(), memo=EphemeralFacts())
        yield Branch(both, ledgers, delivery, who)


async def test_tools_serve_a_caller_on_the_database(branch: Branch) -> None:
    """Identified by name and digits, with accounts, movements and cards as they were seeded."""
    wrong = await branch.run("verify_client_identity", {**IDENTITY, "ssn_last_4": "0000"}, "k1")
    assert wrong["error"] == "not_verified"
    assert (await branch.run("verify_client_identity", IDENTITY, "k2"))["success"] is True
    accounts = (await branch.run("get_account_summary", {}, "k3"))["accounts"]
    assert {each["type"]: each["balance"] for each in accounts} == {
        "checking": 2345.67,
        "savings": 8120.0,
    }
    latest = (await branch.run("get_recent_transactions", {"limit": 2}, "k4"))["transactions"]
    assert [each["transaction_id"] for each in latest] == ["TX-90017", "TX-90012"]
    cards = await branch.run("search_card_products", {"preferences": "travel"}, "k5")
    assert cards["best_match"] in ("travel-rewards", "platinum-reserve")


async def test_refund_is_paid_once_by_two_instances_at_once(branch: Branch) -> None:
    """Twelve requests, two instances, half of them in the name of one turn: one refund."""
    await branch.run("verify_client_identity", IDENTITY, "k1")
    results = await asyncio.gather(
        *(
            branch.run("refund_fee", FEE, "turn" if number % 2 else f"turn-{number}", on=number % 2)
            for number in range(12)
        )
    )
    paid = [each for each in results if each["success"]]
    assert paid
    assert all(each == paid[0] for each in paid)
    codes = {each["error"] for each in results if not each["success"]}
    assert codes <= {"tool_failed", "outcome_unknown", "retry"}
    accounts = (await branch.run("get_account_summary", {}, "k2"))["accounts"]
    assert sorted(each["balance"] for each in accounts) == [2380.67, 8120.0]


async def test_card_is_granted_on_the_database(branch: Branch) -> None:
    """Code by phone, agreement by mail, signature, card; the second signature is refused."""
    await branch.run("verify_client_identity", IDENTITY, "k1")
    await branch.run("send_mfa_code", {}, "k2")
    code = branch.delivery.code()
    assert (await branch.run("verify_mfa_code", {"code": code}, "k3", on=1))["success"] is True
    assert (await branch.run("evaluate_card_eligibility", CARD, "k4"))["success"] is True
    assert (await branch.run("send_card_agreement", CARD, "k5", on=1))["success"] is True
    unsigned = await branch.run("finalize_card_application", CARD, "k6")
    assert unsigned["error"] == "refused:signature"
    signature = {"verification_code": branch.delivery.code()}
    signed = await asyncio.gather(
        *(branch.run("verify_esignature", signature, f"s{n}", on=n % 2) for n in range(6))
    )
    assert sum(each["success"] for each in signed) == 1
    granted = await branch.run("finalize_card_application", CARD, "k7", on=1)
    again = await branch.run("finalize_card_application", CARD, "k8")
    assert granted["success"] is True
    assert again["card_number_last4"] == granted["card_number_last4"]


async def test_requests_are_written_down_once_on_the_database(branch: Branch) -> None:
    """The reference leads to one document, however often it was asked for."""
    await branch.run("verify_client_identity", IDENTITY, "k1")
    arguments = {"complaint_type": "fees", "description": "twice"}
    results = [await branch.run("submit_complaint", arguments, "k2", on=n) for n in range(2)]
    assert results[0] == results[1]
    escalated = await branch.run("escalate_human", {"reason": "r"}, "k3")
    held = await branch.services[1].documents.select("cases", "CLT-1001")
    assert {each.id for each in held} == {results[0]["case_id"], escalated["reference_id"]}
