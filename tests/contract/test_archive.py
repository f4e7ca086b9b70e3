"""What becomes of a session that is over: summed up and kept, once, whatever fails meanwhile."""

import asyncio
import gc
import json
import uuid
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from shared.agent.completions import Completion, TextDelta, ToolCall
from shared.agent.summary import Summarizer
from shared.calls import events as ev
from shared.calls.archivist import MAX_TRIES, Archivist
from shared.calls.flow import MAX_FAILURES
from shared.calls.report import report
from shared.calls.reports import Reports
from shared.calls.runner import RunnerTimes
from shared.calls.state import Phase
from shared.clock import SystemClock
from shared.errors import InvalidRequestError, SessionNotFoundError, UpstreamError
from shared.redis.manager import AzureRedisManager
from shared.state.codec import session_key
from shared.state.store import SessionStore
from shared.types import EventId, Json, SessionId
from tests.contract.call_stage import Phone, ReflexModel, Stage
from tests.unit.document_fakes import FakeDocuments

pytest_plugins = ["tests.contract.redis_fixture"]

SUMMARY = {"short": "s", "long": "l", "satisfaction": "neutral", "next_step": ""}
TTL_S = 1000


class WritingModel(ReflexModel):
    """Sums up as well; fails as often as it is told to."""

    def __init__(self) -> None:
        self.failures = 0
        self.asked = 0

    async def stream(
        self, messages: Sequence[Json], *, tools: Sequence[Json] = (), **more: Any
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """A summary if one is asked for, else a reflex."""
        if [one["function"]["name"] for one in tools] != ["record_summary"]:
            async for item in super().stream(messages, tools=tools, **more):
                yield item
            return
        self.asked += 1
        if self.asked <= self.failures:
            raise UpstreamError("the model is down")
        call = ToolCall("c", "record_summary", json.dumps(SUMMARY))
        yield Completion("tool_calls", (call,), 9, 3, "reflex")


class Over:
    """A call that is over, with everything around it."""

    def __init__(
        self,
        manager: AzureRedisManager,
        stage: Stage,
        model: WritingModel,
        documents: FakeDocuments,
        reports: Reports,
    ) -> None:
        self.manager = manager
        self.stage = stage
        self.model = model
        self.documents = documents
        self.session_id = SessionId(str(uuid.uuid4()))
        self.reports = reports

    async def play(self) -> None:
        """The call, from the first ring to what is done after its end."""
        await self.stage.play(self.session_id)

    async def come_back(self) -> None:
        """What the sweeper does once the lease has run out."""
        runner = self.stage.runners[0]
        while not (await runner.look(self.session_id)).expired:
            pass
        await runner.resume(self.session_id)
        await runner.drain()

    async def open_commands(self) -> list[str]:
        """What is still to be done."""
        visit = await self.stage.runners[0].look(self.session_id)
        return [one.partition("-")[0] for one in visit.state.open]

    def archived(self) -> list[Json]:
        """What the database holds."""
        return [one.body for one in self.documents.held("calls")]


@asynccontextmanager
async def over(redis_url: str, model: WritingModel | None = None) -> AsyncIterator[Over]:
    """One instance whose leases end at once."""
    manager, documents = AzureRedisManager(url=redis_url), FakeDocuments()
    model = model or WritingModel()
    store = SessionStore(manager, instance_id="a", lease_s=5, ttl_s=600, clock=SystemClock())
    reports = Reports(store, documents, ttl_s=TTL_S, clock=SystemClock())
    archivist = Archivist(Summarizer(model, timeout_s=5), reports)
    stage = Stage(
        [manager],
        Phone(("my balance",)),
        model=model,
        times=RunnerTimes(lease_s=0.2),
        archivist=archivist,
    )
    try:
        yield Over(manager, stage, model, documents, reports)
    finally:
        await manager.aclose()


async def test_session_that_is_over_is_kept_once(redis_url: str) -> None:
    """Summary, transcript, tools and turns, for as long as is set; a second end adds nothing."""
    async with over(redis_url) as call:
        await call.play()
        (kept,) = call.archived()
        assert kept["summary"] | SUMMARY == kept["summary"]
        assert kept["ttl"] == TTL_S
        assert [one["role"] for one in kept["transcript"]][:2] == ["assistant", "user"]
        assert [one["name"] for one in kept["tools"]] == ["note"]
        assert kept["outcome"] == "caller_left"
        assert await call.open_commands() == []
        await call.stage.runners[0].receive(call.session_id, ev.CallEnded(EventId("again")))
        await call.stage.runners[0].drain()
        assert (call.documents.writes_total, call.model.asked) == (1, 1)


class PartingModel(WritingModel):
    """Breaks in every turn, which ends a chat; sums up when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_sum_up = asyncio.Event()

    async def stream(
        self, messages: Sequence[Json], *, tools: Sequence[Json] = (), **more: Any
    ) -> AsyncGenerator[TextDelta | Completion, None]:
        """A summary, once it may be; else nothing."""
        if [one["function"]["name"] for one in tools] != ["record_summary"]:
            raise UpstreamError("the model is down")
        await self.may_sum_up.wait()
        async for item in super().stream(messages, tools=tools, **more):
            yield item


async def test_last_reply_does_not_wait_for_the_summary(redis_url: str) -> None:
    """The chat is over and answered while the model still sums it up."""
    model = PartingModel()
    async with over(redis_url, model) as call:
        runner, chat = call.stage.runners[0], ev.ChatOpened(EventId("open"), None)
        await runner.receive(call.session_id, chat, begins_session=True)
        async with asyncio.timeout(20):
            for number in range(MAX_FAILURES):
                said = ev.TextReceived(EventId(f"t{number}"), "hello")
                visit = await runner.receive(call.session_id, said, within_s=600)
        assert (visit.state.phase, call.archived()) == (Phase.ENDED, [])
        model.may_sum_up.set()
        await runner.drain()
        assert len(call.archived()) == 1


async def test_command_that_crashes_says_nothing_of_what_was_said(
    redis_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    """It stays to be taken over; neither we nor asyncio log the text of the error."""
    loop, unseen = asyncio.get_running_loop(), list[dict[str, Any]]()
    loop.set_exception_handler(lambda _, context: unseen.append(context))
    async with over(redis_url) as call:
        call.documents.failure = ZeroDivisionError("what the caller said")
        await call.play()
        gc.collect()
        await asyncio.sleep(0)
        assert await call.open_commands() == ["archive"]
    assert unseen == []
    assert "what the caller said" not in caplog.text


async def test_archive_waits_for_a_database_that_is_down(redis_url: str) -> None:
    """The command stays to be taken over; the model is not asked a second time."""
    async with over(redis_url) as call:
        call.documents.failure = UpstreamError("the database is down")
        await call.play()
        assert (await call.open_commands(), call.archived()) == (["archive"], [])
        call.documents.failure = None
        await call.come_back()
        assert len(call.archived()) == 1
        assert (await call.open_commands(), call.model.asked) == ([], 1)


async def test_report_that_the_database_never_takes_is_not_offered_for_ever(redis_url: str) -> None:
    """It is too large now and will be later; it can be read until the session ends."""
    async with over(redis_url) as call:
        call.documents.failure = InvalidRequestError("the document is too large")
        await call.play()
        assert (await call.open_commands(), call.archived()) == ([], [])
        call.documents.failure = None
        assert (await call.reports.find(call.session_id))["transcript"]


async def test_archive_waits_for_a_model_that_is_down_and_then_does_without(
    redis_url: str,
) -> None:
    """It is asked again after each lease; in the end the report says that it has no summary."""
    async with over(redis_url) as call:
        call.model.failures = MAX_TRIES
        await call.play()
        for _ in range(MAX_TRIES - 1):
            assert call.archived() == []
            await call.come_back()
        (kept,) = call.archived()
        assert kept["summary"] == {"status": "unavailable"}
        assert call.model.asked == MAX_TRIES


async def test_summary_comes_when_the_model_is_well_again(redis_url: str) -> None:
    """A short outage at the end of a call costs nothing but time."""
    async with over(redis_url) as call:
        call.model.failures = 1
        await call.play()
        await call.come_back()
        (kept,) = call.archived()
        assert kept["summary"]["status"] == "ok"


async def test_report_that_two_keep_at_once_holds_what_both_knew(redis_url: str) -> None:
    """A recording becomes text while the session is archived: nothing that was known is lost."""
    async with over(redis_url) as call:
        await call.play()
        memo = (await call.stage.stores[0].load(call.session_id)).memo
        memo.set_context("recording:r", {"text": "heard"})
        await memo.persist()
        await asyncio.gather(*(call.reports.keep(call.session_id) for _ in range(4)))
        (kept,) = call.archived()
        assert kept["recordings"] == {"r": {"text": "heard"}}
        assert kept["summary"]["status"] == "ok"


async def test_report_is_found_as_long_as_anybody_knows_it(redis_url: str) -> None:
    """From Redis while the session lives, then from the archive; then it is gone, and said so."""
    async with over(redis_url) as call:
        await call.play()
        live = await call.reports.find(call.session_id)
        assert live == report(await call.stage.runners[0].look(call.session_id))
        await call.manager.execute("DEL", session_key(call.session_id, "memo"))
        kept = await call.reports.find(call.session_id)
        assert {**kept, "archived_at": ""} == {**live, "archived_at": ""}
        assert "Session" in await call.reports.page(call.session_id)
        call.documents.failure = UpstreamError("the database is down")
        with pytest.raises(UpstreamError):
            await call.reports.find(call.session_id)
        call.documents.failure = None
        with pytest.raises(SessionNotFoundError):
            await call.reports.find(SessionId("nobody"))
