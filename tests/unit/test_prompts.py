"""When a text is a sound file, and when ACS says it itself."""

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.agent.repertoire import repertoire
from shared.agent.scenario import load_scenario
from shared.errors import InvalidRequestError, PoolExhaustedError, UpstreamError
from shared.speech.prompts import Line, PromptNotFoundError, Prompts, PromptTimes
from shared.speech.rendition import Rendition
from shared.tools.registry import build_registry
from tests.unit.fakes import FakeClock
from tests.unit.speech_fakes import AVA, COLD, SOUND, FakeDesk, FakeSoundCache

HELLO = Line("Hello. How can I help you?", AVA)
BYE = Line("Goodbye.", AVA)
SESSION = "s-1"


class Stage:
    """Prompts and what they work with."""

    def __init__(self, *, speaks_all: bool = False, wait_s: float = 1.0) -> None:
        self.desk, self.cache, self.clock = FakeDesk(), FakeSoundCache(), FakeClock()
        self.speaks_all = speaks_all
        self.wait_s = wait_s
        self.prompts = self.another_instance()

    def another_instance(self) -> Prompts:
        """Prompts of another process with the same cache."""
        return Prompts(
            self.desk,
            self.cache,
            link=lambda file: f"https://app/{file}",
            fixed=[HELLO, BYE],
            speaks_all=self.speaks_all,
            clock=self.clock,
            times=PromptTimes(wait_s=self.wait_s, work_s=5.0),
        )

    async def render(self, line: Line = HELLO) -> Rendition | None:
        """What becomes of *line*."""
        return await self.prompts.render(line.text, line.voice, session_id=SESSION)


def url_of(line: Line) -> str:
    """Where its file is."""
    return f"https://app/{line.prompt_id}.wav"


async def test_render_makes_a_fixed_line_once() -> None:
    """The greeting is spoken for the first caller, and known from then on: no trip, no speech."""
    stage = Stage()
    assert await stage.render() == Rendition(url_of(HELLO), COLD)
    assert stage.cache.files[HELLO.prompt_id] == SOUND.to_wav()
    trips = stage.cache.trips
    assert await stage.render() == Rendition(url_of(HELLO))
    assert (stage.cache.trips, len(stage.desk.said)) == (trips, 1)


async def test_render_finds_what_another_instance_made() -> None:
    """The cache is everybody's: one round trip, and nothing is spoken again."""
    stage = Stage()
    await stage.render()
    stage.prompts = stage.another_instance()
    trips = stage.cache.trips
    assert await stage.render() == Rendition(url_of(HELLO))
    assert (stage.cache.trips - trips, len(stage.desk.said)) == (1, 1)


async def test_render_leaves_to_acs_what_the_model_says() -> None:
    """By default a reply costs neither a trip nor a synthesizer."""
    stage = Stage()
    assert await stage.render(Line("Your balance is 5 dollars.", AVA)) is None
    assert (stage.cache.trips, stage.desk.said) == (0, [])


async def test_render_speaks_a_reply_where_it_speaks_everything() -> None:
    """With the session's own connection, in one round trip, and kept for minutes, not for days."""
    stage = Stage(speaks_all=True)
    reply = Line("Your balance is 5 dollars.", AVA)
    assert await stage.render(reply) == Rendition(url_of(reply), COLD)
    assert (stage.cache.trips, stage.desk.said[0][1]) == (1, SESSION)
    assert stage.cache.ttl_s[reply.prompt_id] < 3600
    await stage.render()
    assert stage.desk.said[1][1] is None  # a fixed line is nobody's


async def test_render_waits_together_for_the_same_line() -> None:
    """A burst of calls that begin alike takes one synthesizer, not one for each."""
    stage = Stage()
    stage.desk.may_go_on.clear()
    waiting = [asyncio.create_task(stage.render()) for _ in range(20)]
    await stage.desk.has_begun.wait()
    stage.desk.may_go_on.set()
    assert await asyncio.gather(*waiting) == [Rendition(url_of(HELLO), COLD)] * 20
    assert len(stage.desk.said) == 1


async def test_render_gives_up_when_it_takes_too_long_but_the_work_goes_on() -> None:
    """This caller hears ACS; the next one finds the file."""
    stage = Stage(wait_s=0.01)
    stage.desk.may_go_on.clear()
    assert await stage.render() is None
    stage.desk.may_go_on.set()
    await stage.cache.has_kept.wait()
    stage.clock.elapsed_s += 6
    assert await stage.render() == Rendition(url_of(HELLO))


async def test_render_outlives_a_caller_who_is_cancelled() -> None:
    """Somebody else may wait for the same line; cancellation reaches only who is cancelled."""
    stage = Stage()
    stage.desk.may_go_on.clear()
    leaves, stays = (asyncio.create_task(stage.render()) for _ in range(2))
    await stage.desk.has_begun.wait()
    leaves.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaves
    stage.desk.may_go_on.set()
    assert await stays == Rendition(url_of(HELLO), COLD)


@pytest.mark.parametrize("error", [UpstreamError("x"), PoolExhaustedError("x")])
async def test_render_rests_after_a_failure(error: UpstreamError | PoolExhaustedError) -> None:
    """Callers do not wait one after the other for a service that is down; later it is tried."""
    stage = Stage(speaks_all=True)
    stage.desk.error = error
    assert await stage.render() is None
    assert await stage.render(BYE) is None
    assert len(stage.desk.said) == 1
    stage.desk.error = None
    stage.clock.elapsed_s += 6
    assert await stage.render(BYE) == Rendition(url_of(BYE), COLD)


async def test_render_does_not_rest_for_a_text_that_is_refused() -> None:
    """One odd sentence says nothing about the service."""
    stage = Stage(speaks_all=True)
    stage.desk.error = InvalidRequestError("x")
    assert await stage.render() is None
    stage.desk.error = None
    assert await stage.render(BYE) is not None


@pytest.mark.parametrize("is_down_from", [0, 1])
async def test_render_falls_back_when_the_cache_is_down(is_down_from: int) -> None:
    """Without a place for the file there is none, but the call goes on."""
    stage = Stage(speaks_all=bool(is_down_from))
    stage.cache.error = UpstreamError("x")
    line = Line("Your balance.", AVA) if is_down_from else HELLO
    assert await stage.render(line) is None
    assert len(stage.desk.said) == is_down_from


async def test_render_leaves_it_to_acs_for_a_minute_after_a_prompt_was_not_heard() -> None:
    """Perhaps ACS cannot fetch our files: the apology for it must not be one of them."""
    stage = Stage()
    await stage.prompts.rehearse()
    stage.prompts.distrust()
    stage.clock.elapsed_s += 59
    assert await stage.render() is None
    stage.clock.elapsed_s += 2
    assert await stage.render() == Rendition(url_of(HELLO))


async def test_rehearse_makes_every_fixed_line_and_again_costs_one_trip() -> None:
    """The first caller after a deployment hears files; keeping warm costs next to nothing."""
    stage = Stage()
    assert await stage.prompts.rehearse() == 2
    assert len(stage.desk.said) == 2
    trips = stage.cache.trips
    assert await stage.prompts.rehearse() == 2
    assert (stage.cache.trips - trips, len(stage.desk.said)) == (1, 2)
    assert await stage.render(BYE) == Rendition(url_of(BYE))


async def test_rehearse_ends_at_the_first_failure_and_knows_what_is_there() -> None:
    """A dead service is not asked twenty times; what the cache has is used all the same."""
    stage = Stage()
    stage.cache.files[BYE.prompt_id] = SOUND.to_wav()
    stage.desk.error = UpstreamError("x")
    assert await stage.prompts.rehearse() == 1
    stage.clock.elapsed_s += 6
    assert await stage.render(BYE) == Rendition(url_of(BYE))
    stage.cache.error = UpstreamError("x")
    assert await stage.prompts.rehearse() == 0


async def test_sound_gives_the_file_and_makes_a_fixed_one_again() -> None:
    """A flushed cache must not silence the greeting of every call that knows its file."""
    stage = Stage()
    await stage.render()
    assert await stage.prompts.sound(f"{HELLO.prompt_id}.wav") == SOUND.to_wav()
    stage.cache.files.clear()
    assert await stage.prompts.sound(f"{HELLO.prompt_id}.wav") == SOUND.to_wav()
    assert len(stage.desk.said) == 2


async def test_sound_that_is_gone_is_not_found() -> None:
    """ACS is told, and the call hears of it; a reply is not made up again."""
    stage = Stage(speaks_all=True)
    reply = Line("Your balance.", AVA)
    await stage.render(reply)
    stage.cache.files.clear()
    for file in (f"{reply.prompt_id}.wav", "x.wav", ""):
        with pytest.raises(PromptNotFoundError):
            await stage.prompts.sound(file)
    stage.desk.error = UpstreamError("x")
    with pytest.raises(PromptNotFoundError):
        await stage.prompts.sound(f"{HELLO.prompt_id}.wav")


async def test_prompts_forget_replies_that_are_no_longer_kept() -> None:
    """A process that lives for days does not remember every sentence it ever said."""
    stage = Stage(speaks_all=True)
    for number in range(1000):
        await stage.render(Line(f"Sentence {number}.", AVA))
    stage.clock.elapsed_s += 250
    said = len(stage.desk.said)
    assert await stage.render(Line("Sentence 1.", AVA)) == Rendition(
        url_of(Line("Sentence 1.", AVA)), COLD
    )
    assert len(stage.desk.said) == said + 1


@given(texts=st.lists(st.text(min_size=1), min_size=2, max_size=2, unique=True))
def test_prompt_ids_tell_sounds_apart(texts: list[str]) -> None:
    """Text and every trait of the voice count; the same sound always has the same name."""
    one, other = (Line(text, AVA) for text in texts)
    slow = Line(one.text, replace(AVA, rate="-10%"))
    assert len({one.prompt_id, other.prompt_id, slow.prompt_id}) == 3
    assert one.prompt_id == Line(one.text, replace(AVA)).prompt_id
    assert set(one.prompt_id) <= set("0123456789abcdef")


def test_repertoire_is_what_a_stranger_hears() -> None:
    """Greeting, re-prompts, fillers, apologies, goodbye: rendered as the turn renders them."""
    agents = load_scenario("bank", build_registry()).agents
    lines = [list(repertoire(agent)) for agent in agents.values()]
    assert "Thank you for calling Contoso Bank. How can I help you today?" in lines[0]
    assert "Thank you for calling Contoso Bank. Goodbye." in lines[0]
    assert "One moment, please." in lines[0]
    assert "Thank you for calling Contoso Bank." in lines[0]
    assert all(len(set(one)) == len(one) == 17 for one in lines)
    assert not any("{" in text for one in lines for text in one)
