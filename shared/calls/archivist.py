"""What is kept of a session when it is over: read by staff, long after Redis has forgotten it."""

from shared.agent.summary import UNAVAILABLE, Summarizer
from shared.calls.report import SUMMARY, report
from shared.calls.visit import Visit
from shared.clock import Clock
from shared.errors import UpstreamError
from shared.records.containers import CALLS
from shared.records.documents import Document, Documents
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

MAX_TRIES = 3
"""So often the model is asked; then the session is archived without a summary."""


class Archivist:
    """Sums sessions up, and keeps them where there is a database."""

    def __init__(
        self,
        summarizer: Summarizer,
        documents: Documents | None,
        *,
        ttl_s: int,
        clock: Clock,
    ) -> None:
        self._summarizer = summarizer
        self._documents = documents
        self._ttl_s = ttl_s
        self._clock = clock

    async def sum_up(self, visit: Visit) -> bool:
        """Put a summary into the session's memory.

        Returns:
            False if the model failed and is to be asked again. After the last time there is a
            summary that says so: a report without one is better than no report.
        """
        try:
            summary = await self._summarizer.summarize(visit.transcript())
        except UpstreamError as error:
            logger.warning("no summary", extra={"error": error.code})
            if visit.state.summary_tries + 1 < MAX_TRIES:
                return False
            summary = UNAVAILABLE
        visit.memo.set_context(SUMMARY, summary)
        return True

    async def keep(self, visit: Visit) -> None:
        """Store the session's report under its id; again, it is the same document.

        Raises:
            UpstreamError: The database failed; the same call may be made again.
        """
        if self._documents is None:
            return
        session_id = visit.session_id
        body = {**report(visit), "archived_at": self._clock.now().isoformat(), "ttl": self._ttl_s}
        await self._documents.upsert(Document(CALLS.name, session_id, session_id, body))
