"""One connection to Redis that all tasks share.

Commands of many tasks are written as they come and answered in that order, so a command costs no
checkout of a connection and no task ever waits for another one's answer. A caller that leaves
(cancelled, out of time) leaves its place in the order: the answer is read and dropped, so nobody
can receive what belongs to another. Blocking commands have no place here.
"""

import asyncio
import collections
import math
from collections.abc import Sequence
from typing import cast

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import InvalidResponse, RedisError, ResponseError

from shared.redis.script import Command

Reply = str | int | float | None | list["Reply"] | ResponseError

_ANSWERS_PER_PASS = 2
"""How many waiting tasks are woken before the loop may serve someone else."""
_MAX_SENT = 16
"""How many calls may be on their way; more of them gain nothing and crowd the loop."""


class LaneLostError(Exception):
    """The connection ended; whether commands that were sent were carried out is unknown."""

    def __init__(self, *, was_sent: bool = True) -> None:
        super().__init__()
        self.was_sent = was_sent


class _Waiter:
    """A caller, and how many answers it still expects."""

    __slots__ = ("expected", "future", "replies")

    def __init__(self, expected: int) -> None:
        self.expected = expected
        self.replies: list[Reply] = []
        self.future: asyncio.Future[list[Reply]] = asyncio.get_running_loop().create_future()


class Lane:
    """A shared connection; belongs to the loop that opened it."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection
        self._waiters: collections.deque[_Waiter] = collections.deque()
        self._reader: asyncio.Task[None] | None = None
        self._closing: asyncio.Task[None] | None = None
        self._progress_at = 0.0
        self._gate = asyncio.Semaphore(_MAX_SENT)
        self._calls = 0

    async def open(self) -> None:
        """Connect and log in; on failure or cancellation nothing stays open.

        Raises:
            RedisError: The server refused or could not be reached.
        """
        try:
            await self._connection.connect()  # type: ignore[no-untyped-call]
        except BaseException:
            await self._connection.disconnect(nowait=True)
            raise
        self._reader = asyncio.create_task(self._read())

    @property
    def is_open(self) -> bool:
        """The connection takes commands."""
        return self._reader is not None and self._closing is None

    @property
    def in_flight(self) -> int:
        """Calls that have not ended."""
        return self._calls

    def stalled_s(self) -> float:
        """How long the oldest call has waited while nothing at all came back."""
        if not self._waiters:
            return 0.0
        return asyncio.get_running_loop().time() - self._progress_at

    async def call(self, commands: Sequence[Command]) -> list[Reply]:
        """Run *commands* in one round trip; a refused command is a ``ResponseError`` in its place.

        Raises:
            LaneLostError: The connection ended before the last answer.
        """
        self._calls += 1
        try:
            async with self._gate:
                return await self._send(self._connection.pack_commands(commands), len(commands))
        finally:
            self._calls -= 1

    async def _send(self, packed: list[bytes], answers: int) -> list[Reply]:
        if not self.is_open:
            raise LaneLostError(was_sent=False)
        waiter = _Waiter(answers)
        if not self._waiters:
            self._progress_at = asyncio.get_running_loop().time()
        self._waiters.append(waiter)
        try:
            await self._connection.send_packed_command(packed, check_health=False)
        except BaseException as err:
            # The send was cut short, maybe by the caller: the stream may hold half a command.
            self.fail()
            waiter.future.exception()
            if isinstance(err, RedisError | OSError):
                raise LaneLostError from err
            raise
        return await waiter.future

    def fail(self) -> None:
        """Give the connection up; waiting calls end with ``LaneLostError``. May be repeated."""
        if self._closing is not None:
            return
        if self._reader is not None:
            self._reader.cancel()
        self._closing = asyncio.create_task(self._disconnect())
        while self._waiters:
            future = self._waiters.popleft().future
            if not future.done():
                future.set_exception(LaneLostError())

    async def aclose(self) -> None:
        """Give the connection up and wait until its socket is closed. May be repeated."""
        self.fail()
        if self._closing is not None:
            await asyncio.shield(self._closing)

    async def _disconnect(self) -> None:
        if self._reader is not None:
            await asyncio.wait({self._reader})
        await self._connection.disconnect(nowait=True)

    async def _read(self) -> None:
        answered = 0
        try:
            while True:
                if self._take(await self._next_reply()):
                    answered += 1
                    if answered % _ANSWERS_PER_PASS == 0:
                        await asyncio.sleep(0)
        except (RedisError, OSError):
            self.fail()

    async def _next_reply(self) -> Reply:
        try:
            return cast(
                Reply,
                await self._connection.read_response(timeout=math.inf, disconnect_on_error=False),
            )
        except ResponseError as err:
            return err

    def _take(self, reply: Reply) -> bool:
        """Hand *reply* to the oldest caller; true if that was all it waited for."""
        self._progress_at = asyncio.get_running_loop().time()
        if not self._waiters:
            raise InvalidResponse("an answer to nothing")
        waiter = self._waiters[0]
        waiter.replies.append(reply)
        if len(waiter.replies) < waiter.expected:
            return False
        self._waiters.popleft()
        if not waiter.future.done():
            waiter.future.set_result(waiter.replies)
        return True
