"""Tokens of our own: renewed ahead of time, shared by all who ask, kept while they are valid."""

import asyncio
import threading

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from shared.auth.credentials import TokenCache, build_credential
from shared.errors import UpstreamError
from tests.unit.auth_fakes import MovedClock

SCOPE = "https://redis.azure.com/.default"
LIFETIME_S = 3600


class FakeCredential:
    """Gives numbered tokens, and can be down or slow."""

    def __init__(self, clock: MovedClock) -> None:
        self._clock = clock
        self.scopes: list[str] = []
        self.is_down = False
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.is_asked = asyncio.Event()
        self.has_answered = asyncio.Event()

    async def get_token(self, *scopes: str, **_: object) -> AccessToken:
        """The next token."""
        self.scopes.extend(scopes)
        self.is_asked.set()
        await self.may_answer.wait()
        try:
            return self._next()
        finally:
            self.has_answered.set()

    async def close(self) -> None:
        """Hold nothing."""

    async def __aenter__(self) -> "FakeCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def _next(self) -> AccessToken:
        if self.is_down:
            raise ClientAuthenticationError("secret text of the token service")
        expires_on = int(self._clock.now().timestamp()) + LIFETIME_S
        return AccessToken(f"token-{len(self.scopes)}", expires_on)


class FakeBlockingCredential:
    """A synchronous credential that notes the thread it is asked in."""

    def __init__(self) -> None:
        self.thread: threading.Thread | None = None

    def get_token(self, *_: str, **__: object) -> AccessToken:
        """A token for ever."""
        self.thread = threading.current_thread()
        return AccessToken("from a thread", 4_000_000_000)


@pytest.fixture
def clock() -> MovedClock:
    """Moved by the tests."""
    return MovedClock()


@pytest.fixture
def credential(clock: MovedClock) -> FakeCredential:
    """Who is asked for tokens."""
    return FakeCredential(clock)


@pytest.fixture
def tokens(credential: FakeCredential, clock: MovedClock) -> TokenCache:
    """The cache under test."""
    return TokenCache(credential, SCOPE, clock=clock, timeout_s=0.05)


async def renewed(tokens: TokenCache, credential: FakeCredential) -> str:
    """What is served once the renewal that runs in the background has ended."""
    await credential.has_answered.wait()
    await asyncio.sleep(0)  # the renewal stores what it was given
    await asyncio.sleep(0)
    return await tokens.get()


async def test_token_is_requested_once_and_kept(
    tokens: TokenCache, credential: FakeCredential, clock: MovedClock
) -> None:
    """A Redis command must not cost a request for a token."""
    assert await tokens.get() == "token-1"
    clock.advance(LIFETIME_S - 301)
    assert await tokens.get() == "token-1"
    assert credential.scopes == [SCOPE]


async def test_token_close_to_its_end_is_renewed_in_the_background(
    tokens: TokenCache, credential: FakeCredential, clock: MovedClock
) -> None:
    """Nobody waits for a new token while the old one is good."""
    await tokens.get()
    clock.advance(LIFETIME_S - 300)
    credential.has_answered.clear()
    assert await tokens.get() == "token-1"
    assert await renewed(tokens, credential) == "token-2"


async def test_token_is_served_while_its_renewal_fails(
    tokens: TokenCache, credential: FakeCredential, clock: MovedClock
) -> None:
    """An outage of the token service is not felt for minutes, and not made worse."""
    await tokens.get()
    clock.advance(LIFETIME_S - 300)
    credential.is_down = True
    credential.has_answered.clear()
    assert await tokens.get() == "token-1"
    assert await renewed(tokens, credential) == "token-1"
    assert len(credential.scopes) == 2
    credential.is_down = False
    clock.advance(30)
    credential.has_answered.clear()
    assert await tokens.get() == "token-1"
    assert await renewed(tokens, credential) == "token-3"


async def test_token_past_its_end_is_never_served(
    tokens: TokenCache, credential: FakeCredential, clock: MovedClock
) -> None:
    """An expired token would only fail elsewhere, and less clearly."""
    await tokens.get()
    clock.advance(LIFETIME_S)
    assert await tokens.get() == "token-2"
    credential.is_down = True
    clock.advance(LIFETIME_S - 5)
    with pytest.raises(UpstreamError) as caught:
        await tokens.get()
    assert "secret" not in str(caught.value)


async def test_token_is_requested_once_for_all_who_wait(
    tokens: TokenCache, credential: FakeCredential
) -> None:
    """A cold start with ten requests asks once."""
    credential.may_answer.clear()
    waiting = [asyncio.create_task(tokens.get()) for _ in range(10)]
    await credential.is_asked.wait()
    credential.may_answer.set()
    assert set(await asyncio.gather(*waiting)) == {"token-1"}


async def test_token_is_requested_for_the_others_when_one_leaves(
    tokens: TokenCache, credential: FakeCredential
) -> None:
    """A request that is given up must not fail the requests beside it."""
    credential.may_answer.clear()
    first, second = (asyncio.create_task(tokens.get()) for _ in range(2))
    await credential.is_asked.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    credential.may_answer.set()
    assert await second == "token-1"


async def test_token_request_that_failed_is_made_again(
    tokens: TokenCache, credential: FakeCredential
) -> None:
    """A failure is not kept."""
    credential.is_down = True
    with pytest.raises(UpstreamError):
        await tokens.get()
    credential.is_down = False
    assert await tokens.get() == "token-2"


async def test_token_request_has_a_deadline(tokens: TokenCache, credential: FakeCredential) -> None:
    """A token service that does not answer must not hold a call."""
    credential.may_answer.clear()
    with pytest.raises(UpstreamError):
        await tokens.get()


async def test_token_renewal_that_is_cut_off_is_made_again(
    credential: FakeCredential, clock: MovedClock
) -> None:
    """The next caller must not inherit the end of a loop's task."""
    tokens = TokenCache(credential, SCOPE, clock=clock)
    before = asyncio.all_tasks()
    credential.may_answer.clear()
    waiting = asyncio.create_task(tokens.get())
    await credential.is_asked.wait()
    (renewal,) = asyncio.all_tasks() - before - {waiting}
    renewal.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    credential.may_answer.set()
    assert await tokens.get() == "token-2"


async def test_token_of_a_synchronous_credential_is_requested_in_a_thread(
    clock: MovedClock,
) -> None:
    """Blocking the loop for a token would stall every call of this process."""
    credential = FakeBlockingCredential()
    assert await TokenCache(credential, SCOPE, clock=clock).get() == "from a thread"
    assert credential.thread is not threading.current_thread()


@pytest.mark.parametrize("client_id", [None, "11111111-1111-4111-8111-111111111111"])
async def test_credential_in_azure_is_the_managed_identity(client_id: str | None) -> None:
    """No guessing where it is known who we are."""
    async with build_credential(client_id=client_id, is_hosted=True) as credential:
        assert isinstance(credential, ManagedIdentityCredential)


async def test_credential_elsewhere_is_whoever_is_logged_in() -> None:
    """A client id does not turn a laptop into Azure."""
    async with build_credential(client_id="11111111", is_hosted=False) as credential:
        assert isinstance(credential, DefaultAzureCredential)
