"""The second factor: sent to the address on file, right once, and known to nobody in between."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools.codes import Attempt, Codes
from shared.tools.context import EphemeralFacts, ToolContext, ToolServices
from shared.tools.failures import ToolFailedError
from shared.tools.registry import build_registry
from shared.tools.run import run_tool
from shared.types import Json, SessionId
from tests.unit.bank import FakeCodeStore, FakeDelivery, bank
from tests.unit.tool_fakes import EMILY, MARCUS, FakeLedger, context, emily, services

REGISTRY = build_registry()


class Line:
    """Emily on the phone: each thing she does is a turn of its own."""

    def __init__(self, using: ToolServices | None = None) -> None:
        self.delivery = FakeDelivery()
        self.using = using or services(delivery=self.delivery)
        self.ledger = FakeLedger()
        self.who = emily(using=self.using)
        self._turn = 0

    def turn(self) -> ToolContext:
        """The next turn, with what the session has learnt so far."""
        self._turn += 1
        return replace(self.who, idempotency_key=f"turn-{self._turn}")

    async def run(self, tool: str, arguments: Json, who: ToolContext | None = None) -> Json:
        """Run a tool as the agent does."""
        return await run_tool(REGISTRY, tool, arguments, who or self.turn(), self.ledger)

    async def send(self, method: str = "sms") -> Json:
        """Send a code."""
        return await self.run("send_mfa_code", {"method": method})

    async def say(self, code: str) -> Json:
        """Read a code out."""
        return await self.run("verify_mfa_code", {"code": code})


@pytest.mark.parametrize(
    ("method", "address", "masked"),
    [
        ("sms", "+15551230000", "***00"),
        ("email", "emily.rivera@example.com", "e***@example.com"),
    ],
)
async def test_mfa_code_goes_to_the_address_on_file_and_opens_the_door(
    method: str, address: str, masked: str
) -> None:
    """The whole way: sent, read out, right."""
    line = Line()
    sent = await line.send(method)
    assert sent["code_sent"] is True
    assert (sent["method"], sent["sent_to"], sent["expires_in_minutes"]) == (method, masked, 5)
    assert [each[:2] for each in line.delivery.sent] == [(method, address)]
    assert not line.who.is_mfa_verified
    assert (await line.say(line.delivery.code()))["verified"] is True
    assert line.who.is_mfa_verified


async def test_mfa_code_is_shown_to_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """Upstream gave it to the model and wrote it into the log."""
    line = Line()
    with caplog.at_level(logging.DEBUG):
        results = [await line.send(), await line.say("000000")]
    code, stored = line.delivery.code(), line.using.code_store
    results.append(await line.say(code))
    assert isinstance(stored, FakeCodeStore)
    for place in (results, caplog.text, stored.codes, line.who.memo, line.ledger.entries):
        assert code not in str(place)


async def test_mfa_code_works_once() -> None:
    """A code that somebody overhears opens nothing; the same turn again hears the same."""
    line = Line()
    await line.send()
    code, turn = line.delivery.code(), line.turn()
    first = await line.run("verify_mfa_code", {"code": code}, turn)
    again = await line.run("verify_mfa_code", {"code": code}, turn)
    assert first == again
    assert first["verified"] is True
    later = await line.say(code)
    assert (later["verified"], later["error"]) == (False, "no_code")


async def test_mfa_code_that_is_confirmed_again_is_noted_in_the_session_again() -> None:
    """An instance that died before it saved the session must not leave a caller in between."""
    line = Line()
    await line.send()
    turn = line.turn()
    await line.run("verify_mfa_code", {"code": line.delivery.code()}, turn)
    forgotten = replace(turn, memo=EphemeralFacts({"client_id": EMILY, "authenticated": True}))
    await line.run("verify_mfa_code", {"code": line.delivery.code()}, forgotten)
    assert forgotten.is_mfa_verified


async def test_mfa_allows_five_tries() -> None:
    """A million codes, five guesses; the right one comes too late after them."""
    line = Line()
    await line.send()
    code = line.delivery.code()
    wrong = [f"{(int(code) + n) % 1_000_000:06d}" for n in range(1, 6)]
    results = [await line.say(each) for each in [*wrong, code]]
    assert [each["error"] for each in results] == ["not_verified"] * 4 + ["no_tries_left"] * 2
    assert results[0]["tries_left"] == 4
    assert not line.who.is_mfa_verified
    await line.send()
    assert (await line.say(line.delivery.code()))["verified"] is True


async def test_mfa_tries_are_shared_by_concurrent_calls() -> None:
    """Twenty guesses at once are not twenty first tries."""
    line = Line()
    await line.send()
    code = line.delivery.code()
    guesses = [f"{(int(code) + n) % 1_000_000:06d}" for n in range(1, 21)]
    await asyncio.gather(*(line.say(each) for each in guesses))
    assert (await line.say(code))["error"] == "no_tries_left"


async def test_mfa_code_expires() -> None:
    """What nobody confirmed in five minutes is worth nothing."""
    line = Line()
    await line.send()
    assert isinstance(line.using.code_store, FakeCodeStore)
    line.using.code_store.expire()
    assert (await line.say(line.delivery.code()))["error"] == "no_code"


async def test_mfa_new_code_makes_the_old_one_void() -> None:
    """Of two codes on a phone only the last one counts."""
    line = Line()
    await line.send()
    first = line.delivery.code()
    await line.run("resend_mfa_code", {})
    if first != line.delivery.code():
        assert (await line.say(first))["verified"] is False
    assert (await line.say(line.delivery.code()))["verified"] is True


async def test_mfa_code_belongs_to_one_session_and_one_client() -> None:
    """A code that was sent to one person proves nothing in another call, or of another person."""
    line = Line()
    await line.send()
    arguments = {"code": line.delivery.code()}
    stranger = replace(
        line.turn(),
        memo=EphemeralFacts({"client_id": MARCUS, "authenticated": True}),
    )
    assert (await line.run("verify_mfa_code", arguments, stranger))["error"] == "no_code"
    elsewhere = replace(line.turn(), session_id=SessionId("0193-other"))
    assert (await line.run("verify_mfa_code", arguments, elsewhere))["error"] == "no_code"
    assert not stranger.is_mfa_verified
    assert not elsewhere.is_mfa_verified


async def test_mfa_code_of_one_client_does_not_serve_who_is_identified_meanwhile() -> None:
    """Two tools of one turn run at once: the code of the first caller must not open the second's.

    Name and digits of a neighbour are easily had, and one's own phone more easily still.
    """
    line = Line()
    await line.send()
    guess = {"code": line.delivery.code()}
    neighbour = {"full_name": "Marcus Lindqvist", "ssn_last_4": "5678"}
    turn = line.turn()
    store = line.using.code_store
    assert isinstance(store, FakeCodeStore)
    attempt = store.attempt

    async def slowly(*args: Any, **options: Any) -> Attempt:
        found = await attempt(*args, **options)
        await line.run("verify_client_identity", neighbour, turn)
        return found

    overtaken = replace(line.using, code_store=SlowStore(slowly))
    await line.run("verify_mfa_code", guess, replace(turn, services=overtaken))
    assert line.who.client_id == MARCUS
    assert not line.who.is_mfa_verified


class SlowStore(FakeCodeStore):
    """A store whose answer to a try takes as long as *attempt*."""

    def __init__(self, attempt: Callable[..., Awaitable[Attempt]]) -> None:
        super().__init__()
        self._attempt = attempt

    async def attempt(
        self, session_id: SessionId, name: str, digests: Sequence[str], *, by: str
    ) -> Attempt:
        """Late."""
        return await self._attempt(session_id, name, digests, by=by)


async def test_mfa_sends_three_codes_in_a_session() -> None:
    """Nobody can make us flood a phone, and every new code brings five more guesses."""
    line = Line()
    results = [await line.send() for _ in range(4)]
    assert [each["success"] for each in results] == [True, True, True, False]
    assert results[3]["error"] == "refused:person"
    assert len(line.delivery.sent) == 3


async def test_mfa_sends_ten_codes_to_a_client_an_hour() -> None:
    """Calling again is no way around the limit."""
    line = Line()
    for number in range(12):
        who = replace(line.turn(), session_id=SessionId(f"0193-{number}"))
        await line.run("send_mfa_code", {}, who)
    assert len(line.delivery.sent) == 10


@pytest.mark.parametrize("failure", [UpstreamError("no answer"), ToolFailedError("Refused.")])
async def test_mfa_code_that_did_not_go_out_is_void(failure: Exception) -> None:
    """The model hears that it failed and may offer the other way; a stray code opens nothing."""
    line = Line()
    line.delivery.failures.append(failure)
    result = await line.send()
    assert result["error"] == "retry"
    assert "other method" in result["message"]
    assert (await line.say("000000"))["error"] == "no_code"
    assert (await line.send("email"))["success"] is True


async def test_mfa_code_is_sent_once_for_a_turn() -> None:
    """A redelivered turn must not send a second code that makes the first one void."""
    line = Line()
    turn = line.turn()
    results = [await line.run("send_mfa_code", {}, turn) for _ in range(3)]
    assert results == [results[0]] * 3
    assert len(line.delivery.sent) == 1


async def test_mfa_needs_an_address_and_a_way_to_it() -> None:
    """The sentence says what else could be tried, or that a person is needed."""
    (person,) = (each for each in bank().held("customers") if each.id == EMILY)
    no_phone = Document("customers", EMILY, EMILY, {**person.body, "phone": None})
    line = Line(services(documents=bank(no_phone)))
    assert (await line.send())["error"] == "retry"
    line = Line(services(delivery=FakeDelivery(methods=frozenset({"email"}))))
    assert (await line.send())["error"] == "retry"
    line = Line(services(delivery=FakeDelivery(methods=frozenset())))
    assert (await line.send())["error"] == "tool_failed"
    line = Line()
    line.who.memo.set_context("client_id", "CLT-9999")
    assert (await line.send())["error"] == "tool_failed"


@pytest.mark.parametrize("method", ["carrier-pigeon", "voice", ""])
async def test_mfa_refuses_ways_there_are_not(method: str) -> None:
    """Upstream sent codes by carrier pigeon. A code spoken on the same line proves nothing."""
    assert (await Line().send(method))["error"] == "invalid_arguments"


async def test_mfa_store_that_is_away_lets_nobody_through() -> None:
    """An outage is no second factor."""
    line = Line()
    assert isinstance(line.using.code_store, FakeCodeStore)
    line.using.code_store.down = True
    assert (await line.send())["error"] == "retry"
    assert (await line.say("000000"))["error"] == "tool_failed"
    assert line.delivery.sent == []
    assert not line.who.is_mfa_verified


async def test_mfa_needs_a_session() -> None:
    """Without one there is nobody to send a code to."""
    who = context(
        session_id=None, channel="http", facts={"client_id": EMILY, "authenticated": True}
    )
    for tool, arguments in (("send_mfa_code", {}), ("verify_mfa_code", {"code": "000000"})):
        result = await run_tool(REGISTRY, tool, arguments, who, FakeLedger())
        assert result["error"] == "refused:session"


def test_codes_are_six_digits_and_not_the_same() -> None:
    """They come from the operating system, and leading zeros count."""
    codes = Codes([b"k" * 32])
    made = {codes.new() for _ in range(200)}
    assert len(made) > 190
    assert all(len(each) == 6 and each.isdigit() for each in made)


def test_digests_depend_on_key_code_and_purpose() -> None:
    """A digest that is stolen is worth nothing elsewhere; a key can be replaced."""
    old, new = Codes([b"a" * 32]), Codes([b"b" * 32, b"a" * 32])
    digest = old.digest("123456", "mfa", "s", "c")
    assert new.is_match(digest, "123456", "mfa", "s", "c")
    assert digest in new.digests("123456", "mfa", "s", "c")
    assert not old.is_match(digest, "123456", "esign", "s", "c")
    assert not old.is_match(digest, "123457", "mfa", "s", "c")
    assert not Codes([b"b" * 32]).is_match(digest, "123456", "mfa", "s", "c")
    with pytest.raises(Exception, match="key"):
        Codes([])
