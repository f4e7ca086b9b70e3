"""The boundary's other half: events, who is let in, and the task that must not vanish."""

import asyncio
import gc
import weakref

import pytest

from functions.boundary import NEVER_SUCCEEDS, event_boundary
from shared import errors
from shared.auth.access import Access
from shared.auth.signatures import CallbackSigner
from shared.auth.tokens import AcsTokenVerifier, JwksCache
from shared.auth.websocket import ACS_ISSUER
from shared.pools.lazy import Lazy
from shared.resources import Resources, use_resources
from shared.types import SessionId
from tests.unit.auth_fakes import AUDIENCE, FakeIssuer, MovedClock, token
from tests.unit.boundary_parts import SAID, answer_of, every_error, make, nothing, raising

SESSION = SessionId("0193-session")


@pytest.mark.parametrize("is_event", [True, False])
async def test_boundary_keeps_the_running_task_alive(is_event: bool) -> None:
    """The worker up to 3.12 holds no reference: the collector would end a function that waits."""
    gate: weakref.ref[asyncio.Future[None]]
    has_begun, has_ended = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        # Nothing but the waiting task itself holds what it waits for.
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        nonlocal gate
        gate = weakref.ref(future)
        has_begun.set()
        await future
        has_ended.set()

    async def invoke() -> None:
        if is_event:
            await event_boundary(wait)()
        else:
            await answer_of(wait)

    task = weakref.ref(asyncio.create_task(invoke()))
    await has_begun.wait()
    gc.collect()
    assert task() is not None
    held = gate()
    assert held is not None
    held.set_result(None)
    await has_ended.wait()
    del held
    await _until_gone(task)


async def _until_gone(task: weakref.ref[asyncio.Task[None]]) -> None:
    """Wait until *task* has ended and nobody keeps it; a leak ends in the test's timeout."""
    while task() is not None:
        gc.collect()
        await asyncio.sleep(0)


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
async def test_event_boundary_acknowledges_only_what_can_never_succeed(
    kind: type[errors.AppError],
) -> None:
    """Delivering it again would fail again; everything else gets its second chance."""
    guarded = event_boundary(raising(make(kind)))
    if issubclass(kind, NEVER_SUCCEEDS):
        await guarded()
    else:
        with pytest.raises(kind):
            await guarded()


async def test_event_boundary_has_a_crash_redelivered_without_its_text() -> None:
    """The host logs what leaves a function, so a foreign exception does not leave as it is."""
    with pytest.raises(errors.AppError) as caught:
        await event_boundary(raising(KeyError(SAID)))()
    assert SAID not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_event_boundary_has_a_cancelled_event_redelivered() -> None:
    """An event cut off by a stopping host was not handled."""
    with pytest.raises(errors.UpstreamTimeoutError):
        await event_boundary(raising(asyncio.CancelledError()))()


async def test_event_boundary_passes_arguments_by_name() -> None:
    """The worker calls event functions with keywords."""
    seen: list[str] = []

    @event_boundary
    async def on_thing(event: str) -> None:
        seen.append(event)

    await on_thing(event="e1")
    assert seen == ["e1"]


class Gate:
    """The parts that let ACS in, with an issuer that can be down."""

    def __init__(self) -> None:
        self.issuer = FakeIssuer("k1")
        self.signer = CallbackSigner([b"k" * 16])
        jwks = JwksCache("https://keys.example", fetch=self.issuer.fetch, clock=MovedClock())
        self.parts = Resources()
        self.parts.signer = Lazy.of(self.signer)
        self.parts.acs_tokens = Lazy.of(
            AcsTokenVerifier(jwks, issuer=ACS_ISSUER, audience=AUDIENCE)
        )

    async def status(self, signature: str | None, authorization: str | None) -> int:
        """How a callback is answered; 200 if it was let in."""
        with use_resources(self.parts):
            response = await answer_of(
                nothing,
                Access.ACS,
                route_params={"session_id": SESSION},
                params={} if signature is None else {"sig": signature},
                headers={} if authorization is None else {"authorization": authorization},
            )
        return int(response.status_code)


async def test_acs_is_let_in_with_both_proofs() -> None:
    """A token signed by ACS for our resource, and the signature of this very session."""
    gate = Gate()
    assert await gate.status(gate.signer.sign(SESSION), f"Bearer {token()}") == 200


@pytest.mark.parametrize("signature", [None, "", "forged", "other session"])
async def test_acs_signature_is_checked_before_anything_else(signature: str | None) -> None:
    """A stranger's request costs microseconds: no key is fetched for it, no token parsed."""
    gate = Gate()
    if signature == "other session":
        signature = gate.signer.sign(SessionId("another"))
    assert await gate.status(signature, f"Bearer {token()}") == 401
    assert gate.issuer.fetches == 0


@pytest.mark.parametrize(
    "authorization",
    [None, "", "Bearer", "Bearer x", f"Basic {token()}", f"Bearer {token(aud='other')}"],
    ids=["none", "empty", "no token", "no JWT", "basic", "for others"],
)
async def test_acs_token_is_required_beside_the_signature(authorization: str | None) -> None:
    """Whoever learned a callback URL still cannot speak for ACS."""
    gate = Gate()
    assert await gate.status(gate.signer.sign(SESSION), authorization) == 401


async def test_acs_is_asked_to_come_again_when_its_keys_cannot_be_had() -> None:
    """We cannot tell whether the token is good: that is our failure, not the caller's."""
    gate = Gate()
    gate.issuer.is_down = True
    assert await gate.status(gate.signer.sign(SESSION), f"Bearer {token()}") >= 500


@pytest.mark.parametrize("access", [Access.PUBLIC, Access.KEY])
async def test_other_access_is_left_to_the_host(access: Access) -> None:
    """The host has checked the key before the function is called; nothing is built for it."""
    parts = Resources()
    with use_resources(parts):
        assert (await answer_of(nothing, access)).status_code == 200
    assert parts.built_ms == {}
