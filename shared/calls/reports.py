"""Reports of sessions, wherever they are kept by now."""

from typing import Protocol

from shared.calls.report import report
from shared.calls.report_page import report_page
from shared.calls.visit import Visit
from shared.errors import SessionNotFoundError
from shared.records.containers import CALLS
from shared.records.documents import Documents
from shared.types import Json, SessionId


class Sessions(Protocol):
    """Reads sessions; `shared.calls.runner` does."""

    async def look(self, session_id: SessionId) -> Visit:
        """A session that still exists; raises `SessionNotFoundError`."""
        ...


class Reports:
    """Finds reports."""

    def __init__(self, sessions: Sessions, documents: Documents | None) -> None:
        self._sessions = sessions
        self._documents = documents

    async def find(self, session_id: SessionId) -> Json:
        """The report of a session: as it stands now, else as it was archived.

        Raises:
            SessionNotFoundError: Nobody knows such a session any more.
            UpstreamError: The store or the database failed.
        """
        try:
            return report(await self._sessions.look(session_id))
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
