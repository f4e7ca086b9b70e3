"""The end of a session: it is summed up, and kept."""

from shared.agent.summary import UNAVAILABLE, Summarizer
from shared.calls.report import SUMMARY
from shared.calls.reports import Reports
from shared.calls.visit import Visit
from shared.errors import InvalidRequestError, UpstreamError
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

MAX_TRIES = 3
"""So often the model is asked; then the session is archived without a summary."""


class Archivist:
    """Sums sessions up, and keeps them where there is a database."""

    def __init__(self, summarizer: Summarizer, reports: Reports) -> None:
        self._summarizer = summarizer
        self._reports = reports

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
        """Store the session's report, unless it is too large for the database.

        Again changes nothing.

        Raises:
            UpstreamError: The store or the database failed; the same call may be made again.
        """
        try:
            await self._reports.keep(visit.session_id)
        except InvalidRequestError as error:
            # The database does not take it, however often it is asked: it ends with its session.
            logger.error("report not kept", extra={"error": error.code, "detail": str(error)})
