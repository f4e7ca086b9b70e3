"""Reaching a person: asked for, never claimed."""

import asyncio

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools.embedded import embedded_services
from shared.tools.registry import build_registry
from shared.types import Json
from tests.unit.bank import bank, body_of
from tests.unit.document_fakes import FakeDocuments
from tests.unit.tool_fakes import EMILY, QUEUES, context, emily, services

REGISTRY = build_registry()
TRANSFERS: dict[str, Json] = {
    "transfer_call_to_call_center": {},
    "escalate_human": {},
    "transfer_call_to_destination": {"destination": "general"},
}


async def test_transfer_asks_for_the_queues_number() -> None:
    """The call needs the number to transfer to; the words must not say that it has happened."""
    result = await REGISTRY.execute(
        "transfer_call_to_call_center", {"queue_id": "Fraud", "reason": "charge"}, context()
    )
    assert result["success"] is True
    assert result["transfer"] == {"target": "+15555550111", "next": ["+15555550100"]}
    assert result["queue_id"] == "fraud"
    assert "will be tried" in result["message"]
    assert not {"transferred", "transfer_initiated", "estimated_wait"} & set(result)


async def test_transfer_without_a_queue_goes_to_general() -> None:
    """A caller who just wants a person must reach one."""
    result = await REGISTRY.execute("transfer_call_to_call_center", {"reason": "r"}, context())
    assert result["transfer"] == {"target": "+15555550100", "next": []}


async def test_transfer_to_an_unknown_queue_names_the_known_ones() -> None:
    """The model can mend its guess in the same turn, and no number is made up."""
    result = await REGISTRY.execute(
        "transfer_call_to_call_center", {"queue_id": "wizards", "reason": "r"}, context()
    )
    assert result["error"] == "retry"
    assert "fraud, general" in result["message"]
    assert "wizards" not in result["message"]


@pytest.mark.parametrize("tool", [*TRANSFERS])
async def test_transfer_without_any_target_offers_a_callback(tool: str) -> None:
    """Where nobody answers a phone, a promised transfer would leave the caller alone."""
    who = context(using=services(targets={}))
    result = await REGISTRY.execute(tool, {"reason": "r", **TRANSFERS[tool]}, who)
    assert result["error"] == "refused:transfer_target"
    assert "schedule_callback" in result["message"]
    assert embedded_services().transfer_targets == {}


@pytest.mark.parametrize(
    ("department", "target"), [("fraud", "+15555550111"), ("loans", "+15555550100")]
)
async def test_escalate_human_finds_the_department_or_general(department: str, target: str) -> None:
    """A department without a queue of its own is still a wish for a person."""
    result = await REGISTRY.execute(
        "escalate_human", {"reason": "r", "department": department, "priority": "high"}, context()
    )
    assert result["transfer"]["target"] == target
    assert (result["department"], result["priority"]) == (department, "high")


@pytest.mark.parametrize("field", ["department", "priority"])
async def test_escalate_human_checks_its_enums(field: str) -> None:
    """The wizards department once took calls."""
    result = await REGISTRY.execute("escalate_human", {"reason": "r", field: "wizards"}, context())
    assert result["error"] == "invalid_arguments"
    assert field in result["message"]


async def test_escalate_human_writes_down_what_the_person_needs_to_know() -> None:
    """The answer says that the context goes along; then it has to be somewhere."""
    documents = bank()
    who = emily(using=services(documents=documents))
    arguments = {"reason": "a loan", "context_summary": "wants a lower rate", "priority": "urgent"}
    result = await REGISTRY.execute("escalate_human", arguments, who)
    assert result["context_transferred"] is True
    case = body_of(documents, "cases", result["reference_id"])
    assert case["summary"] == "wants a lower rate"
    assert (case["client_id"], case["priority"], case["status"]) == (EMILY, "urgent", "open")
    again = await REGISTRY.execute("escalate_human", arguments, who)
    assert again == result
    assert len(documents.held("cases")) == 1


@pytest.mark.parametrize("tool", ["escalate_human", "transfer_call_to_destination"])
async def test_a_person_is_reached_while_the_records_are_away(tool: str) -> None:
    """The worst moment to refuse a person is when everything else fails too."""
    documents = bank()
    documents.failure = UpstreamError("database unreachable")
    arguments = {"reason": "r", "destination": "fraud", "context_summary": "s"}
    if tool == "escalate_human":
        arguments = {"reason": "r", "department": "fraud", "context_summary": "s"}
    result = await REGISTRY.execute(tool, arguments, context(using=services(documents=documents)))
    assert result["transfer"]["target"] == QUEUES["fraud"]
    assert (result["reference_id"], result["context_transferred"]) == (None, False)


class Stuck(FakeDocuments):
    """A database that never answers."""

    async def create(self, document: Document) -> Document:
        """Hang."""
        await asyncio.Event().wait()
        return document


async def test_a_person_is_reached_while_the_records_do_not_answer() -> None:
    """The tool has five seconds; a case that takes longer must not cost the caller the person."""
    who = context(using=services(documents=Stuck()))
    result = await REGISTRY.execute("escalate_human", {"reason": "r"}, who)
    assert result["transfer_requested"] is True
    assert result["reference_id"] is None


async def test_references_are_unique() -> None:
    """Ten wishes in one second once shared a reference and overwrote each other."""
    using = services()
    results = [
        await REGISTRY.execute("escalate_human", {"reason": "r"}, context(using=using, key=f"k{n}"))
        for n in range(50)
    ]
    references = {each["reference_id"] for each in results}
    assert len(references) == 50
    assert all(each.startswith("ESC-") and len(each) == 12 for each in references)


@pytest.mark.parametrize("destination", ["fraud", "Fraud", "+15555550111"])
async def test_transfer_to_destination_knows_queues_by_name_and_number(destination: str) -> None:
    """However the model names it, it is one of the bank's own."""
    arguments = {"destination": destination, "reason": "r", "transfer_type": "cold"}
    result = await REGISTRY.execute("transfer_call_to_destination", arguments, context())
    assert result["transfer"]["target"] == "+15555550111"
    assert (result["destination"], result["transfer_type"]) == ("fraud", "cold")


@pytest.mark.parametrize("destination", ["+19005551234", "sip:anybody@example.com", "+1555555011"])
async def test_transfer_to_destination_dials_no_number_of_the_models(destination: str) -> None:
    """A call that can be sent anywhere is toll fraud waiting for an instruction."""
    arguments = {"destination": destination, "reason": "r"}
    result = await REGISTRY.execute("transfer_call_to_destination", arguments, context())
    assert result["error"] == "retry"
    assert "transfer" not in result
    assert destination not in result["message"]


@pytest.mark.parametrize("tool", [*TRANSFERS])
async def test_transfers_are_for_agents_only(tool: str) -> None:
    """Over HTTP nobody performs the transfer that the answer promises."""
    arguments = {"reason": "r", **TRANSFERS[tool]}
    result = await REGISTRY.execute(tool, arguments, context(channel="http"))
    assert result["error"] == "refused:caller"
