"""A part of the app that is built on first use and kept for the life of the process."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Lazy(Generic[T]):
    """Builds its part once, inside the loop that serves the requests.

    Callers that come at the same time share one build. A failed build is not kept: the next caller
    builds again. A caller that is cancelled does not cancel the build the others wait for.
    """

    def __init__(self, build: Callable[[], Awaitable[T]]) -> None:
        self._build = build
        self._task: asyncio.Task[T] | None = None

    @classmethod
    def of(cls, part: T) -> "Lazy[T]":
        """A part that exists already."""

        async def built() -> T:
            return part

        return cls(built)

    async def get(self) -> T:
        """The part, built if need be.

        Raises:
            Exception: Whatever the build raised, to every caller that waited for it.
        """
        if self._task is None or _has_failed(self._task):
            # Made here and not in __init__: a task belongs to the loop that runs the requests.
            self._task = asyncio.create_task(self._built())
            self._task.add_done_callback(_mark_retrieved)
        return await asyncio.shield(self._task)

    @property
    def built(self) -> T | None:
        """The part if it has been built, else None."""
        if self._task is None or not self._task.done() or _has_failed(self._task):
            return None
        return self._task.result()

    async def _built(self) -> T:
        return await self._build()


def _has_failed(task: asyncio.Task[T]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)


def _mark_retrieved(task: asyncio.Task[T]) -> None:
    """A build whose callers have all left must not end as "exception was never retrieved"."""
    if not task.cancelled():
        task.exception()
