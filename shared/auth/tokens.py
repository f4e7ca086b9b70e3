"""Signed tokens that others issue, and the public keys to check them with."""

import asyncio
from collections.abc import Awaitable, Callable

import jwt

from shared.clock import Clock
from shared.errors import SettingsError, UnauthorizedError, UpstreamError
from shared.telemetry.logs import get_logger
from shared.types import Json

logger = get_logger(__name__)

_MAX_HEADER_CHARS = 16_384
_ALGORITHM = "RS256"
_FAILURE_PAUSE_S = 1.0


class JwksCache:
    """The public keys of an issuer, fetched when needed and kept.

    - Concurrent callers share one fetch; a caller who leaves does not cancel it.
    - Keys older than their lifespan are fetched again first. If that fails they still count: an
      outage of the issuer's web server rejects no token signed by a key we know.
    - An unknown key id makes us look once, then not again within the cool-down: it may be new,
      or made up to keep us busy.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: Callable[[str], Awaitable[Json]],
        clock: Clock,
        lifespan_s: float = 3600,
        cooldown_s: float = 30,
        timeout_s: float = 2,
    ) -> None:
        self._url = url
        self._fetch = fetch
        self._clock = clock
        self._lifespan_s = lifespan_s
        self._cooldown_s = cooldown_s
        self._timeout_s = timeout_s
        self._keys: dict[str, jwt.PyJWK] = {}
        self._fetched_at_s: float | None = None
        self._tried_at_s: float | None = None
        self._has_failed = False
        self._refreshing: asyncio.Task[None] | None = None

    async def key(self, key_id: str) -> jwt.PyJWK:
        """The public key called *key_id*.

        Raises:
            UnauthorizedError: The issuer has no such key.
            UpstreamError: We cannot know, because the issuer's keys cannot be fetched.
        """
        if key_id in self._keys:
            if self._is_older(self._fetched_at_s, self._lifespan_s):
                await self._refresh(at_most_every_s=self._cooldown_s)
        else:
            # After a failure we look again soon: nobody can be let in until it works.
            pause_s = _FAILURE_PAUSE_S if self._has_failed else self._cooldown_s
            await self._refresh(at_most_every_s=pause_s)
        known = self._keys.get(key_id)
        if known is not None:
            return known
        if self._has_failed:
            raise UpstreamError("the token issuer's keys cannot be fetched")
        raise UnauthorizedError("the token is signed by an unknown key")

    async def warm(self) -> None:
        """Fetch the keys if there are none yet.

        Raises:
            UpstreamError: They cannot be fetched.
        """
        if not self._keys:
            await self._refresh(at_most_every_s=0)
        if not self._keys:
            raise UpstreamError("the token issuer's keys cannot be fetched")

    def _is_older(self, instant_s: float | None, age_s: float) -> bool:
        return instant_s is None or self._clock.monotonic() - instant_s >= age_s

    async def _refresh(self, *, at_most_every_s: float) -> None:
        if self._refreshing is None:
            if not self._is_older(self._tried_at_s, at_most_every_s):
                return
            self._refreshing = asyncio.create_task(self._load())
        await asyncio.shield(self._refreshing)

    async def _load(self) -> None:
        self._tried_at_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s):
                keys = _signing_keys(await self._fetch(self._url))
        except (UpstreamError, TimeoutError) as err:
            self._has_failed = True
            logger.warning("token keys not fetched", extra={"error": type(err).__name__})
        else:
            self._keys, self._has_failed = keys, False
            self._fetched_at_s = self._clock.monotonic()
        finally:
            self._refreshing = None


class AcsTokenVerifier:
    """Checks the tokens ACS sends along with callbacks and WebSocket upgrades."""

    def __init__(
        self, jwks: JwksCache, *, issuer: str, audience: str, leeway_s: float = 90
    ) -> None:
        """Accept tokens of *issuer* for *audience*.

        Args:
            jwks: The issuer's keys.
            issuer: Compared exactly.
            audience: The immutable resource id of our ACS resource; compared exactly.
            leeway_s: How far the clocks may be apart.

        Raises:
            SettingsError: Issuer or audience is empty, so that every token would be refused.
        """
        if not issuer or not audience:
            raise SettingsError("token verification needs an issuer and an audience")
        self._jwks = jwks
        self._issuer = issuer
        self._audience = audience
        self._leeway_s = leeway_s

    async def verify(self, authorization_header: str | None) -> Json:
        """Check ``Bearer <token>`` and return the token's claims.

        Raises:
            UnauthorizedError: There is no token, or it is not ours, not valid now or forged.
            UpstreamError: The issuer's keys cannot be fetched; the token may be good.
        """
        token = _bearer_token(authorization_header)
        key = await self._jwks.key(_key_id(token))
        try:
            return jwt.decode(
                token,
                key,
                algorithms=[_ALGORITHM],
                issuer=self._issuer,
                audience=self._audience,
                leeway=self._leeway_s,
                options={"require": ["exp", "iss", "aud"]},
            )
        except jwt.PyJWTError as err:
            raise _refused(err) from None


def _bearer_token(header: str | None) -> str:
    if not header or len(header) > _MAX_HEADER_CHARS:
        raise UnauthorizedError("a bearer token is required")
    parts = header.split()
    if len(parts) != 2 or parts[0].lower() != "bearer":
        raise UnauthorizedError("a bearer token is required")
    return parts[1]


def _key_id(token: str) -> str:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, ValueError, RecursionError) as err:
        raise _refused(err) from None
    key_id = header.get("kid")
    # Decided before any key is looked up, so that no foreign algorithm ever meets a key.
    if header.get("alg") != _ALGORITHM or not isinstance(key_id, str):
        raise UnauthorizedError("the token is not signed in an accepted way")
    return key_id


def _refused(err: Exception) -> UnauthorizedError:
    """The class says what is wrong; the library's text might quote the token."""
    return UnauthorizedError(f"the token is not valid: {type(err).__name__}")


def _signing_keys(document: Json) -> dict[str, jwt.PyJWK]:
    entries = document.get("keys")
    keys: dict[str, jwt.PyJWK] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or entry.get("use", "sig") != "sig":
            continue
        key_id = entry.get("kid")
        if entry.get("kty") != "RSA" or not isinstance(key_id, str):
            continue
        try:
            keys[key_id] = jwt.PyJWK(entry, algorithm=_ALGORITHM)
        except (jwt.PyJWTError, ValueError, TypeError):
            logger.warning("token key left out")
    if not keys:
        raise UpstreamError("the token issuer's document holds no usable key")
    return keys
