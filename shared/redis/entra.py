"""Logging in to Redis with Microsoft Entra tokens instead of a key.

redis-entraid does the same, but its default credential fetches tokens on the event loop (measured:
a 400 ms token stalls every call of the instance for 400 ms); here a token never touches the loop.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

import jwt
from azure.core.exceptions import AzureError
from redis.credentials import CredentialProvider

from shared.clock import Clock
from shared.errors import UpstreamError
from shared.telemetry.logs import get_logger

SCOPE = "https://redis.azure.com/.default"

_RENEW_AT = 0.75
"""The share of a token's remaining life after which the next one is asked for."""
_RETRY_S = 10.0
_MIN_WAIT_S = 1.0

logger = get_logger(__name__)


class AccessToken(Protocol):
    """What azure.core credentials return."""

    @property
    def token(self) -> str:
        """The token itself."""
        ...

    @property
    def expires_on(self) -> int:
        """Unix time in seconds."""
        ...


class SyncCredential(Protocol):
    """A credential of ``azure.identity``."""

    def get_token(self, *scopes: str) -> AccessToken:
        """Fetch a token; blocks."""
        ...


class AsyncCredential(Protocol):
    """A credential of ``azure.identity.aio``."""

    async def get_token(self, *scopes: str) -> AccessToken:
        """Fetch a token."""
        ...


Credential = SyncCredential | AsyncCredential


@dataclass(frozen=True, slots=True)
class Login:
    """A user name and the token that proves it."""

    user_name: str
    token: str = field(repr=False)
    expires_on: float


class EntraLogins(CredentialProvider):
    """Keeps a valid login at hand, renewed in the background ahead of its expiry.

    The user name is the ``oid`` of the token unless one is given: Redis knows an identity by its
    object id. ``on_renewed`` is called with every new login, to log the open connections in anew.
    """

    def __init__(
        self,
        credential: Credential,
        *,
        clock: Clock,
        user_name: str | None = None,
        scope: str = SCOPE,
        on_renewed: Callable[[Login], Awaitable[None]] | None = None,
    ) -> None:
        self._credential = credential
        self._clock = clock
        self._user_name = user_name
        self._scope = scope
        self._on_renewed = on_renewed
        self._login: Login | None = None
        self._fetching: asyncio.Task[Login] | None = None
        self._renewing: asyncio.Task[None] | None = None

    async def get_credentials_async(self) -> tuple[str, str]:
        """The user name and a token that is valid now; the first call starts the renewal.

        Raises:
            UpstreamError: No token could be had.
        """
        login = self._login
        if login is None or self._left_s(login) <= 0:
            login = await self._fetch()
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew())
        return login.user_name, login.token

    def get_credentials(self) -> tuple[str, str]:
        """The same for the blocking client: blocks while a synchronous credential is asked.

        Raises:
            UpstreamError: No token could be had, or the credential is asynchronous and no token
                has been fetched yet.
        """
        login = self._login
        if login is None or self._left_s(login) <= 0:
            if inspect.iscoroutinefunction(self._credential.get_token):
                raise UpstreamError("session store: no token yet; connect asynchronously first")
            login = self._login = self._read(self._ask(cast(SyncCredential, self._credential)))
        return login.user_name, login.token

    async def aclose(self) -> None:
        """End the renewal. May be repeated."""
        tasks = {task for task in (self._renewing, self._fetching) if task is not None}
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _left_s(self, login: Login) -> float:
        return login.expires_on - self._clock.now().timestamp()

    async def _fetch(self) -> Login:
        if self._fetching is None or self._fetching.done():
            self._fetching = asyncio.create_task(self._fetch_once())
            # A cancelled caller leaves the fetch alone; nobody may be left to see it fail.
            self._fetching.add_done_callback(lambda task: task.cancelled() or task.exception())
        return await asyncio.shield(self._fetching)

    async def _fetch_once(self) -> Login:
        if inspect.iscoroutinefunction(self._credential.get_token):
            try:
                token = await cast(AsyncCredential, self._credential).get_token(self._scope)
            except AzureError as err:
                raise UpstreamError("session store: no token") from err
        else:
            token = await asyncio.to_thread(self._ask, cast(SyncCredential, self._credential))
        self._login = self._read(token)
        return self._login

    def _ask(self, credential: SyncCredential) -> AccessToken:
        try:
            return credential.get_token(self._scope)
        except AzureError as err:
            raise UpstreamError("session store: no token") from err

    def _read(self, token: AccessToken) -> Login:
        user_name = self._user_name or object_id(token.token)
        return Login(user_name=user_name, token=token.token, expires_on=float(token.expires_on))

    async def _renew(self) -> None:
        wait_s: float | None = None
        while self._login is not None:
            before = self._login
            if wait_s is None:
                wait_s = max(_MIN_WAIT_S, self._left_s(before) * _RENEW_AT)
            await self._clock.sleep(wait_s)
            try:
                login = await self._fetch()
            except UpstreamError:
                # The old token may still be valid; a call that needs a new one asks by itself.
                logger.warning("token for the session store not renewed", exc_info=True)
                wait_s = _RETRY_S
                continue
            wait_s = None
            if login.token != before.token and self._on_renewed is not None:
                await self._on_renewed(login)


def object_id(token: str) -> str:
    """The ``oid`` claim of a JWT, which is not verified: we send it, Redis judges it.

    Raises:
        UpstreamError: There is none.
    """
    try:
        name = jwt.decode(token, options={"verify_signature": False}).get("oid")
    except jwt.PyJWTError:
        name = None
    if not isinstance(name, str) or not name:
        raise UpstreamError("session store: the token has no oid; give a user name")
    return name
