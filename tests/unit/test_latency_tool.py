"""The stopwatch: what is started and stopped is known, once, whatever happens in between."""

import asyncio
import json

import pytest

from shared.latency.tool import MAX_OPEN, LatencyTool
from shared.state.facts import MAX_LATENCY_NOTES
from shared.state.memo import MemoManager
from tests.unit.fakes import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    """Moves when told to."""
    return FakeClock()


@pytest.fixture
def memo() -> MemoManager:
    """A session without a store."""
    return MemoManager("s1")


@pytest.fixture
def tool(memo: MemoManager, clock: FakeClock) -> LatencyTool:
    """A stopwatch for it."""
    return LatencyTool(memo, monotonic=clock.monotonic)


async def test_latency_tool_runs_the_sample_of_the_specification() -> None:
    """``stop`` takes a name and nothing else, and the real clock is used."""
    memory_manager = MemoManager()
    sent: list[str] = []

    async def send_greeting_audio() -> None:
        sent.append("hello")

    latency_tool = LatencyTool(memory_manager)

    latency_tool.start("greeting_ttfb")
    await send_greeting_audio()
    latency_tool.stop("greeting_ttfb")

    assert sent == ["hello"]
    assert latency_tool.session_summary()["greeting_ttfb"]["count"] == 1
    assert memory_manager.has_changes


def test_latency_tool_tells_what_was_measured(tool: LatencyTool, clock: FakeClock) -> None:
    """Seconds, each stage by itself, zero included: nothing is invented or left out."""
    for took_s in (0.4, 0.0, 0.2):
        tool.start("llm")
        clock.elapsed_s += took_s
        assert tool.stop("llm") == pytest.approx(took_s * 1000)
    assert tool.session_summary() == {
        "llm": {
            "count": 3,
            "avg": pytest.approx(0.2),
            "min": 0.0,
            "max": pytest.approx(0.4),
            "total": pytest.approx(0.6),
            "p50": pytest.approx(0.2),
            "p95": pytest.approx(0.4),
            "p99": pytest.approx(0.4),
        }
    }


def test_latency_tool_keeps_a_stage_with_the_run_it_began_in(
    tool: LatencyTool, clock: FakeClock
) -> None:
    """A run that begins between start and stop must not lose the sample."""
    first = tool.begin_run("greeting")
    tool.start("tts")
    second = tool.begin_run()
    tool.start("llm")
    clock.elapsed_s += 1
    tool.stop("tts")
    tool.stop("llm")
    assert first.startswith("greeting-")
    assert list(tool.run_summary(first)) == ["tts"]
    assert list(tool.run_summary(second)) == ["llm"]
    assert tool.run_summary("no such run") == {}
    assert tool.get_current_run() == second
    tool.set_current_run(first)
    assert tool.get_current_run() == first


def test_latency_tool_measures_a_stage_within_itself(tool: LatencyTool, clock: FakeClock) -> None:
    """The last one started is the first one stopped."""
    tool.start("tool")
    clock.elapsed_s += 1
    tool.start("tool")
    clock.elapsed_s += 2
    assert [tool.stop("tool"), tool.stop("tool")] == [2000, 3000]


async def test_latency_tool_measures_a_stage_in_several_tasks_at_once(
    tool: LatencyTool, clock: FakeClock
) -> None:
    """Each task stops its own, in whatever order they end."""
    started = asyncio.Event()

    async def outer() -> float | None:
        tool.start("tool")
        started.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return tool.stop("tool")

    async def inner() -> float | None:
        await started.wait()
        clock.elapsed_s += 1
        tool.start("tool")
        clock.elapsed_s += 2
        return tool.stop("tool")

    assert list(await asyncio.gather(outer(), inner())) == [3000, 2000]


async def test_latency_tool_may_be_stopped_by_another_task(
    tool: LatencyTool, clock: FakeClock
) -> None:
    """Audio begins in one place and is done in another; the token names exactly which."""
    first, second = tool.start("tts"), tool.start("tts")
    clock.elapsed_s += 1

    async def elsewhere() -> list[float | None]:
        return [tool.stop(first), tool.stop("tts")]

    assert await asyncio.create_task(elsewhere()) == [1000, 1000]
    assert tool.stop(second) is None


def test_latency_tool_forgives_what_was_never_started(tool: LatencyTool) -> None:
    """Measuring must not break what it measures, nor invent a figure."""
    assert tool.stop("x") is None
    tool.start("x")
    tool.cleanup_timers()
    assert tool.stop("x") is None
    assert tool.session_summary() == {}


def test_latency_tool_is_bounded(tool: LatencyTool, memo: MemoManager) -> None:
    """A session that never ends must not grow for ever."""
    for number in range(2 * MAX_OPEN):
        tool.start(f"never stopped {number}")
    assert tool.stop("never stopped 0") is None
    assert tool.stop(f"never stopped {MAX_OPEN}") is not None
    for _ in range(2 * MAX_LATENCY_NOTES):
        tool.start("x")
        tool.stop("x")
    assert len(memo.stage_notes()) == MAX_LATENCY_NOTES


def test_latency_tool_goes_on_in_another_process(
    tool: LatencyTool, memo: MemoManager, clock: FakeClock
) -> None:
    """What is kept are durations and the run, never a reading of the clock."""
    run = tool.begin_run()
    clock.elapsed_s += 12_345
    tool.start("llm")
    clock.elapsed_s += 0.5
    tool.stop("llm", meta={"model": "gpt"})
    assert "12345" not in json.dumps(memo.messages("~latency"))
    again = LatencyTool(memo)
    assert again.get_current_run() == run
    assert again.run_summary(run)["llm"]["total"] == 0.5
    assert memo.stage_notes()[0].meta == {"model": "gpt"}
