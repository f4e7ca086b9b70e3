"""The ledger as its scripts define it, and instances that reach it over lines that break.

`LedgerModel` says in Python what ``ledger_begin.lua`` and ``ledger_end.lua`` say; that they agree
is tested in tests/contract/test_ledger_model.py.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from shared.errors import UpstreamError
from shared.types import Json, SessionId
from tests.unit.tool_fakes import FakeBegin

Place = tuple[str | None, str]


@dataclass
class Entry:
    """What is known of a key; a result once it is done."""

    fingerprint: str
    token: str
    started_ms: int
    result: Json | None = None


@dataclass
class LedgerModel:
    """One server; every method is one script, and so is atomic."""

    unknown_after_ms: int = 60_000
    now_ms: int = 0
    entries: dict[Place, Entry] = field(default_factory=dict)

    def begin(self, place: Place, fingerprint: str, token: str) -> FakeBegin:
        """Claim the key, or tell what is known of it."""
        entry = self.entries.get(place)
        if entry is None:
            self.entries[place] = Entry(fingerprint, token, self.now_ms)
            return FakeBegin("fresh")
        if entry.fingerprint != fingerprint:
            return FakeBegin("mismatch")
        if entry.result is not None:
            return FakeBegin("done", entry.result)
        if entry.token == token:
            return FakeBegin("fresh")
        is_old = self.now_ms - entry.started_ms >= self.unknown_after_ms
        return FakeBegin("unknown" if is_old else "in_progress")

    def finish(self, place: Place, result: Json) -> None:
        """Store the result; the first one stays."""
        entry = self.entries.get(place)
        if entry is None:
            self.entries[place] = Entry("", "", self.now_ms, result)
        elif entry.result is None:
            entry.result = result

    def forget(self, place: Place) -> None:
        """Give the key back; what is done stays."""
        entry = self.entries.get(place)
        if entry is not None and entry.result is None:
            del self.entries[place]


Deed = Callable[[], object]


@dataclass
class Waiting:
    """Somebody who waits for their next step, and what they have sent off before."""

    future: asyncio.Future[None]
    sent: Deed | None


class Scheduler:
    """Decides at random who goes on, what gets lost, and when what was lost arrives after all."""

    def __init__(self, seed: int, *, trouble: float) -> None:
        self.random = Random(seed)
        self.trouble = trouble
        self.waiting: dict[int, Waiting] = {}
        self.late: list[Deed] = []

    def happens(self) -> bool:
        """Whether trouble strikes here."""
        return self.random.random() < self.trouble

    async def step(self, who: int, sent: Deed | None = None) -> None:
        """Wait until it is one's turn; *sent* is under way meanwhile."""
        waiting = Waiting(asyncio.get_running_loop().create_future(), sent)
        self.waiting[who] = waiting
        try:
            await waiting.future
        finally:
            self.waiting.pop(who, None)

    def lose(self, deed: Deed) -> None:
        """A request whose line broke: it may arrive later, or never."""
        if self.random.random() < 0.5:
            self.late.append(deed)

    def go_on(self) -> int | None:
        """Let one of those who wait take their next step; who it was."""
        if self.late and self.random.random() < 0.3:
            self.late.pop(self.random.randrange(len(self.late)))()
        if not self.waiting:
            return None
        who = self.random.choice(list(self.waiting))
        future = self.waiting.pop(who).future
        if not future.done():
            future.set_result(None)
        return who

    def kill(self, who: int, task: "asyncio.Task[Json]") -> None:
        """SIGKILL in the middle: nothing of it runs any more, but what was sent may arrive."""
        waiting = self.waiting.pop(who, None)
        if waiting is not None and waiting.sent is not None:
            self.lose(waiting.sent)
        task.cancel()


class LineToLedger:
    """A `Ledger` as one instance reaches it: repeats what may be repeated, once, as ours does."""

    def __init__(self, model: LedgerModel, scheduler: Scheduler, who: int) -> None:
        self._model = model
        self._scheduler = scheduler
        self._who = who

    async def begin(self, session_id: SessionId | None, key: str, fingerprint: str) -> FakeBegin:
        """Claim; a repetition brings the same token."""
        token = f"{self._who}-{self._scheduler.random.random()}"
        place = (session_id, key)
        reply = await self._ask(lambda: self._model.begin(place, fingerprint, token), attempts=2)
        assert isinstance(reply, FakeBegin)
        return reply

    async def finish(self, session_id: SessionId | None, key: str, result: Json) -> None:
        """Store; may be repeated."""
        await self._ask(lambda: self._model.finish((session_id, key), result), attempts=2)

    async def forget(self, session_id: SessionId | None, key: str) -> None:
        """Give back; never repeated."""
        await self._ask(lambda: self._model.forget((session_id, key)), attempts=1)

    async def _ask(self, deed: Deed, *, attempts: int) -> object:
        for _ in range(attempts):
            await self._scheduler.step(self._who, deed)
            if self._scheduler.happens():
                self._scheduler.lose(deed)
                continue
            reply = deed()
            await self._scheduler.step(self._who)
            if not self._scheduler.happens():
                return reply
        raise UpstreamError("session store unreachable")
