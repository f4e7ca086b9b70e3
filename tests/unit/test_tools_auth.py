"""Finding out who is calling: both secrets together, a few tries, no leaks."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

from shared.errors import UpstreamError
from shared.tools.context import ToolContext
from shared.tools.demo_records import DEMO_BANK, EmbeddedRecords
from shared.tools.records import Customer
from shared.tools.registry import build_registry
from shared.types import Json
from tests.unit.tool_fakes import EMILY, FakeClock, context, emily, services

REGISTRY = build_registry()


async def verify(who: ToolContext, name: str = "Emily Rivera", digits: str = "1234") -> Json:
    """Run the tool."""
    arguments = {"full_name": name, "ssn_last_4": digits}
    return await REGISTRY.execute("verify_client_identity", arguments, who)


@pytest.mark.parametrize("name", ["Emily Rivera", "emily  rivera.", " EMILY RIVERA "])
async def test_verify_tells_the_session_who_is_calling(name: str) -> None:
    """Every tool that needs a known caller reads these facts, however the name was heard."""
    who = context()
    result = await verify(who, name)
    assert result["success"] is True
    assert result["authenticated"] is True
    assert (result["client_id"], result["caller_name"]) == (EMILY, "Emily Rivera")
    assert result["data_source"] == "mock"
    assert who.client_id == EMILY
    assert who.memo.get_context("caller_name") == "Emily Rivera"


@pytest.mark.parametrize(
    ("name", "digits"),
    [
        ("Emily Rivera", "5678"),
        ("Marcus Lindqvist", "1234"),
        ("Emily", "1234"),
        ("Nobody Atall", "1234"),
        ("...", "1234"),
    ],
)
async def test_verify_needs_name_and_digits_of_one_person(name: str, digits: str) -> None:
    """Four digits fit one in ten thousand customers; alone they once opened any account."""
    who = context()
    result = await verify(who, name, digits)
    assert result["success"] is False
    assert result["authenticated"] is False
    assert who.client_id is None
    wrong_name = await verify(context(), "Nobody Atall", "0000")
    assert result["message"] == wrong_name["message"]


@pytest.mark.parametrize("digits", ["123", "12345", "12a4", "", "١٢٣٤"])
async def test_verify_refuses_what_are_not_four_digits(digits: str) -> None:
    """A misheard number is a mistake to mend, not a failed try."""
    who = context()
    result = await verify(who, digits=digits)
    assert result["error"] == "invalid_arguments"
    assert (await verify(who))["success"] is True


async def test_verify_refuses_two_people_who_share_both(tmp_path: Path) -> None:
    """Picking one of two would hand out the other's account."""
    people = yaml.safe_load(DEMO_BANK.read_text(encoding="utf-8"))["customers"]
    twin = {**people[0], "client_id": "CLT-2000"}
    file = tmp_path / "bank.yaml"
    file.write_text(yaml.safe_dump({"customers": [*people, twin]}), encoding="utf-8")
    records = EmbeddedRecords(FakeClock(), file)
    assert (await verify(context(using=services(records=records))))["success"] is False


async def test_verify_stops_after_five_failures_for_good() -> None:
    """Ten thousand guesses must not fit into a session, not even with the right one among them."""
    who = context()
    for _ in range(5):
        assert (await verify(who, digits="0000"))["error"] == "not_verified"
    for digits in ("0000", "1234"):
        result = await verify(who, digits=digits)
        assert result["error"] == "refused:person"
        assert "person" in result["message"]
    assert who.client_id is None


class AbsentRecords(EmbeddedRecords):
    """The demonstration bank behind a broken line."""

    async def find_customers(self, full_name: str) -> Sequence[Customer]:
        """Fail."""
        raise UpstreamError("records unreachable")


async def test_verify_does_not_count_our_own_failures() -> None:
    """An outage must not lock a caller out for the rest of the call."""
    who = context(using=services(records=AbsentRecords(FakeClock())))
    for _ in range(6):
        result = await verify(who)
        assert result["error"] == "tool_failed"
        assert "temporarily" in result["message"]
    assert who.client_id is None


async def test_verify_counts_concurrent_tries() -> None:
    """Tool calls of one turn run at the same time; together they must not get more tries."""
    who = context()
    results = await asyncio.gather(*(verify(who, digits=f"{each:04}") for each in range(20)))
    assert [each["error"] for each in results].count("not_verified") == 5


async def test_verify_starts_counting_anew_after_a_success() -> None:
    """A caller who slipped once must not be locked out later in the call."""
    who = context()
    for _ in range(4):
        await verify(who, digits="0000")
    await verify(who)
    assert (await verify(who, digits="0000"))["error"] == "not_verified"
    assert who.client_id == EMILY


async def test_verify_as_somebody_else_drops_the_second_factor() -> None:
    """The code proved the first person; the second has not confirmed anything."""
    who = emily()
    who.memo.set_context("mfa_verified", True)
    await verify(who, "Marcus Lindqvist", "5678")
    assert who.client_id == "CLT-1002"
    assert not who.is_mfa_verified


async def test_verify_needs_a_session() -> None:
    """Without a session tries could not be counted, and there would be nobody to identify."""
    result = await verify(context(session_id=None, channel="http"))
    assert result["error"] == "refused:session"


async def test_verify_gives_no_secret_away(caplog: pytest.LogCaptureFixture) -> None:
    """The digits once went to logs and models."""
    with caplog.at_level(logging.DEBUG):
        results = [await verify(context()), await verify(context(), digits="4321")]
    assert "1234" not in str(results)
    assert "4321" not in str(results)
    assert "Emily" not in caplog.text
    customer = (await services().records.find_customers("Emily Rivera"))[0]
    assert "1234" not in repr(customer)
    assert "5555" not in repr(customer)
