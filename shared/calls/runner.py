"""The only imperative part of a call: load, advance, commit, do, and what came of it.

A lost race reloads and advances again. That is cheap: `advance` is pure, and the expensive work
(the model, the tools) is a command, never repeated by a retry of the commit.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any, Protocol

from shared.calls import spans
from shared.calls.codec import decode_command, encode
from shared.calls.commands import Archive
from shared.calls.events import CommandEvent, Event
from shared.calls.flow import Step, advance
from shared.calls.journal import Books, NoBooks, account
from shared.calls.meter import used_between
from shared.calls.state import CallState, Channel, Phase
from shared.calls.visit import Owned, Visit, look
from shared.clock import Clock
from shared.errors import AppError, UpstreamError
from shared.state.store import Commit, Outcome, Pending, SessionStore
from shared.telemetry.context import log_facts
from shared.telemetry.logs import get_logger
from shared.telemetry.metrics import REFUSALS, record
from shared.telemetry.tracing import current_trace_parent
from shared.types import CommandId, SessionId

logger = get_logger(__name__)


class NotOursError(AppError):
    """A command is done, called off, or taken over by another instance: stop doing it."""

    code = "not_ours"


MAX_RACES = 10


class Executor(Protocol):
    """Does commands; `shared.calls.executor` is one."""

    def execute(self, visit: Visit, owned: Owned) -> AsyncGenerator[CommandEvent, None]:
        """Do a command; yield what came of it as it comes, with ids that name command and fence."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerTimes:
    """How long things may take."""

    ack_s: float = 4.0
    """An event is acknowledged after this time at the latest, while the work goes on."""
    lease_s: float = 20.0
    """Commands belong to an instance for this long after its last sign of life."""
    silent_call_s: float = 180.0
    """A call from which nothing came for so long is asked after."""


class CallRunner:
    """Applies events to sessions and does what follows."""

    def __init__(
        self,
        store: SessionStore,
        executor: Executor,
        *,
        new_state: Callable[[SessionId, Event | None], CallState],
        clock: Clock,
        times: RunnerTimes,
        books: Books | None = None,
    ) -> None:
        """Run calls.

        Args:
            store: Where sessions are.
            executor: Does commands.
            new_state: What a session begins with.
            clock: The time.
            times: How long things may take.
            books: Told what this process has used, and of every turn it has run.
        """
        self._books = books or NoBooks()
        self._store = store
        self._executor = executor
        self._new_state = new_state
        self._clock = clock
        self._times = times
        self._tasks: set[asyncio.Task[None]] = set()

    async def receive(
        self,
        session_id: SessionId,
        event: Event,
        *,
        begins_session: bool = False,
        within_s: float | None = None,
    ) -> Visit:
        """Apply *event* once, however often it is delivered, and begin what follows.

        Returns when the change is durable and what follows is done or under way. The work goes on
        after that; if this process dies, another one takes over.

        Args:
            session_id: Whose event it is.
            event: What happened.
            begins_session: Whether the event may be the first of its session.
            within_s: Return after so many seconds even if the work goes on; ``ack_s`` by default.

        Raises:
            SessionNotFoundError: There is no such session and the event cannot begin one.
            UpstreamError: The session store failed; the event may be delivered again.
        """
        received_at = self._clock.monotonic()
        with log_facts(session_id=session_id), spans.event_span(event) as handled:
            visit = Visit(session_id, self._clock.monotonic, received_at)
            await self._load(visit, event, may_begin=begins_session)
            with spans.joined(handled, visit):
                owned = await self._apply(visit, event)
                spans.note_event(handled, visit, owned)
                await self._begin(visit, owned, received_at + (within_s or self._times.ack_s))
        return visit

    async def look(self, session_id: SessionId) -> Visit:
        """Read a session and change nothing; raises `SessionNotFoundError`."""
        return await look(self._store, session_id, self._clock.monotonic)

    async def resume(self, session_id: SessionId) -> Visit:
        """Take over what a dead instance left of the session, if anything."""
        with log_facts(session_id=session_id), spans.takeover_span() as handled:
            visit = await self.look(session_id)
            with spans.joined(handled, visit):
                owned = await self._apply(visit, None)
                if owned:
                    logger.warning("commands taken over", extra={"commands": len(owned)})
                await self._begin(visit, owned, self._clock.monotonic() + self._times.ack_s)
        return visit

    async def drain(self) -> None:
        """Wait until nothing is under way in this process; for tests and an orderly stop."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    # --- load, advance, commit ----------------------------------------------------------------

    async def _load(self, visit: Visit, event: Event | None, *, may_begin: bool) -> None:
        loaded = await self._store.load(visit.session_id, event.id if event else None)
        fresh = None
        if may_begin:
            begun = self._new_state(visit.session_id, event)
            fresh = replace(begun, trace_parent=current_trace_parent())
        visit.take(loaded, fresh)
        visit.stages.reached("memo_load")

    async def _apply(
        self, visit: Visit, event: Event | None, by: Owned | None = None
    ) -> Sequence[Owned]:
        """Apply *event*; return the commands that are now ours to do.

        Raises:
            NotOursError: The event reports on a command that is no longer ours.
        """
        has_raced = False
        for _ in range(MAX_RACES):
            if visit.is_outdated:
                await self._load(visit, event, may_begin=True)
            is_new = event is not None and not visit.is_seen
            step = advance(visit.state, event) if event and is_new else Step(visit.state)
            if by is not None and by.command.id not in visit.state.open:
                raise NotOursError("the command is done or called off")
            claims = [one for one in visit.expired if one.command_id not in step.done]
            if step == Step(visit.state) and not claims:
                visit.outcome = spans.outcome_without_change(visit)
                if has_raced:
                    # The lost commit has listed the session by what it would have made of it.
                    due_in_s = self._due_in_s(visit, step, set())
                    await self._store.list_due(visit.session_id, due_in_s)
                return ()
            change, step = self._change(visit, event if is_new else None, step, claims, by)
            committed = await self._store.commit(change)
            match committed.outcome:
                case Outcome.APPLIED:
                    self._accept(visit, step.state, committed.version, change)
                    spans.note_commit(visit, is_new=is_new, taken_over=len(claims))
                    ours = [*(decode_command(one.command) for one in claims), *step.commands]
                    fences = committed.fences
                    return [Owned(one, fences[one.id]) for one in ours if one.id in fences]
                case Outcome.REFUSED:
                    record(REFUSALS, 1, {"what": "commit"})
                    raise NotOursError("another instance has taken the command over")
                case _:
                    visit.is_outdated = has_raced = True
        raise UpstreamError("the session changed too often")

    def _change(
        self,
        visit: Visit,
        event: Event | None,
        step: Step,
        claims: Sequence[Pending],
        by: Owned | None,
    ) -> tuple[Commit, Step]:
        """What to write: the step, the memory's changes, and what we take over.

        And the step as it is written, with what has been used.
        """
        at_ms = round(self._clock.now().timestamp() * 1000)
        entry, step = account(visit, event, step, at_ms=at_ms)
        change = Commit(
            session_id=visit.session_id,
            event_id=event.id if event else None,
            expected_version=visit.version,
            call=encode(step.state),
            messages=step.messages,
            memo=visit.memo,
            add=tuple((one.id, encode(one)) for one in step.commands),
            done=step.done,
            claim=tuple((one.command_id, one.fence) for one in claims),
            owner=(by.command.id, by.fence) if by else None,
            journal=entry,
            link_call=step.state.call_connection_id or None,
            link_server_call=(step.state.server_call_id or None)
            if step.state.is_recorded
            else None,
        )
        return replace(change, due_in_s=self._due_in_s(visit, step, _leased(change))), step

    def _accept(self, visit: Visit, state: CallState, version: int, change: Commit) -> None:
        self._books.used(used_between(visit.state.meter, state.meter))
        visit.accept(state, version, _leased(change), self._times.lease_s)
        visit.stages.reached("memo_save")

    def _due_in_s(self, visit: Visit, step: Step, leased: set[CommandId]) -> float | None:
        """When somebody should look at the session if nothing more comes."""
        state = step.state
        if state.open:
            held = set(state.open) - leased
            return visit.lease_left_s(held, self._times.lease_s)
        is_live_call = state.channel is Channel.CALL and state.phase is not Phase.ENDED
        return self._times.silent_call_s if is_live_call else None

    # --- do -----------------------------------------------------------------------------------

    async def _begin(self, visit: Visit, owned: Sequence[Owned], until: float) -> None:
        if not owned:
            return
        task = self._start(self._do_all(visit, owned))
        await asyncio.wait({task}, timeout=max(0.0, until - self._clock.monotonic()))

    def _start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        # Outlives the request on purpose: what it does is in the outbox should the process die.
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _do_all(self, visit: Visit, owned: Sequence[Owned]) -> None:
        try:
            await self._do_each(visit, owned)
        finally:
            if visit.turn is not None:
                self._books.turn_over(visit.turn.as_json())

    async def _do_each(self, visit: Visit, owned: Sequence[Owned]) -> None:
        # What fails stays in the outbox: it is taken over after the lease.
        try:
            for one in owned:
                await self._do(visit, one)
        except AppError as error:
            logger.error("commands left to be taken over", extra={"error": error.code})
        except Exception:  # asyncio would log it as it is, with what a caller said in its text
            logger.exception("command crashed")

    async def _do(self, visit: Visit, owned: Owned) -> None:
        """Do one command and whatever follows from its results, in order."""
        with spans.command_span(visit, owned):
            async with aclosing(self._executor.execute(visit, owned)) as results:
                async for event in results:
                    try:
                        followers = await self._apply(visit, event, by=owned)
                    except NotOursError:
                        logger.info("command given up", extra={"command": owned.command.id})
                        return
                    for follower in followers:
                        if isinstance(follower.command, Archive):
                            # Whoever waits for a reply does not wait for the summary of it all.
                            self._start(self._do_each(visit, [follower]))
                        else:
                            await self._do(visit, follower)


def _leased(change: Commit) -> set[CommandId]:
    """The commands whose leases begin anew with *change*."""
    owner = [change.owner[0]] if change.owner else []
    return {*owner, *(one for one, _ in change.add), *(one for one, _ in change.claim)}
