"""Builds and closes resources, each in a task of its own: no caller's cancellation reaches them."""

import asyncio
import contextvars
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.errors import UpstreamError, UpstreamTimeoutError
from shared.pools import care
from shared.pools.failures import ResourceUnfitError
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(Generic[T]):
    """How a resource begins and ends."""

    factory: Callable[[], Awaitable[T]]
    warm_fn: Callable[[T], Awaitable[bool]] | None
    close_fn: Callable[[T], object] | None
    build_timeout_s: float
    close_timeout_s: float


class Workshop(Generic[T]):
    """Knows everything that is being built, alive or being closed."""

    def __init__(
        self,
        recipe: Recipe[T],
        *,
        on_built: Callable[[T], None],
        on_failed: Callable[[BaseException], None],
        on_closed: Callable[[], None],
    ) -> None:
        self._recipe = recipe
        self._on_built = on_built
        self._on_failed = on_failed
        self._on_closed = on_closed
        self.builds: set[asyncio.Task[T]] = set()
        self.closings: set[asyncio.Task[None]] = set()
        self.built_total = 0
        self.closed_total = 0
        self._alive: dict[int, T] = {}

    @property
    def alive(self) -> int:
        """Resources the factory has made and nobody has closed yet."""
        return len(self._alive)

    def start_build(self) -> None:
        """Begin another resource; the outcome goes to `on_built` or `on_failed`."""
        task = spawn(self._build())
        self.builds.add(task)
        task.add_done_callback(self._build_ended)

    def close_soon(self, resource: T) -> None:
        """Begin to close *resource*; `on_closed` is told when that is over, well or badly."""
        task = spawn(self._close(resource))
        self.closings.add(task)
        task.add_done_callback(lambda done: self._close_ended(done, resource))

    def cancel_builds(self) -> None:
        """Give up what is being built."""
        for task in self.builds:
            task.cancel()

    async def finish(self) -> None:
        """Wait until nothing is being built or closed, at most as long as a close may take."""
        time = asyncio.get_running_loop().time
        # A little later than the timeout of the close that began last, which so ends by itself.
        deadline = time() + self._recipe.close_timeout_s + 0.1
        while tasks := [*self.builds, *self.closings]:
            left_s = deadline - time()
            if left_s <= 0:
                logger.error("resources did not close", extra={"alive": self.alive})
                return
            await asyncio.wait(tasks, timeout=left_s)

    async def _build(self) -> T:
        try:
            async with asyncio.timeout(self._recipe.build_timeout_s):
                resource = await self._recipe.factory()
                self._enter(resource)
                try:
                    await self._warm(resource)
                except BaseException:
                    self.close_soon(resource)
                    raise
        except TimeoutError as err:
            raise UpstreamTimeoutError("the resource was not built in time") from err
        return resource

    def _enter(self, resource: T) -> None:
        if resource is None or id(resource) in self._alive:
            # Two entries for one object would hand it to two callers.
            raise TypeError("the factory must return a new resource each time")
        self._alive[id(resource)] = resource
        self.built_total += 1

    async def _warm(self, resource: T) -> None:
        care.check_is_synchronous(resource)
        warm_fn = self._recipe.warm_fn
        if warm_fn is not None and not await warm_fn(resource):
            raise ResourceUnfitError("the resource failed its warm-up")
        if not care.is_ready(resource):
            raise ResourceUnfitError("the new resource is not ready")

    def _build_ended(self, task: asyncio.Task[T]) -> None:
        self.builds.discard(task)
        if task.cancelled():
            self._on_failed(UpstreamError("the build was cancelled"))
            return
        error = task.exception()
        if error is None:
            self._on_built(task.result())
        else:
            self._on_failed(error)

    async def _close(self, resource: T) -> None:
        try:
            async with asyncio.timeout(self._recipe.close_timeout_s):
                await care.close(resource, self._recipe.close_fn)
        except Exception:
            facts = {"resource": type(resource).__name__}
            logger.warning("resource closed badly", extra=facts, exc_info=True)

    def _close_ended(self, task: asyncio.Task[None], resource: T) -> None:
        self.closings.discard(task)
        del self._alive[id(resource)]
        self.closed_total += 1
        self._on_closed()


def spawn(work: Coroutine[Any, Any, R]) -> asyncio.Task[R]:
    """Run *work* in a context of its own.

    What is started for one caller serves others later: it must not carry that caller's session
    through its logs and spans for the rest of its life.
    """
    return asyncio.get_running_loop().create_task(work, context=contextvars.Context())
