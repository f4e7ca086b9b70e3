"""Where the speech service is, who we are to it, and the threads that wait for it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]

from shared.errors import SettingsError, UpstreamError

T = TypeVar("T")

_LINGER_S = 15.0
"""How long `SpeechService.aclose` waits for native objects that still have work in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpeechAddress:
    """Exactly one of the two is set."""

    endpoint: str | None = None
    """``https://<name>.cognitiveservices.azure.com/``: what Entra tokens need."""
    host: str | None = None
    """``wss://<host>``, for containers and stand-ins; other paths than an endpoint's."""
    key: str | None = field(default=None, repr=False)
    """Sent where there are no tokens."""

    def __post_init__(self) -> None:
        if (self.endpoint is None) == (self.host is None):
            raise SettingsError("the speech service needs an endpoint or a host")


class SpeechService:
    """Shared by all synthesizers and recognizers of a process.

    The native SDK blocks and calls back on threads of its own. Its calls are made in the threads
    kept here, and background work that outlives a request is held here: a native object that is
    released while a callback is on its way brings the process down.
    """

    def __init__(
        self,
        address: SpeechAddress,
        *,
        get_token: Callable[[], Awaitable[str]] | None = None,
        threads: int = 16,
        connect_timeout_s: float = 2.0,
        first_byte_timeout_s: float = 2.0,
    ) -> None:
        """Remember how to reach the service; nothing is connected yet.

        Args:
            address: Where it is.
            get_token: Gives a bearer token, asked before every use; None: the key is sent. What it
                raises reaches the caller as it is.
            threads: How many native calls may be under way at once; as many as there are requests.
            connect_timeout_s: How long a connection may take.
            first_byte_timeout_s: How long the service may be silent before it begins to speak; the
                SDK's own 40 s are twice the length of a caller's patience.
        """
        self.connect_timeout_s = connect_timeout_s
        self.first_byte_timeout_s = first_byte_timeout_s
        self._address = address
        self._get_token = get_token
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="speech")
        self._background: set[asyncio.Task[None]] = set()

    def build_config(self) -> sdk.SpeechConfig:
        """A new configuration with address, key and deadlines."""
        address = self._address
        config = sdk.SpeechConfig(
            subscription=address.key, endpoint=address.endpoint, host=address.host
        )
        config.set_properties_by_name(
            {
                "SpeechSynthesis_FirstChunkTimeoutMs": str(round(self.first_byte_timeout_s * 1000)),
                # Repeated in our own code instead, on a new connection and within the deadline.
                "SpeechSynthesis_MaxRetryTimes": "0",
                "SPEECH-Error-MaxRetryCount": "1",
            }
        )
        return config

    async def token(self) -> str | None:
        """A token for the next request; None where the key does it."""
        return None if self._get_token is None else await self._get_token()

    async def run(self, call: Callable[[], T]) -> T:
        """Make a blocking call in one of our threads.

        A caller who is cancelled leaves; the call goes on to its end.

        Raises:
            UpstreamError: The SDK refused.
        """
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, call)
        except RuntimeError as err:  # all the SDK ever raises
            raise UpstreamError("the speech client failed") from err

    def keep(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        """Do *work* in the background, held by a strong reference."""
        task = asyncio.create_task(work)
        self._background.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._background.discard(task)
        # Whoever waits for it gets the exception; if nobody does any more, nobody cares.
        if not task.cancelled():
            task.exception()

    async def aclose(self) -> None:
        """Wait for what is still under way, then let the threads end; again does nothing."""
        if self._background:
            await asyncio.wait(list(self._background), timeout=_LINGER_S)
        for task in list(self._background):
            task.cancel()
        self._threads.shutdown(wait=False, cancel_futures=True)
