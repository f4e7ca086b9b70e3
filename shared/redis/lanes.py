"""The few connections that all calls of a process share."""

import asyncio
from collections.abc import Callable, Sequence

from redis.asyncio.connection import AbstractConnection
from redis.exceptions import RedisError, ResponseError

from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.redis.lane import Lane, LaneLostError, Reply
from shared.redis.script import Command

_CROWDED = 16
"""So many calls on every open connection make another one worth its price."""


class Lanes:
    """Opens connections as they are needed and replaces those that die.

    Belongs to the loop of its first call. A connection on which nothing at all came back for
    ``op_timeout_s`` is dead and given up; one that is merely busy stays.
    """

    def __init__(
        self,
        new_connection: Callable[[], AbstractConnection],
        *,
        op_timeout_s: float,
        connect_timeout_s: float,
        max_lanes: int,
    ) -> None:
        self._new_connection = new_connection
        self._op_timeout_s = op_timeout_s
        self._connect_timeout_s = connect_timeout_s
        self._max_lanes = max_lanes
        self._lanes: list[Lane] = []
        self._opening: asyncio.Task[Lane] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_closed = False
        self._lost_total = 0

    async def get(self) -> Lane:
        """The least busy open connection; the first caller of several makes it for all.

        Raises:
            UpstreamTimeoutError: The server was not reached within ``connect_timeout_s``.
            UpstreamError: The server cannot be reached or refused us.
        """
        self._check_loop()
        if self._is_closed:
            raise UpstreamError("session store: connection closed")
        self._drop_dead()
        if not self._lanes:
            return await self._wait_for(self._open())
        lane = min(self._lanes, key=lambda lane: lane.in_flight)
        if lane.in_flight >= _CROWDED and len(self._lanes) < self._max_lanes:
            self._open()
        return lane

    async def call(self, lane: Lane, commands: Sequence[Command]) -> list[Reply]:
        """Run *commands* on *lane* within the deadline.

        Raises:
            LaneLostError: The connection ended.
            UpstreamTimeoutError: No answer within ``op_timeout_s``.
        """
        try:
            async with asyncio.timeout(self._op_timeout_s):
                return await lane.call(commands)
        except TimeoutError as err:
            self._judge(lane)
            raise UpstreamTimeoutError("session store did not answer in time") from err

    async def log_in(self, user_name: str, token: str) -> None:
        """Log every open connection in anew; one that cannot be is given up."""
        for lane in list(self._lanes):
            try:
                async with asyncio.timeout(self._op_timeout_s):
                    replies = await lane.call([("AUTH", user_name, token)])
            except (TimeoutError, LaneLostError):
                lane.fail()
                continue
            if isinstance(replies[0], ResponseError):
                lane.fail()

    def snapshot(self) -> dict[str, int]:
        """Counters (``_total``) and gauges."""
        lanes = [lane for lane in self._lanes if lane.is_open]
        in_use = sum(1 for lane in lanes if lane.in_flight)
        return {
            "connections_in_use": in_use,
            "connections_idle": len(lanes) - in_use,
            "connections_max": self._max_lanes,
            "connections_lost_total": self._lost_total,
            "calls_in_flight": sum(lane.in_flight for lane in lanes),
        }

    async def aclose(self) -> None:
        """Close all connections; waiting calls fail, later ones are refused. May be repeated."""
        self._is_closed = True
        if self._opening is not None and not self._opening.done():
            self._opening.cancel()
            await asyncio.wait({self._opening})
        for lane in self._lanes:
            await lane.aclose()
        self._lanes.clear()

    def _check_loop(self) -> None:
        running = asyncio.get_running_loop()
        if self._loop is None:
            self._loop = running
        if self._loop is not running:
            raise RuntimeError("the session store belongs to another event loop")

    def _drop_dead(self) -> None:
        for lane in self._lanes:
            self._judge(lane)
        alive = [lane for lane in self._lanes if lane.is_open]
        self._lost_total += len(self._lanes) - len(alive)
        self._lanes = alive

    def _judge(self, lane: Lane) -> None:
        if lane.stalled_s() >= self._op_timeout_s * 0.95:
            lane.fail()

    def _open(self) -> asyncio.Task[Lane]:
        if self._opening is None or self._opening.done():
            self._opening = asyncio.create_task(self._open_lane())
            # Its callers may all have left by the time it fails.
            self._opening.add_done_callback(lambda task: task.cancelled() or task.exception())
        return self._opening

    async def _wait_for(self, opening: asyncio.Task[Lane]) -> Lane:
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            # Closing cancels the opening; that is no cancellation of its callers.
            if self._is_closed and opening.cancelled():
                raise UpstreamError("session store: connection closed") from None
            raise

    async def _open_lane(self) -> Lane:
        lane = Lane(self._new_connection())
        try:
            async with asyncio.timeout(self._connect_timeout_s):
                await lane.open()
        except TimeoutError as err:
            raise UpstreamTimeoutError("session store not reached in time") from err
        except (RedisError, OSError) as err:
            raise UpstreamError("session store unreachable") from err
        self._lanes.append(lane)
        return lane
