"""Who we are to Azure, and the tokens that prove it."""

import asyncio
import inspect

from azure.core.credentials import AccessToken, TokenCredential
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.exceptions import AzureError
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential

from shared.clock import Clock
from shared.errors import UpstreamError
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

COGNITIVE_SCOPE = "https://cognitiveservices.azure.com/.default"
"""For tokens of the model and of speech."""

_RETRY_S = 30.0
_SAFETY_S = 5.0
"""A token this close to its end would expire on the way."""


def build_credential(*, client_id: str | None, is_hosted: bool) -> AsyncTokenCredential:
    """The credential of this process; the caller closes it.

    Args:
        client_id: Of the user-assigned identity; None for the system-assigned one.
        is_hosted: In Azure, exactly the managed identity counts: a chain of eight guesses would
            cost seconds, and might find somebody else. Elsewhere, whoever is logged in.
    """
    if is_hosted:
        return ManagedIdentityCredential(client_id=client_id)
    return DefaultAzureCredential()


class TokenCache:
    """The current token for one scope, renewed before it is needed.

    - Concurrent callers share one request; a caller who leaves does not cancel it.
    - Within the last *ahead_s* of a token's life it is renewed in the background and served
      meanwhile, also if the renewal fails.
    """

    def __init__(
        self,
        credential: AsyncTokenCredential | TokenCredential,
        scope: str,
        *,
        clock: Clock,
        ahead_s: float = 300,
        timeout_s: float = 10,
    ) -> None:
        """Serve tokens of *credential*; a synchronous one is asked in a thread."""
        self._credential = credential
        self._scope = scope
        self._clock = clock
        self._ahead_s = ahead_s
        self._timeout_s = timeout_s
        self._token: AccessToken | None = None
        self._tried_at_s: float | None = None
        self._renewal: asyncio.Task[AccessToken] | None = None

    async def get(self) -> str:
        """A token that is valid now.

        Raises:
            UpstreamError: There is none, and none can be had.
        """
        left_s = self._left_s()
        if self._token is None or left_s <= _SAFETY_S:
            return (await asyncio.shield(self._renew())).token
        if left_s <= self._ahead_s and self._may_try():
            self._renew()
        return self._token.token

    def _left_s(self) -> float:
        return self._token.expires_on - self._clock.now().timestamp() if self._token else 0.0

    def _may_try(self) -> bool:
        return self._tried_at_s is None or self._clock.monotonic() - self._tried_at_s >= _RETRY_S

    def _renew(self) -> "asyncio.Task[AccessToken]":
        if self._renewal is None:
            self._tried_at_s = self._clock.monotonic()
            self._renewal = asyncio.create_task(self._request())
            self._renewal.add_done_callback(self._finish)
        return self._renewal

    def _finish(self, renewal: "asyncio.Task[AccessToken]") -> None:
        self._renewal = None
        if renewal.cancelled():
            return
        if renewal.exception() is not None:
            logger.warning("token not renewed", extra={"scope": self._scope})

    async def _request(self) -> AccessToken:
        try:
            async with asyncio.timeout(self._timeout_s):
                self._token = await _get_token(self._credential, self._scope)
        except (AzureError, TimeoutError) as err:
            raise UpstreamError("no token could be had for a service") from err
        return self._token


async def _get_token(credential: AsyncTokenCredential | TokenCredential, scope: str) -> AccessToken:
    if inspect.iscoroutinefunction(credential.get_token):
        token = await credential.get_token(scope)
    else:
        token = await asyncio.to_thread(credential.get_token, scope)
    if not isinstance(token, AccessToken):
        raise UpstreamError("the credential gave no token")
    return token
