"""A real Redis server to test against, and a line to it that can be held up or cut."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from urllib.parse import urlsplit

from simulator.redis_server import RedisServer


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def running_server(*options: str) -> Iterator[int]:
    """Run a server of our own with *options* and yield its port; it is gone afterwards."""
    # An option of any kind keeps it from using the server that REDIS_URL may name.
    with RedisServer(extra_args=("--maxclients", "1000", *options)) as server:
        yield int(str(urlsplit(server.url).port))


async def until(is_so: Callable[[], bool]) -> None:
    """Let other tasks run until something is so; for what tells nobody when it happens."""
    async with asyncio.timeout(5):
        while not is_so():  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0)


class Wire:
    """A TCP line to the server that can be held up or cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._open = asyncio.Event()
        self._open.set()
        self._is_read = asyncio.Event()
        self._is_read.set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._writers: set[asyncio.StreamWriter] = set()
        self.connections_total = 0
        self.answers = asyncio.Event()
        """Set when the server has answered something, be it held up or not."""

    @contextlib.asynccontextmanager
    async def laid(self) -> AsyncIterator[int]:
        """Lay the line; yields the port at our end."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        try:
            yield int(server.sockets[0].getsockname()[1])
        finally:
            server.close()
            self.cut()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def hold(self) -> None:
        """Let no answer pass from now on; commands still reach the server."""
        self._open.clear()
        self.answers.clear()

    def block(self) -> None:
        """Read no more commands from now on: a long one gets stuck while it is being sent."""
        self._is_read.clear()

    def release(self) -> None:
        """Let everything pass again."""
        self._open.set()
        self._is_read.set()

    def cut(self) -> None:
        """Close all connections; what was held up is lost."""
        for writer in self._writers:
            writer.close()
        self._writers.clear()
        for task in self._tasks:
            task.cancel()

    async def _accept(self, near: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        self.connections_total += 1
        far, far_out = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers |= {near_out, far_out}
        for task in (
            asyncio.create_task(self._copy(near, far_out, is_answer=False)),
            asyncio.create_task(self._copy(far, near_out, is_answer=True)),
        ):
            self._tasks.add(task)

    async def _copy(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_answer: bool
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                if is_answer:
                    self.answers.set()
                    await self._open.wait()
                else:
                    await self._is_read.wait()
                sink.write(data)
                await sink.drain()
        sink.close()
