"""Reports of sessions: made from Redis while it knows them, kept in the database for later."""

import asyncio

from shared.calls.report import report
from shared.calls.report_page import report_page
from shared.calls.visit import look
from shared.clock import Clock
from shared.cost.prices import Prices
from shared.errors import ConflictError, SessionNotFoundError, UpstreamError
from shared.records.containers import CALLS
from shared.records.documents import Document, Documents
from shared.state.store import SessionStore
from shared.types import Json, SessionId

_MAX_RACES = 5


class Reports:
    """Finds reports and keeps them."""

    def __init__(
        self,
        store: SessionStore,
        documents: Documents | None,
        *,
        ttl_s: int,
        clock: Clock,
        prices: Prices | None = None,
    ) -> None:
        """Read sessions from *store*, archived ones from *documents*.

        Args:
            store: The sessions that Redis still knows.
            documents: None: a report ends with its session.
            ttl_s: How long a kept report stays.
            clock: Says when it was kept.
            prices: With them the report says what the session cost.
        """
        self._store = store
        self._documents = documents
        self._ttl_s = ttl_s
        self._clock = clock
        self._prices = prices

    async def find(self, session_id: SessionId) -> Json:
        """The report of a session: as it stands now, else as it was archived.

        Raises:
            SessionNotFoundError: Nobody knows such a session any more.
            UpstreamError: The store or the database failed.
        """
        try:
            return await self._current(session_id)
        except SessionNotFoundError:
            if self._documents is None:
                raise
        found = await self._documents.read(CALLS.name, session_id, session_id)
        if found is None:
            raise SessionNotFoundError("there is no such session, and none was archived")
        return {name: value for name, value in found.body.items() if name != "ttl"}

    async def page(self, session_id: SessionId) -> str:
        """The same as an HTML page."""
        return report_page(await self.find(session_id))

    async def keep(self, session_id: SessionId) -> None:
        """Store the session's report under its id; again, it is the same document.

        Of two at the same time the one that has seen less gives way, and looks again.

        Raises:
            SessionNotFoundError: Redis has forgotten the session.
            UpstreamError: The store or the database failed; the same call may be made again.
        """
        if self._documents is None:
            return
        for _ in range(_MAX_RACES):
            known = await self._documents.read(CALLS.name, session_id, session_id)
            made = await self._document(session_id, known.etag if known else None)
            try:
                await (self._documents.replace(made) if known else self._documents.create(made))
            except ConflictError:
                continue
            return
        raise UpstreamError("the report was changed too often")

    async def _document(self, session_id: SessionId, etag: str | None) -> Document:
        current, now = await self._current(session_id), self._clock.now().isoformat()
        body = {**current, "archived_at": now, "ttl": self._ttl_s}
        return Document(CALLS.name, session_id, session_id, body, etag)

    async def _current(self, session_id: SessionId) -> Json:
        visit = await look(self._store, session_id, self._clock.monotonic)
        return await asyncio.to_thread(report, visit, self._prices)
