"""Who may open a media WebSocket, in the words of the specification and beyond them."""

from collections.abc import Iterator, Mapping

import pytest

from shared.auth.tokens import AcsTokenVerifier, JwksCache
from shared.auth.websocket import ACS_ISSUER, AuthError, use_verifier, validate_acs_ws_auth
from shared.errors import UnauthorizedError
from shared.types import Json
from tests.unit.auth_fakes import AUDIENCE, FakeIssuer, MovedClock, token

OWN_ISSUER = "https://login.example/tenant"


class FakeSocket:
    """A WebSocket that notes how it was closed."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.headers = headers
        self.closed: list[tuple[int, str]] = []

    async def close(self, *, code: int, reason: str) -> None:
        """Note the closing."""
        self.closed.append((code, reason))


class FakeVerifier:
    """Accepts everything and says what it was told to."""

    def __init__(self, claims: Json) -> None:
        self.claims = claims
        self.headers: list[str | None] = []

    async def verify(self, authorization_header: str | None) -> Json:
        """The claims."""
        self.headers.append(authorization_header)
        return self.claims


@pytest.fixture
def issuer() -> FakeIssuer:
    """ACS, as far as tokens go."""
    return FakeIssuer("k1")


@pytest.fixture
def verifier(issuer: FakeIssuer) -> AcsTokenVerifier:
    """The real verifier."""
    jwks = JwksCache("https://issuer.example/keys", fetch=issuer.fetch, clock=MovedClock())
    return AcsTokenVerifier(jwks, issuer=ACS_ISSUER, audience=AUDIENCE)


@pytest.fixture
def registered(verifier: AcsTokenVerifier) -> Iterator[None]:
    """The composition root has been here."""
    use_verifier(verifier)
    yield
    use_verifier(None)


async def accept(websocket: FakeSocket) -> bool:
    """The specification's sample, word for word."""
    try:
        await validate_acs_ws_auth(websocket, required_scope="media.stream")
    except AuthError:
        await websocket.close(code=4001, reason="Authentication required")
        return False
    return True


@pytest.mark.usefixtures("registered")
async def test_sample_lets_acs_in() -> None:
    """ACS's own token carries no scope, and the sample asks for one."""
    websocket = FakeSocket({"Authorization": f"Bearer {token()}"})
    assert await accept(websocket)
    assert websocket.closed == []


@pytest.mark.usefixtures("registered")
@pytest.mark.parametrize(
    "headers", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp5"}]
)
async def test_sample_turns_others_away(headers: Mapping[str, str]) -> None:
    """The sample closes with its own code, so nothing may close the socket before it."""
    websocket = FakeSocket(headers)
    assert not await accept(websocket)
    assert websocket.closed == [(4001, "Authentication required")]


async def test_without_a_verifier_nobody_gets_in() -> None:
    """Forgotten configuration must fail closed, and say what it is."""
    with pytest.raises(AuthError, match="not configured"):
        await validate_acs_ws_auth(FakeSocket({"Authorization": f"Bearer {token()}"}))


@pytest.mark.usefixtures("registered")
async def test_verifier_that_is_passed_is_preferred() -> None:
    """A second kind of token needs no second function."""
    own = FakeVerifier({"iss": OWN_ISSUER, "scp": "media.stream"})
    claims = await validate_acs_ws_auth(FakeSocket({}), "media.stream", verifier=own)
    assert claims["iss"] == OWN_ISSUER


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_header_is_found_in_any_spelling(name: str) -> None:
    """Servers differ in what they make of header names."""
    verifier = FakeVerifier({"iss": ACS_ISSUER})
    await validate_acs_ws_auth(FakeSocket({"Host": "x", name: "Bearer t"}), verifier=verifier)
    assert verifier.headers == ["Bearer t"]


@pytest.mark.parametrize(
    ("claims", "may_enter"),
    [
        ({"iss": ACS_ISSUER}, True),
        ({"iss": ACS_ISSUER, "scp": "media.stream"}, True),
        ({"iss": ACS_ISSUER, "scp": "calls.read"}, False),
        ({"iss": ACS_ISSUER, "roles": []}, False),
        ({"iss": OWN_ISSUER}, False),
        ({}, False),
        ({"iss": OWN_ISSUER, "scp": "calls.read media.stream"}, True),
        ({"iss": OWN_ISSUER, "scope": "media.stream"}, True),
        ({"iss": OWN_ISSUER, "scope": ["media.stream"]}, True),
        ({"iss": OWN_ISSUER, "roles": ["media.stream"]}, True),
        ({"iss": OWN_ISSUER, "scp": "calls.read", "roles": ["media.stream"]}, True),
        ({"iss": OWN_ISSUER, "scp": "media.streams"}, False),
        ({"iss": OWN_ISSUER, "roles": [None, 5]}, False),
        ({"iss": OWN_ISSUER, "scp": None}, False),
        ({"iss": OWN_ISSUER, "scp": {"media.stream": True}}, False),
    ],
)
async def test_scope_is_asked_of_whoever_can_have_one(claims: Json, may_enter: bool) -> None:
    """ACS cannot put a scope into its token; everybody else has to."""
    verifier = FakeVerifier(claims)
    if may_enter:
        assert await validate_acs_ws_auth(FakeSocket({}), "media.stream", verifier=verifier)
        return
    with pytest.raises(AuthError, match="scope"):
        await validate_acs_ws_auth(FakeSocket({}), "media.stream", verifier=verifier)


async def test_scope_is_not_asked_unless_required() -> None:
    """A valid token is enough where nothing more is asked."""
    verifier = FakeVerifier({"iss": OWN_ISSUER})
    assert await validate_acs_ws_auth(FakeSocket({}), verifier=verifier)


async def test_refusal_names_no_token_and_is_final(verifier: AcsTokenVerifier) -> None:
    """The error may be logged or sent back as the reason of the closing."""
    expired = token(lifetime_s=-1000)
    with pytest.raises(AuthError) as caught:
        await validate_acs_ws_auth(
            FakeSocket({"Authorization": f"Bearer {expired}"}), verifier=verifier
        )
    assert isinstance(caught.value, UnauthorizedError)
    assert expired not in str(caught.value)
    assert not caught.value.is_temporary


async def test_refusal_for_want_of_keys_is_temporary(
    verifier: AcsTokenVerifier, issuer: FakeIssuer
) -> None:
    """An outage of the issuer shuts the door too, but it is worth knocking again."""
    issuer.is_down = True
    with pytest.raises(AuthError) as caught:
        await validate_acs_ws_auth(
            FakeSocket({"Authorization": f"Bearer {token()}"}), verifier=verifier
        )
    assert caught.value.is_temporary
