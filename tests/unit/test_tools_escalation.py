"""Reaching a person: asked for, never claimed."""

import pytest

from shared.tools.embedded import embedded_services
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from tests.unit.tool_fakes import FakeLedger, context, emily, services

REGISTRY = build_registry()


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


@pytest.mark.parametrize("tool", ["transfer_call_to_call_center", "escalate_human"])
async def test_transfer_without_any_target_offers_a_callback(tool: str) -> None:
    """Where nobody answers a phone, a promised transfer would leave the caller alone."""
    who = context(using=services(targets={}))
    result = await REGISTRY.execute(tool, {"reason": "r"}, who)
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


async def test_references_are_unique() -> None:
    """Ten wishes in one second once shared a reference and overwrote each other."""
    real = embedded_services(transfer_targets={"General": "+15555550100"})
    results = [
        await REGISTRY.execute("escalate_human", {"reason": "r"}, context(using=real))
        for _ in range(50)
    ]
    references = {each["reference_id"] for each in results}
    assert len(references) == 50
    assert all(each.startswith("ESC-") and len(each) == 12 for each in references)


@pytest.mark.parametrize("tool", ["transfer_call_to_call_center", "escalate_human"])
async def test_transfers_are_for_agents_only(tool: str) -> None:
    """Over HTTP nobody performs the transfer that the answer promises."""
    result = await REGISTRY.execute(tool, {"reason": "r"}, context(channel="http"))
    assert result["error"] == "refused:caller"


async def test_schedule_callback_is_noted_once() -> None:
    """A redelivered turn must not make two people call; the same reference is read out."""
    using, ledger = services(), FakeLedger()
    arguments = {"reason": "r", "phone_number": "+4930123456", "preferred_time": "noon"}
    first, second = [
        await run_tool(REGISTRY, "schedule_callback", arguments, context(using=using), ledger)
        for _ in range(2)
    ]
    assert first == second
    assert first["callback_scheduled"] is True
    assert first["callback_id"] == "CB-1"
    assert first["department"] == "general"
    assert "confirmation_sent" not in first
    # Also where the ledger has lost its memory, the records know the key.
    third = await run_tool(
        REGISTRY, "schedule_callback", arguments, context(using=using), FakeLedger()
    )
    assert third["callback_id"] == "CB-1"


async def test_schedule_callback_knows_the_number_or_asks() -> None:
    """A callback to nobody is a broken promise."""
    nobody = await REGISTRY.execute("schedule_callback", {"reason": "r"}, context())
    assert nobody["error"] == "retry"
    assert "phone_number" in nobody["message"]
    caller = context(facts={"caller_number": "+15555550199"})
    stranger = context(facts={"client_id": "CLT-9999", "authenticated": True})
    assert (await REGISTRY.execute("schedule_callback", {"reason": "r"}, caller))["success"]
    assert (await REGISTRY.execute("schedule_callback", {"reason": "r"}, emily()))["success"]
    unknown = await REGISTRY.execute("schedule_callback", {"reason": "r"}, stranger)
    assert unknown["error"] == "retry"


@pytest.mark.parametrize("number", ["5550142", "+0123456789", "call me", "+1 555 555 0142"])
async def test_schedule_callback_refuses_what_cannot_be_dialled(number: str) -> None:
    """Nobody will ask again before dialling."""
    result = await REGISTRY.execute(
        "schedule_callback", {"reason": "r", "phone_number": number}, context()
    )
    assert result["error"] == "invalid_arguments"
    assert number not in result["message"]
