"""Looks after sessions whose instance has died and calls that have gone silent.

``va:due`` names every session that somebody should look at, and when: the end of the lease while
commands are open, minutes after its last event while a call is live.
"""

import asyncio
from typing import Protocol

from shared.calls.events import CallEnded, CallFoundSilent, Event
from shared.calls.runner import CallRunner
from shared.calls.state import Channel, Phase
from shared.calls.visit import Visit
from shared.clock import Clock
from shared.errors import AppError, SessionNotFoundError
from shared.state.store import SessionStore
from shared.telemetry.logs import get_logger
from shared.telemetry.metrics import OUTBOX_AGE, record
from shared.types import CallConnectionId, EventId, SessionId

logger = get_logger(__name__)

BATCH = 100
PAUSE_S = 1.0
"""Between two looks at sessions that are due and stay so, for example while Redis is down."""


class Calls(Protocol):
    """Knows which calls exist; `shared.calls.telephony` is one."""

    async def is_alive(self, call: CallConnectionId) -> bool:
        """Whether the call still exists; raises `TelephonyError`."""
        ...


class Sweeper:
    """Takes over, and asks after silent calls."""

    def __init__(
        self, store: SessionStore, runner: CallRunner, calls: Calls, *, clock: Clock
    ) -> None:
        self._store = store
        self._runner = runner
        self._calls = calls
        self._clock = clock

    async def sweep(self, period_s: float) -> int:
        """Look after everything that falls due within *period_s*, each when it is due.

        So a command is taken over when its lease ends and not up to a period later, and a sweep
        with nothing to look after ends at once.

        Returns:
            How many sessions were looked after.
        """
        ends_at = self._clock.now().timestamp() + period_s
        count, broken = 0, set[SessionId]()
        while True:
            listed = await self._store.due(ends_at, BATCH + len(broken))
            due = [(session_id, at) for session_id, at in listed if session_id not in broken]
            if not due:
                break
            now = self._clock.now().timestamp()
            ripe = [(session_id, at) for session_id, at in due if at <= now]
            for _, at in ripe:
                record(OUTBOX_AGE, now - at)
            went_well = await asyncio.gather(*(self._look_after(*one) for one in ripe))
            broken |= {one[0] for one, is_well in zip(ripe, went_well, strict=True) if not is_well}
            count += len(ripe)
            # Due times move on with every event: wait for the next one, then read them again.
            waits_s = [at - now for _, at in due if at > now]
            wait_s = min([*waits_s, PAUSE_S]) if ripe else waits_s[0]
            if now + wait_s > ends_at:
                break
            await self._clock.sleep(wait_s)
        return count

    async def _look_after(self, session_id: SessionId, due_at: float) -> bool:
        """Look after one session; False if there is no use in trying again in this sweep."""
        try:
            if await self._is_settled(session_id, due_at):
                await self._store.settle(session_id, due_at)
        except AppError as error:
            logger.warning("sweep failed", extra={"session_id": session_id, "error": error.code})
            return False
        except Exception:  # one damaged session must not cost the others their takeover
            logger.exception("sweep crashed", extra={"session_id": session_id})
            return False
        return True

    async def _is_settled(self, session_id: SessionId, due_at: float) -> bool:
        """Do what there is to do; True if the session need not be looked at again for it.

        If something came of it, the session is due at another time, and settling does nothing.
        """
        try:
            visit = await self._runner.look(session_id)
        except SessionNotFoundError:
            return True
        if visit.expired:
            await self._runner.resume(session_id)
            return False  # under way again; due again when its lease ends
        if visit.state.open:
            return False  # under way elsewhere, with a lease that is about to end
        if await self._store.due_at(session_id) != due_at:
            return False  # not late any more: something came since the list was read
        if _is_live_call(visit):
            became = await self._what_became_of(visit)
            if (await self._runner.look(session_id)).version != visit.version:
                return False  # not silent any more: something came while we asked
            await self._runner.receive(session_id, became)
        return True

    async def _what_became_of(self, visit: Visit) -> Event:
        """Ask ACS about a call from which nothing has come for minutes."""
        call = visit.state.call_connection_id
        is_alive = bool(call) and await self._calls.is_alive(call)
        logger.warning("silent call", extra={"is_alive": is_alive, "phase": visit.state.phase})
        if is_alive:
            return CallFoundSilent(EventId(f"silent:{visit.version}"))
        return CallEnded(EventId("gone"))


def _is_live_call(visit: Visit) -> bool:
    return visit.state.channel is Channel.CALL and visit.state.phase is not Phase.ENDED
