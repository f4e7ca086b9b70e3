"""What the SDK's threads report, brought into the event loop."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]

from shared.errors import UpstreamTimeoutError

T = TypeVar("T")


def in_loop(handle: Callable[[T], None]) -> Callable[[T], None]:
    """A callback for the SDK's threads that runs *handle* in the loop that is running now.

    The SDK swallows what a callback raises, and waits for it: nothing but this happens there.
    """
    loop = asyncio.get_running_loop()

    def report(event: T) -> None:
        # A closed loop has nobody left to listen.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(handle, event)

    return report


class Reports(Generic[T]):
    """What happens to one request, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[T] = asyncio.Queue()

    def post(self, item: T) -> None:
        """Add *item*."""
        self._queue.put_nowait(item)

    async def next(self, deadline: float) -> T:
        """The next item.

        Raises:
            TimeoutError: None came until *deadline*, in the loop's time.
        """
        async with asyncio.timeout_at(deadline):
            return await self._queue.get()


class Link:
    """The connection under a synthesizer or recognizer."""

    def __init__(self, connection: sdk.Connection) -> None:
        """Watch *connection*; belongs to the running loop."""
        self._opened = asyncio.Event()
        self._connection = connection
        connection.connected.connect(in_loop(lambda _: self._opened.set()))
        connection.disconnected.connect(in_loop(lambda _: self._opened.clear()))

    @property
    def is_open(self) -> bool:
        """Whether it is connected."""
        return self._opened.is_set()

    async def open(
        self,
        run: Callable[[Callable[[], None]], Awaitable[None]],
        *,
        is_continuous: bool,
        timeout_s: float,
    ) -> None:
        """Connect and wait until that is done: to speak earlier would abandon the handshake.

        Raises:
            UpstreamTimeoutError: It was not; the SDK keeps the reason for the first request.
        """
        if self.is_open:
            return
        await run(lambda: self._connection.open(is_continuous))
        try:
            async with asyncio.timeout(timeout_s):
                await self._opened.wait()
        except TimeoutError as err:
            raise UpstreamTimeoutError("no connection to the speech service in time") from err

    def close(self) -> None:
        """Disconnect; blocks."""
        # The SDK refuses while a request is under way.
        with contextlib.suppress(RuntimeError):
            self._connection.close()

    def detach(self) -> None:
        """Hear no more and let go of the native object; blocks."""
        self._connection.connected.disconnect_all()
        self._connection.disconnected.disconnect_all()
        self._connection = None
