"""Whether an instance is ready: every part is asked, none can hold up the answer."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from shared import readiness
from shared.agent.fields import AgentDefinitionError
from shared.errors import PoolExhaustedError, SettingsError, UpstreamError
from shared.pools.lazy import Lazy
from shared.resources import Resources
from shared.settings import NotConfiguredError
from shared.types import Json

NAMES = ("redis", "jwks", "documents", "telephony", "model", "agents", "tts_pool", "stt_pool")


class FakePart:
    """Any part that the first call needs: says that it is well, or does what it is told to."""

    def __init__(self, act: Callable[[], Awaitable[None]] | None = None) -> None:
        self._act = act
        self.asked_total = 0

    async def warm(self) -> None:
        """Touch it."""
        self.asked_total += 1
        if self._act is not None:
            await self._act()

    ping_async = check = warm


class FakePool:
    """A pool of resources that can or cannot be built."""

    def __init__(self, alive: int = 1) -> None:
        self.alive = alive
        self.prepared_total = 0

    async def prepare(self) -> None:
        """Fill up; a build that fails does not fail this."""
        self.prepared_total += 1

    def snapshot(self) -> Json:
        """How many there are."""
        return {"idle": self.alive, "parked": 0, "leased": 0}


class FakePrompts:
    """Lines that can be spoken ahead."""

    def __init__(self) -> None:
        self.rehearsals = 0

    async def rehearse(self) -> int:
        """Speak them."""
        self.rehearsals += 1
        return 0


def parts_with(**fakes: Any) -> Resources:
    """The parts of a process, well unless given."""
    parts = Resources()
    parts.imported = Lazy.of(None)
    for name in ("redis", "jwks", "documents", "telephony", "model", "runner", "knowledge"):
        fake = fakes.get(name, FakePart())
        setattr(parts, name, fake if isinstance(fake, Lazy) else Lazy.of(fake))
    for name in ("tts_pool", "stt_pool"):
        pool = fakes.get(name, FakePool())
        setattr(parts, name, pool if isinstance(pool, Lazy) else Lazy.of(pool))
    return parts


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    """Something that fails with *error*."""

    async def act() -> None:
        raise error

    return act


async def test_failing_is_empty_when_all_is_well() -> None:
    """Ready means that every part that a call needs has answered just now."""
    fakes = {name: FakePart() for name in ("redis", "jwks", "telephony", "model")}
    parts = parts_with(**fakes)
    assert await readiness.failing(parts) == []
    assert await readiness.failing(parts) == []
    assert [fake.asked_total for fake in fakes.values()] == [2] * 4


@pytest.mark.parametrize("name", ["redis", "jwks", "telephony", "model"])
@pytest.mark.parametrize("error", [UpstreamError("x"), PoolExhaustedError("x"), TimeoutError()])
async def test_failing_names_the_part_that_does_not_answer(name: str, error: Exception) -> None:
    """Whoever is woken at night sees where to look, and that the rest is well."""
    assert await readiness.failing(parts_with(**{name: FakePart(raising(error))})) == [name]


async def test_failing_names_every_part_in_a_fixed_order() -> None:
    """Two looks at the same outage read the same."""
    broken = Lazy[Any](raising(SettingsError("REDIS_HOST is missing")))
    names = (*NAMES[:5], "runner", *NAMES[6:])
    fakes = dict.fromkeys(names, broken)
    assert await readiness.failing(parts_with(**fakes)) == list(NAMES)


async def test_failing_does_not_wait_for_a_part_that_hangs() -> None:
    """A health check that hangs is worse than one that fails; the hanging touch is given up."""
    was_given_up = asyncio.Event()

    async def hang() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            was_given_up.set()

    parts = parts_with(model=FakePart(hang))
    assert await readiness.failing(parts, within_s=0.01) == ["model"]
    assert was_given_up.is_set()


async def test_failing_lets_a_slow_build_go_on() -> None:
    """The next look finds the part built: a cold start is not begun anew by every look."""
    may_end, builds = asyncio.Event(), []

    async def build() -> FakePart:
        builds.append(1)
        await may_end.wait()
        return FakePart()

    parts = parts_with(model=Lazy(build))
    assert await readiness.failing(parts, within_s=0.01) == ["model"]
    may_end.set()
    assert await readiness.failing(parts) == []
    assert len(builds) == 1


async def test_failing_asks_all_parts_at_the_same_time() -> None:
    """Five parts that take a second each take one second."""
    meet = asyncio.Barrier(4)

    async def wait_for_the_others() -> None:
        await meet.wait()

    names = ("redis", "jwks", "telephony", "model")
    parts = parts_with(**{name: FakePart(wait_for_the_others) for name in names})
    assert await readiness.failing(parts) == []


async def test_warm_is_no_less_ready_without_knowledge() -> None:
    """A database of articles that is down must not take the instance out of service."""
    knowledge = FakePart(raising(UpstreamError("down")))
    assert await readiness.warm(parts_with(knowledge=knowledge)) == []
    assert knowledge.asked_total == 1


async def test_failing_can_be_cancelled() -> None:
    """A host that stops does not wait for a health check."""
    has_begun = asyncio.Event()

    async def hang() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(readiness.failing(parts_with(redis=FakePart(hang))))
    await has_begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_failing_does_not_hide_a_bug() -> None:
    """Only what the app can name is an outage; anything else is answered as the crash it is."""
    with pytest.raises(ZeroDivisionError):
        await readiness.failing(parts_with(redis=FakePart(raising(ZeroDivisionError()))))


@pytest.mark.parametrize("name", ["tts_pool", "stt_pool"])
async def test_failing_names_a_pool_that_can_build_nothing(name: str) -> None:
    """The pool itself does not complain: its callers would be served cold, if only they could."""
    empty = FakePool(alive=0)
    assert await readiness.failing(parts_with(**{name: empty})) == [name]
    empty.alive = 1
    assert await readiness.failing(parts_with(**{name: empty})) == []
    assert empty.prepared_total == 2


async def test_failing_does_not_miss_what_is_not_configured() -> None:
    """Without a speech service of its own the app is complete: ACS speaks."""
    absent = Lazy[Any](raising(NotConfiguredError("SPEECH_HOST is missing")))
    parts = parts_with(tts_pool=absent, stt_pool=absent)
    parts.prompts = absent
    assert await readiness.failing(parts) == []
    assert await readiness.warm(parts) == []


@pytest.mark.parametrize("alive", [0, 1])
async def test_warm_rehearses_what_callers_hear_first(alive: int) -> None:
    """Also when the pool is down: another instance may have left the files in the cache."""
    prompts: Any = FakePrompts()
    parts = parts_with(tts_pool=FakePool(alive))
    parts.prompts = Lazy.of(prompts)
    assert await readiness.warm(parts) == ([] if alive else ["tts_pool"])
    assert prompts.rehearsals == 1


async def test_failing_says_in_the_log_what_is_to_be_mended(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A mistake in an agent's file is found by who reads the log, with file and field."""
    error = AgentDefinitionError("bank.yaml: entry names no agent of the scenario: nobody")
    await readiness.failing(parts_with(runner=Lazy[Any](raising(error))))
    details = [getattr(one, "detail", "") for one in caplog.records]
    assert str(error) in details
