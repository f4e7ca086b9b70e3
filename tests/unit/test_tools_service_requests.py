"""What a caller leaves with the bank: written down once, under a reference, and nothing claimed."""

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools.cases import reference_of
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json
from tests.unit.bank import bank, body_of
from tests.unit.tool_fakes import EMILY, FakeLedger, context, emily, services

REGISTRY = build_registry()


async def test_schedule_callback_is_noted_once() -> None:
    """A redelivered turn must not make two people call; the same reference is read out."""
    documents, ledger = bank(), FakeLedger()
    using = services(documents=documents)
    arguments = {"reason": "r", "phone_number": "+4930123456", "preferred_time": "noon"}
    first, second = [
        await run_tool(REGISTRY, "schedule_callback", arguments, context(using=using), ledger)
        for _ in range(2)
    ]
    assert first == second
    assert first["callback_scheduled"] is True
    assert first["callback_id"].startswith("CB-")
    assert (first["department"], first["estimated_callback"]) == ("general", "noon")
    assert first["confirmation_sent"] is False
    # Also where the ledger has lost its memory, the records know the request.
    third = await run_tool(
        REGISTRY, "schedule_callback", arguments, context(using=using), FakeLedger()
    )
    assert third["callback_id"] == first["callback_id"]
    (noted,) = documents.held("callbacks")
    assert (noted.id, noted.body["phone"]) == (first["callback_id"], "+4930123456")


async def test_reference_that_is_taken_is_not_overwritten() -> None:
    """Two requests that come to the same letters keep their own papers."""
    request = emily().request
    taken = Document("callbacks", EMILY, reference_of("CB", request), {"request": "another"})
    documents = bank(taken)
    who = emily(using=services(documents=documents))
    result = await run_tool(REGISTRY, "schedule_callback", {"reason": "r"}, who, FakeLedger())
    assert result["callback_id"] == "CB-1"
    assert body_of(documents, "callbacks", taken.id) == {"request": "another"}


async def test_schedule_callback_knows_the_number_or_asks() -> None:
    """A callback to nobody is a broken promise."""
    documents = bank()

    async def schedule(who: Json, key: str) -> Json:
        caller = context(facts=who, key=key, using=services(documents=documents))
        return await REGISTRY.execute("schedule_callback", {"reason": "r"}, caller)

    nobody = await schedule({}, "1")
    assert nobody["error"] == "retry"
    assert "phone_number" in nobody["message"]
    assert (await schedule({"client_id": "CLT-9999", "authenticated": True}, "2"))["error"] == (
        "retry"
    )
    await schedule({"caller_number": "+15555550199"}, "3")
    await schedule({"client_id": EMILY, "authenticated": True}, "4")
    phones = [each.body["phone"] for each in documents.held("callbacks")]
    assert phones == ["+15555550199", "+15551230000"]


@pytest.mark.parametrize("number", ["5550142", "+0123456789", "call me", "+1 555 555 0142"])
async def test_schedule_callback_refuses_what_cannot_be_dialled(number: str) -> None:
    """Nobody will ask again before dialling."""
    result = await REGISTRY.execute(
        "schedule_callback", {"reason": "r", "phone_number": number}, context()
    )
    assert result["error"] == "invalid_arguments"
    assert number not in result["message"]


async def test_submit_complaint_opens_a_case_of_the_clients() -> None:
    """The case number that is read out leads to what the caller said."""
    documents = bank()
    arguments = {
        "complaint_type": "fees",
        "description": "charged twice",
        "desired_resolution": "money back",
    }
    result = await REGISTRY.execute(
        "submit_complaint", arguments, emily(using=services(documents=documents))
    )
    assert result["complaint_submitted"] is True
    assert result["case_id"].startswith("CMP-")
    case = body_of(documents, "cases", result["case_id"])
    assert (case["client_id"], case["description"]) == (EMILY, "charged twice")
    assert case["desired_resolution"] == "money back"
    assert result["response_timeframe"] in result["message"]


@pytest.mark.parametrize(
    ("kind", "queue"), [("fraud_in_progress", "fraud"), ("elder_abuse", "general")]
)
async def test_escalate_emergency_claims_what_it_did_and_leads_on(kind: str, queue: str) -> None:
    """Upstream said that a supervisor was notified, and notified nobody."""
    documents = bank()
    arguments = {"emergency_type": kind, "description": "now"}
    who = context(using=services(documents=documents))
    result = await REGISTRY.execute("escalate_emergency", arguments, who)
    assert result["reference_id"].startswith("EMRG-")
    assert body_of(documents, "cases", result["reference_id"])["priority"] == "critical"
    assert result["immediate_response"] is False
    assert result["actions_taken"] == ["The case was recorded with the highest priority."]
    assert (result["next_step"], result["queue_id"]) == ("transfer_call_to_call_center", queue)


async def test_escalate_emergency_offers_a_callback_where_nobody_can_be_reached() -> None:
    """A queue that does not exist must not be named."""
    arguments = {"emergency_type": "other", "description": "now"}
    who = context(using=services(targets={}))
    result = await REGISTRY.execute("escalate_emergency", arguments, who)
    assert (result["next_step"], result["queue_id"]) == ("schedule_callback", None)


async def test_requests_are_not_confirmed_when_they_were_not_kept() -> None:
    """An emergency that is in no record must not sound as if somebody cared."""
    documents = bank()
    documents.failure = UpstreamError("database unreachable")
    using = services(documents=documents)
    arguments = {"emergency_type": "other", "description": "now"}
    result = await run_tool(
        REGISTRY, "escalate_emergency", arguments, context(using=using), FakeLedger()
    )
    assert result["success"] is False
    assert "reference_id" not in result
