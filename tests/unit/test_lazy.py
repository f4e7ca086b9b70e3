"""Parts that are built once, whoever asks, leaves or comes again."""

import asyncio
import gc

import pytest

from shared.errors import UpstreamError
from shared.pools.lazy import Lazy


class Builder:
    """Builds when it may, and counts."""

    def __init__(self, *failures: BaseException) -> None:
        self.builds_total = 0
        self.may_end = asyncio.Event()
        self.has_begun = asyncio.Event()
        self.was_cancelled = False
        self._failures = list(failures)

    async def __call__(self) -> str:
        """A part, or the next failure."""
        self.builds_total += 1
        self.has_begun.set()
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.was_cancelled = True
            raise
        if self._failures:
            raise self._failures.pop(0)
        return f"part {self.builds_total}"


def ready(*failures: BaseException) -> Builder:
    """A builder that waits for nobody."""
    builder = Builder(*failures)
    builder.may_end.set()
    return builder


def test_lazy_needs_no_loop_until_it_is_used() -> None:
    """Parts are declared while the app is imported, when no loop runs."""
    assert Lazy.of("part").built is None


async def test_lazy_builds_on_first_use_and_keeps_the_part() -> None:
    """The first request pays, the others do not."""
    builder = ready()
    lazy = Lazy(builder)
    assert builder.builds_total == 0
    assert [await lazy.get(), await lazy.get()] == ["part 1", "part 1"]
    assert builder.builds_total == 1


async def test_lazy_of_gives_the_part_it_was_given() -> None:
    """Tests pass parts instead of patching."""
    part = object()
    assert await Lazy.of(part).get() is part


async def test_lazy_callers_at_the_same_time_share_one_build() -> None:
    """A burst of first requests opens one connection."""
    builder = Builder()
    lazy = Lazy(builder)
    callers = [asyncio.create_task(lazy.get()) for _ in range(10)]
    await builder.has_begun.wait()
    builder.may_end.set()
    assert set(await asyncio.gather(*callers)) == {"part 1"}
    assert builder.builds_total == 1


async def test_lazy_tells_a_failed_build_to_all_who_waited_and_builds_again() -> None:
    """An outage at the first request must not last for the life of the process."""
    builder = Builder(UpstreamError("down"))
    lazy = Lazy(builder)
    callers = [asyncio.create_task(lazy.get()) for _ in range(3)]
    await builder.has_begun.wait()
    builder.may_end.set()
    results = await asyncio.gather(*callers, return_exceptions=True)
    assert [type(one) for one in results] == [UpstreamError] * 3
    assert lazy.built is None
    assert await lazy.get() == "part 2"
    assert lazy.built == "part 2"


async def test_lazy_caller_who_leaves_does_not_cancel_the_build() -> None:
    """One client that hangs up must not cost the others their connection."""
    builder = Builder()
    lazy = Lazy(builder)
    leaver, stayer = asyncio.create_task(lazy.get()), asyncio.create_task(lazy.get())
    await builder.has_begun.wait()
    leaver.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaver
    builder.may_end.set()
    assert await stayer == "part 1"
    assert (builder.builds_total, builder.was_cancelled) == (1, False)


async def test_lazy_build_goes_on_when_every_caller_has_left() -> None:
    """What was paid for is there for the next caller."""
    builder = Builder()
    lazy = Lazy(builder)
    only = asyncio.create_task(lazy.get())
    await builder.has_begun.wait()
    only.cancel()
    with pytest.raises(asyncio.CancelledError):
        await only
    builder.may_end.set()
    assert await lazy.get() == "part 1"
    assert builder.builds_total == 1


async def test_lazy_failure_that_nobody_waits_for_is_no_warning() -> None:
    """A build that fails after its callers have left is not "never retrieved"."""
    complaints: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    builder = Builder(UpstreamError("down"))
    lazy = Lazy(builder)
    only = asyncio.create_task(lazy.get())
    await builder.has_begun.wait()
    only.cancel()
    await asyncio.wait({only})
    builder.may_end.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del lazy
    gc.collect()
    assert complaints == []


async def test_lazy_build_that_is_cancelled_itself_is_not_kept() -> None:
    """A loop that is shut down and started again begins anew."""
    builder = ready(asyncio.CancelledError())
    lazy = Lazy(builder)
    with pytest.raises(asyncio.CancelledError):
        await lazy.get()
    assert lazy.built is None
    assert await lazy.get() == "part 2"


async def test_lazy_built_tells_without_building() -> None:
    """A look at what the process holds must not make it hold more."""
    builder = Builder()
    lazy = Lazy(builder)
    assert lazy.built is None
    caller = asyncio.create_task(lazy.get())
    await builder.has_begun.wait()
    assert lazy.built is None
    builder.may_end.set()
    await caller
    assert lazy.built == "part 1"
    assert builder.builds_total == 1
