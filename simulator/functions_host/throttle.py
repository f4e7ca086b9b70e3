"""How many HTTP requests run at once, and how many may wait: ``extensions.http`` of host.json."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class TooManyRequestsError(Exception):
    """As many requests are held as may be; the answer is 429."""


class Throttle:
    """Lets ``max_concurrent`` requests run; the others wait, up to ``max_outstanding`` in all.

    Both are unlimited at -1, as in the host, where `ActionBlock` does the same.
    """

    def __init__(self, *, max_concurrent: int, max_outstanding: int) -> None:
        self._slots = asyncio.Semaphore(max_concurrent) if max_concurrent >= 0 else None
        self._max_outstanding = max_outstanding
        self._outstanding = 0

    @asynccontextmanager
    async def slot(self) -> AsyncIterator[None]:
        """Hold one request.

        Raises:
            TooManyRequestsError: Too many are running and waiting already.
        """
        if 0 <= self._max_outstanding <= self._outstanding:
            raise TooManyRequestsError
        self._outstanding += 1
        try:
            if self._slots is None:
                yield
            else:
                async with self._slots:
                    yield
        finally:
            self._outstanding -= 1
