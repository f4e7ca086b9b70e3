"""The cache of an issuer's public keys: rotation, outages, floods and waiting callers."""

import asyncio

import pytest

from shared.auth.tokens import JwksCache
from shared.errors import UnauthorizedError, UpstreamError
from shared.types import Json
from tests.unit.auth_fakes import FakeIssuer, MovedClock, jwk

URL = "https://issuer.example/keys"


@pytest.fixture
def clock() -> MovedClock:
    """Moved by the tests."""
    return MovedClock()


@pytest.fixture
def issuer() -> FakeIssuer:
    """An issuer with one key."""
    return FakeIssuer("k1")


@pytest.fixture
def keys(issuer: FakeIssuer, clock: MovedClock) -> JwksCache:
    """The cache under test."""
    return JwksCache(URL, fetch=issuer.fetch, clock=clock, timeout_s=0.05)


async def test_keys_are_fetched_once_and_kept(keys: JwksCache, issuer: FakeIssuer) -> None:
    """A callback must not cost a request to the issuer."""
    for _ in range(3):
        assert (await keys.key("k1")).key_id == "k1"
    assert issuer.urls == [URL]


async def test_keys_are_fetched_again_after_their_lifespan(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """A key that was withdrawn must not be accepted for ever."""
    await keys.key("k1")
    issuer.key_ids = ("k2",)
    clock.advance(3599)
    await keys.key("k1")
    clock.advance(1)
    with pytest.raises(UnauthorizedError):
        await keys.key("k1")
    assert issuer.fetches == 2


async def test_keys_survive_an_outage_of_the_issuer(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """Calls go on while the issuer's web server is down, without asking it for each event."""
    await keys.key("k1")
    issuer.is_down = True
    clock.advance(3600)
    for _ in range(5):
        assert await keys.key("k1")
    assert issuer.fetches == 2
    clock.advance(30)
    assert await keys.key("k1")
    assert issuer.fetches == 3


async def test_keys_survive_an_issuer_that_does_not_answer(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """The wait for fresh keys has a deadline, after which the old ones count."""
    await keys.key("k1")
    issuer.may_answer.clear()
    clock.advance(3600)
    assert await keys.key("k1")


async def test_keys_survive_an_empty_document(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """A broken deployment of the issuer must not lock ACS out."""
    await keys.key("k1")
    issuer.document = {"keys": []}
    clock.advance(3600)
    assert await keys.key("k1")


async def test_keys_that_are_new_are_found_at_once(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """After a rotation the first token with the new key is accepted."""
    await keys.key("k1")
    issuer.key_ids = ("k1", "k2")
    clock.advance(30)
    assert (await keys.key("k2")).key_id == "k2"


async def test_keys_that_are_unknown_do_not_cause_a_flood(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """Anybody can send made-up key ids; they cost one request per cool-down."""
    for number in range(10):
        with pytest.raises(UnauthorizedError):
            await keys.key(f"made-up-{number}")
    assert issuer.fetches == 1
    clock.advance(30)
    with pytest.raises(UnauthorizedError):
        await keys.key("made-up")
    assert issuer.fetches == 2
    assert await keys.key("k1")


async def test_keys_cannot_be_judged_while_the_issuer_is_down(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """Without keys nobody is refused, and a second later we look again."""
    issuer.is_down = True
    for _ in range(3):
        with pytest.raises(UpstreamError):
            await keys.key("k1")
    assert issuer.fetches == 1
    issuer.is_down = False
    clock.advance(1)
    assert await keys.key("k1")


async def test_keys_that_are_new_cannot_be_judged_during_an_outage(
    keys: JwksCache, issuer: FakeIssuer, clock: MovedClock
) -> None:
    """The unknown key may be the new one: refusing it would lose an event for good."""
    await keys.key("k1")
    issuer.is_down = True
    clock.advance(30)
    with pytest.raises(UpstreamError):
        await keys.key("k2")


async def test_keys_are_fetched_once_for_all_who_wait(keys: JwksCache, issuer: FakeIssuer) -> None:
    """Ten callbacks in the first second cause one request."""
    issuer.may_answer.clear()
    waiting = [asyncio.create_task(keys.key("k1")) for _ in range(10)]
    await issuer.is_asked.wait()
    issuer.may_answer.set()
    assert {key.key_id for key in await asyncio.gather(*waiting)} == {"k1"}
    assert issuer.fetches == 1


async def test_keys_are_fetched_for_the_others_when_one_leaves(
    keys: JwksCache, issuer: FakeIssuer
) -> None:
    """A request that is given up must not fail the requests beside it."""
    issuer.may_answer.clear()
    first, second = (asyncio.create_task(keys.key("k1")) for _ in range(2))
    await issuer.is_asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    issuer.may_answer.set()
    assert (await second).key_id == "k1"
    assert issuer.fetches == 1


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"keys": None},
        {"keys": [1, None, {}]},
        {"keys": [jwk("k1", use="enc")]},
        {"keys": [jwk("k1", kty="oct", k="c2VjcmV0")]},
        {"keys": [jwk("k1", n="")]},
        {"keys": [jwk("k1", n="%%%", e=7)]},
        {"keys": [jwk("k1", kid=5)]},
    ],
)
async def test_keys_that_cannot_be_used_are_left_out(
    keys: JwksCache, issuer: FakeIssuer, document: Json
) -> None:
    """A document without any signing key is an outage, not a reason to refuse."""
    issuer.document = document
    with pytest.raises(UpstreamError):
        await keys.key("k1")


async def test_keys_beside_an_unusable_one_are_found(keys: JwksCache, issuer: FakeIssuer) -> None:
    """Issuers publish keys of kinds we do not know beside those we do."""
    issuer.document = {"keys": [{"kty": "EC", "kid": "ec"}, jwk("k0", n=""), jwk("k1")]}
    assert await keys.key("k1")


async def test_keys_are_warmed_once(keys: JwksCache, issuer: FakeIssuer) -> None:
    """The first call finds them there."""
    await keys.warm()
    await keys.warm()
    await keys.key("k1")
    assert issuer.fetches == 1


async def test_keys_that_cannot_be_warmed_are_reported(keys: JwksCache, issuer: FakeIssuer) -> None:
    """Readiness has to say so."""
    issuer.is_down = True
    with pytest.raises(UpstreamError):
        await keys.warm()
