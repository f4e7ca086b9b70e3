"""Tokens of ACS: which are accepted, and what happens when the issuer cannot be asked."""

import base64
import json
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth.tokens import AcsTokenVerifier, JwksCache
from shared.auth.websocket import ACS_ISSUER
from shared.errors import SettingsError, UnauthorizedError, UpstreamError
from tests.unit.auth_fakes import AUDIENCE, FakeIssuer, MovedClock, private_key, token

URL = "https://issuer.example/keys"
SECRET = "not an RSA key but long enough for HMAC"


def build_verifier(issuer: FakeIssuer) -> AcsTokenVerifier:
    """A verifier that trusts *issuer*."""
    jwks = JwksCache(URL, fetch=issuer.fetch, clock=MovedClock())
    return AcsTokenVerifier(jwks, issuer=ACS_ISSUER, audience=AUDIENCE)


@pytest.fixture
def issuer() -> FakeIssuer:
    """An issuer with one key."""
    return FakeIssuer("k1")


@pytest.fixture
def verifier(issuer: FakeIssuer) -> AcsTokenVerifier:
    """The verifier under test."""
    return build_verifier(issuer)


@pytest.mark.parametrize("prefix", ["Bearer ", "bearer ", "BEARER   ", "  Bearer\t"])
async def test_token_is_accepted_with_any_spelling_of_the_scheme(
    verifier: AcsTokenVerifier, prefix: str
) -> None:
    """Schemes ignore case, and a second space is no forgery."""
    claims = await verifier.verify(f"{prefix}{token(jti='x')} ")
    assert claims["jti"] == "x"


@pytest.mark.parametrize(
    "header",
    [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer a b", "abc", "Bearer " + "a" * 16_384],
)
async def test_token_that_is_missing_or_too_long_is_refused(
    verifier: AcsTokenVerifier, issuer: FakeIssuer, header: str | None
) -> None:
    """Nothing is looked up for a request that carries nothing to check."""
    with pytest.raises(UnauthorizedError):
        await verifier.verify(header)
    assert issuer.fetches == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"lifetime_s": -100},
        {"iss": "https://evil.example"},
        {"aud": "another-resource"},
        {"aud": AUDIENCE.upper()},
        {"without": "exp"},
        {"without": "iss"},
        {"without": "aud"},
        {"nbf": 4_000_000_000},
        {"exp": "soon"},
    ],
)
async def test_token_with_wrong_claims_is_refused(
    verifier: AcsTokenVerifier, changes: dict[str, Any]
) -> None:
    """A token for another resource, without an end or past it proves nothing about this call."""
    bad = token(**changes)
    with pytest.raises(UnauthorizedError) as caught:
        await verifier.verify(f"Bearer {bad}")
    assert bad not in str(caught.value)


@pytest.mark.parametrize("lifetime_s", [-60, 300])
async def test_token_is_accepted_within_the_leeway(
    verifier: AcsTokenVerifier, lifetime_s: float
) -> None:
    """ACS's clock and ours are never quite the same."""
    assert await verifier.verify(f"Bearer {token(lifetime_s=lifetime_s)}")


def _segment(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _forgeries() -> dict[str, str]:
    good = token()
    head, body, signature = good.split(".")
    claims = {"iss": ACS_ISSUER, "aud": AUDIENCE, "exp": 4_000_000_000}
    none_header = _segment({"alg": "none", "kid": "k1"})
    signed_by_other = jwt.encode(
        claims, private_key("mallory"), algorithm="RS256", headers={"kid": "k1"}
    )
    return {
        "no algorithm": f"{none_header}.{body}.",
        "no algorithm, old signature": f"{none_header}.{body}.{signature}",
        "shared secret": jwt.encode(claims, SECRET, algorithm="HS256", headers={"kid": "k1"}),
        "another strength": jwt.encode(
            claims, private_key("k1"), algorithm="RS512", headers={"kid": "k1"}
        ),
        "another key": signed_by_other,
        "no key id": jwt.encode(claims, private_key("k1"), algorithm="RS256"),
        "numeric key id": f"{_segment({'alg': 'RS256', 'kid': 1})}.{body}.{signature}",
        "changed claims": f"{head}.{_segment(claims)}.{signature}",
        "no signature": f"{head}.{body}.",
        "two parts": f"{head}.{body}",
        "header is a list": f"{_segment([1])}.{body}.{signature}",
        "claims are a list": f"{head}.{_segment([1])}.{signature}",
    }


@pytest.mark.parametrize("name", _forgeries())
async def test_token_that_is_forged_is_refused(verifier: AcsTokenVerifier, name: str) -> None:
    """Everybody can reach the callback address."""
    forged = _forgeries()[name]
    with pytest.raises(UnauthorizedError) as caught:
        await verifier.verify(f"Bearer {forged}")
    assert forged not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@given(st.text(max_size=200) | st.binary(max_size=200).map(lambda raw: raw.decode("latin-1")))
async def test_token_of_arbitrary_text_is_refused(text: str) -> None:
    """Whatever is sent, the answer is a refusal and not a crash."""
    with pytest.raises(UnauthorizedError):
        await build_verifier(FakeIssuer("k1")).verify(f"Bearer {text}")


@given(st.lists(st.recursive(st.none() | st.text(), st.lists), min_size=3, max_size=3))
async def test_token_of_arbitrary_segments_is_refused(parts: list[object]) -> None:
    """The parts may be well encoded and mean nothing."""
    header = {"alg": "RS256", "kid": "k1", "x": parts[0]}
    text = ".".join([_segment(header), _segment(parts[1]), _segment(parts[2])])
    with pytest.raises(UnauthorizedError):
        await build_verifier(FakeIssuer("k1")).verify(f"Bearer {text}")


async def test_token_cannot_be_judged_without_any_key(issuer: FakeIssuer) -> None:
    """An outage of the issuer is not the sender's fault: ACS may send the event again."""
    issuer.is_down = True
    with pytest.raises(UpstreamError):
        await build_verifier(issuer).verify(f"Bearer {token()}")


@pytest.mark.parametrize(("issuer_name", "audience"), [("", AUDIENCE), (ACS_ISSUER, "")])
def test_verifier_refuses_empty_settings(issuer_name: str, audience: str) -> None:
    """Found at start, not by a day of refused callbacks."""
    jwks = JwksCache(URL, fetch=FakeIssuer().fetch, clock=MovedClock())
    with pytest.raises(SettingsError):
        AcsTokenVerifier(jwks, issuer=issuer_name, audience=audience)
