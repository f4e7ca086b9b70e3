"""Speaking and listening with what the pools lend."""

import asyncio

import pytest

from shared.errors import PoolExhaustedError, UpstreamError, UpstreamTimeoutError
from shared.pools.allocation import AllocationTier
from shared.pools.warmable import WarmableResourcePool
from shared.speech.desk import Listener, Speaker, SpeechDesk
from shared.speech.rendition import Allocation
from shared.speech.sound import SoundFormat
from tests.unit.speech_fakes import AVA, SOUND, FakeListener, FakeSpeaker


class Stage:
    """A desk with pools of one speaker and one listener."""

    def __init__(self, *phrases: str) -> None:
        self.speakers: list[FakeSpeaker] = []
        self.others: list[FakeSpeaker] = []
        self.listener = FakeListener(*phrases)
        self.may_build = asyncio.Event()
        self.may_build.set()

        async def speaker() -> Speaker:
            await self.may_build.wait()
            self.speakers.append(FakeSpeaker())
            return self.speakers[-1]

        async def listener() -> Listener:
            return self.listener

        def other(sound_format: SoundFormat) -> Speaker:
            self.others.append(FakeSpeaker(sound_format))
            return self.others[-1]

        self.tts: WarmableResourcePool[Speaker] = WarmableResourcePool(
            factory=speaker, name="tts", max_size=1, session_awareness=True
        )
        self.stt: WarmableResourcePool[Listener] = WarmableResourcePool(
            factory=listener, name="stt", max_size=1
        )
        self.desk = SpeechDesk(self.tts, self.stt, build_speaker=other, voice=AVA)


async def test_speak_says_where_the_speaker_came_from() -> None:
    """Built for the first, lent again to the second, the session's own for the third."""
    stage = Stage()
    tiers = [
        (await stage.desk.speak("<speak/>", deadline_s=1, session_id=session)).allocation.tier
        for session in (None, "s", "s")
    ]
    assert tiers == [AllocationTier.COLD, AllocationTier.WARM, AllocationTier.DEDICATED]
    assert len(stage.speakers) == 1


async def test_speak_counts_the_wait_into_the_deadline() -> None:
    """A caller's patience does not begin anew when the pool has found somebody."""
    stage = Stage()
    spoken = await stage.desk.speak("<speak/>", deadline_s=2.0)
    (left_s,) = stage.speakers[0].deadlines
    assert left_s == pytest.approx(2.0 - spoken.allocation.wait_ms / 1000)
    assert spoken.allocation.first_byte_ms == 7.0


async def test_speak_fails_when_nobody_becomes_free() -> None:
    """In time, so that ACS can still say it; the late speaker is there for the next caller."""
    stage = Stage()
    stage.may_build.clear()
    with pytest.raises(PoolExhaustedError):
        await stage.desk.speak("<speak/>", deadline_s=0.01)
    stage.may_build.set()
    assert (await stage.desk.speak("<speak/>", deadline_s=1)).sound == SOUND


async def test_speak_gives_the_speaker_back_when_it_fails() -> None:
    """A failure must not use the pool up."""
    stage = Stage()
    await stage.desk.speak("<speak/>", deadline_s=1)
    stage.speakers[0].error = UpstreamError("x")
    with pytest.raises(UpstreamError):
        await stage.desk.speak("<speak/>", deadline_s=1)
    stage.speakers[0].error = None
    assert (await stage.desk.speak("<speak/>", deadline_s=1)).sound == SOUND


@pytest.mark.parametrize("error", [None, UpstreamError("x"), asyncio.CancelledError()])
async def test_speak_another_format_with_a_speaker_of_its_own(
    error: BaseException | None,
) -> None:
    """The SDK fixes the format of a synthesizer: one for the request, closed however it ends."""
    stage = Stage()

    def other(sound_format: SoundFormat) -> Speaker:
        speaker = FakeSpeaker(sound_format)
        speaker.error = error  # type: ignore[assignment]
        stage.others.append(speaker)
        return speaker

    desk = SpeechDesk(stage.tts, stage.stt, build_speaker=other, voice=AVA)
    speaking = desk.speak("<speak/>", deadline_s=1, sound_format=SoundFormat.PCM_8KHZ)
    if error is None:
        spoken = await speaking
        assert spoken.sound.format is SoundFormat.PCM_8KHZ
        assert spoken.allocation.tier is AllocationTier.COLD
    else:
        with pytest.raises(type(error)):
            await speaking
    assert [one.is_closed for one in stage.others] == [True]
    assert stage.speakers == []


async def test_speak_another_format_is_bounded() -> None:
    """A client that asks for many at once waits, and in vain only until its deadline."""
    stage, may_go_on = Stage(), asyncio.Event()

    class Slow(FakeSpeaker):
        async def aclose(self) -> None:
            await may_go_on.wait()

    desk = SpeechDesk(stage.tts, stage.stt, build_speaker=Slow, voice=AVA)
    four = [
        asyncio.create_task(desk.speak("<speak/>", deadline_s=1, sound_format=SoundFormat.PCM_8KHZ))
        for _ in range(4)
    ]
    await asyncio.sleep(0)
    with pytest.raises(UpstreamTimeoutError):
        await desk.speak("<speak/>", deadline_s=0.01, sound_format=SoundFormat.PCM_8KHZ)
    may_go_on.set()
    assert len(await asyncio.gather(*four)) == 4


async def test_transcribe_joins_what_was_said() -> None:
    """Guesses on the way are not part of it."""
    stage = Stage("Hello.", "My card is lost.")
    transcript = await stage.desk.transcribe(SOUND, deadline_s=1)
    assert transcript.text == "Hello. My card is lost."
    assert [one.offset_ms for one in transcript.phrases] == [0.0, 10.0]
    assert transcript.duration_ms == 10.0
    assert transcript.allocation.tier is AllocationTier.COLD
    assert (await Stage().desk.transcribe(SOUND, deadline_s=1)).text == ""


async def test_transcribe_gives_the_listener_back_when_it_fails() -> None:
    """There is only one; half a transcript is no transcript."""
    stage = Stage("Hello.")
    stage.listener.error = UpstreamError("x")
    with pytest.raises(UpstreamError):
        await stage.desk.transcribe(SOUND, deadline_s=1)
    stage.listener.error = None
    assert (await stage.desk.transcribe(SOUND, deadline_s=1)).text == "Hello."


def test_allocation_is_kept_without_what_was_not_measured() -> None:
    """A turn's record is read by people: short numbers, no nulls."""
    warm = Allocation(AllocationTier.WARM, 1.26)
    assert warm.as_json() == {"tier": "warm", "wait_ms": 1.3}
    full = Allocation(AllocationTier.DEDICATED, 0.0, 9.99).as_json()
    assert full == {"tier": "dedicated", "wait_ms": 0.0, "first_byte_ms": 10.0}
