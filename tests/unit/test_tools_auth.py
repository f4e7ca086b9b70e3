"""Finding out who is calling: both secrets together, a few tries, no leaks."""

import asyncio
import logging

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools import identity
from shared.tools.context import ToolContext
from shared.tools.registry import build_registry
from shared.types import Json, SessionId
from tests.unit.bank import bank
from tests.unit.tool_fakes import EMILY, context, emily, services

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
    assert result["data_source"] == "cosmos"
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


async def test_verify_refuses_two_people_who_share_both() -> None:
    """Picking one of two would hand out the other's account."""
    (person,) = (each for each in bank().held("customers") if each.id == EMILY)
    twin = Document("customers", "CLT-2000", "CLT-2000", person.body)
    using = services(documents=bank(twin))
    assert (await verify(context(using=using)))["success"] is False


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


async def test_verify_does_not_count_our_own_failures() -> None:
    """An outage must not lock a caller out for the rest of the call."""
    documents = bank()
    documents.failure = UpstreamError("database unreachable")
    who = context(using=services(documents=documents))
    for _ in range(6):
        result = await verify(who)
        assert result["error"] == "tool_failed"
        assert "temporarily" in result["message"]
    assert who.client_id is None
    documents.failure = None
    assert (await verify(who))["success"] is True


async def test_verify_lets_nobody_try_where_tries_cannot_be_counted() -> None:
    """Without the count, an outage of Redis would be an invitation to guess."""
    using = services()
    using.limits.down = True  # type: ignore[attr-defined]
    result = await verify(context(using=using))
    assert result["error"] == "tool_failed"


async def test_verify_counts_tries_over_all_instances() -> None:
    """A hundred requests at once, each with the session as it was, have five tries together."""
    using = services()
    results = [await verify(context(using=using), digits=f"{each:04}") for each in range(9)]
    assert [each["error"] for each in results].count("not_verified") == 5


async def test_verify_counts_concurrent_tries() -> None:
    """Tool calls of one turn run at the same time; together they must not get more tries."""
    who = context()
    results = await asyncio.gather(*(verify(who, digits=f"{each:04}") for each in range(20)))
    assert [each["error"] for each in results].count("not_verified") == 5


async def test_verify_counts_tries_by_name_over_all_sessions() -> None:
    """Ten thousand digits are two thousand calls of five tries: a name is closed after twenty.

    A name that nobody has is closed alike, or the difference would tell who is a customer.
    """
    using = services()
    for name in ("Emily Rivera", "Nobody Atall"):
        errors = []
        for number in range(25):
            who = context(session_id=SessionId(f"s-{len(name)}-{number}"), using=using)
            errors.append((await verify(who, name, "0000"))["error"])
        assert errors == ["not_verified"] * 20 + ["refused:person"] * 5
        last = context(session_id=SessionId(f"s-{len(name)}-last"), using=using)
        assert (await verify(last, name))["error"] == "refused:person"
    other = context(session_id=SessionId("s-other"), using=using)
    assert (await verify(other, "Marcus Lindqvist", "5678"))["success"] is True
    assert "emily" not in str(using.limits).lower()


async def test_verify_success_starts_nothing_anew() -> None:
    """Who proves to be themselves now and then must not get five more guesses at a neighbour."""
    who = context()
    for _ in range(4):
        await verify(who, digits="0000")
    assert (await verify(who))["success"] is True
    assert (await verify(who, digits="0000"))["error"] == "not_verified"
    assert (await verify(who, digits="0000"))["error"] == "refused:person"
    assert who.client_id == EMILY


async def test_verify_as_somebody_else_drops_the_second_factor() -> None:
    """The code proved the first person; the second has not confirmed anything."""
    who = emily()
    who.memo.set_context("mfa_client_id", EMILY)
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


def test_the_records_hold_no_digits() -> None:
    """Whoever reads the database does not learn what identifies a caller."""
    stored = str(bank().held("customers"))
    assert "1234" not in stored.replace("+15551230000", "")
    assert "5678" not in stored


async def test_protected_digits_are_salted_and_match_only_themselves() -> None:
    """Two customers with the same digits do not look alike."""
    one, two = identity.protect("1234"), identity.protect("1234")
    assert one != two
    assert await identity.is_match(one, "1234")
    assert not await identity.is_match(one, "1235")


@pytest.mark.parametrize(
    "stored",
    [None, "", "1234", "md5$1$00$00", "pbkdf2-sha256$x$00$00", "pbkdf2-sha256$9999999$00$00"],
)
async def test_damaged_digits_match_nobody(stored: str | None) -> None:
    """A record without a secret is not a record that anybody may claim."""
    assert not await identity.is_match(stored, "1234")
