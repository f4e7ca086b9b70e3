"""Timer triggers: NCRONTAB schedules in UTC, one run at a time."""

import asyncio
import json
import logging
from datetime import UTC, datetime

from azure.functions.meta import Datum
from croniter import croniter
from croniter.croniter import CroniterError

from simulator.functions_host.indexing import FunctionRejectedError, IndexedFunction
from simulator.functions_host.invocation import Invoker

logger = logging.getLogger("host.timer")


class Timer:
    """The schedule of one timer function."""

    def __init__(self, function: IndexedFunction, schedule: str, invoker: Invoker) -> None:
        """Describe the timer; `run` starts it.

        Raises:
            FunctionRejectedError: *schedule* is not an NCRONTAB expression.
        """
        next_occurrence(schedule, datetime.now(UTC))
        self._function = function
        self._schedule = schedule
        self._invoker = invoker

    async def run(self) -> None:
        """Run the function on schedule until cancelled; what falls into a run is left out."""
        last = None
        if self._function.is_run_on_startup:
            last = await self._fire(last)
        due_at = next_occurrence(self._schedule, datetime.now(UTC))
        while True:
            await asyncio.sleep(max(0.0, (due_at - datetime.now(UTC)).total_seconds()))
            last = await self._fire(last)
            # A sleep may end a moment early: never ask for an occurrence a second time.
            due_at = next_occurrence(self._schedule, max(due_at, datetime.now(UTC)))

    async def _fire(self, last: datetime | None) -> datetime:
        started_at = datetime.now(UTC)
        await self._invoker.invoke(
            self._function, timer_datum(last, next_occurrence(self._schedule, started_at))
        )
        return started_at


def next_occurrence(schedule: str, after: datetime) -> datetime:
    """The first instant later than *after*; five fields, or six that begin with the seconds.

    Raises:
        FunctionRejectedError: *schedule* is not an NCRONTAB expression.
    """
    try:
        # NCRONTAB wants day of month and day of week both to match; cron wants one of them.
        occurrences = croniter(
            schedule, after, ret_type=datetime, second_at_beginning=True, day_or=False
        )
        occurrence: datetime = occurrences.get_next()
    except (CroniterError, ValueError) as err:
        raise FunctionRejectedError(f"the schedule {schedule!r} is not valid") from err
    return occurrence


def timer_datum(last: datetime | None = None, following: datetime | None = None) -> Datum:
    """What a timer function is given; never past due, for nothing is stored between starts."""
    status = {
        "Last": last.isoformat() if last else "0001-01-01T00:00:00+00:00",
        "Next": following.isoformat() if following else "0001-01-01T00:00:00+00:00",
        "LastUpdated": last.isoformat() if last else "0001-01-01T00:00:00+00:00",
    }
    document = {"Schedule": {"AdjustForDST": True}, "ScheduleStatus": status, "IsPastDue": False}
    return Datum(type="json", value=json.dumps(document))
