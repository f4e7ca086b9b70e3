"""What the app's recognizer does with a service that works, over the real native SDK."""

import asyncio
from array import array
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from shared.errors import UpstreamError
from shared.speech.recognizer import SpeechRecognizer
from shared.speech.service import SpeechService
from shared.speech.sound import Sound, SoundFormat
from shared.speech.transcript import Hypothesis, Phrase
from simulator.speech import Heard, SpeechStandIn
from simulator.speech.sound import encode
from tests.contract.speech_stage import running_stand_in, service_of, tones

SILENCE = Sound(bytes(32000), SoundFormat.PCM_16KHZ)


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A stand-in that understands what it is told to."""
    async with running_stand_in() as running:
        yield running


@pytest.fixture
async def service(server: SpeechStandIn) -> AsyncIterator[SpeechService]:
    """What clients of it share."""
    async with service_of(server) as shared:
        yield shared


@pytest.fixture
async def recognizer(service: SpeechService) -> AsyncIterator[SpeechRecognizer]:
    """A cold recognizer."""
    client = SpeechRecognizer(service)
    yield client
    await client.aclose()


async def transcribe(recognizer: SpeechRecognizer, sound: Sound) -> list[Hypothesis | Phrase]:
    """Everything that is understood of *sound*."""
    async with aclosing(recognizer.transcribe(sound, deadline_s=10)) as items:
        return [item async for item in items]


def phrases(items: list[Hypothesis | Phrase]) -> list[str]:
    """The texts of the phrases among them."""
    return [item.text for item in items if isinstance(item, Phrase)]


@pytest.mark.parametrize("is_endpoint", [False, True])
async def test_recognize_understands_at_both_kinds_of_address(
    server: SpeechStandIn, is_endpoint: bool
) -> None:
    """The SDK uses other paths and another handshake for an endpoint than for a host."""
    server.hear(Heard("My balance, please.", confidence=0.75))
    async with service_of(server, is_endpoint=is_endpoint) as service:
        recognizer = SpeechRecognizer(service, is_continuous=False)
        phrase = await recognizer.recognize(tones(3), deadline_s=5)
        await recognizer.aclose()
    assert phrase is not None
    assert phrase.text == "My balance, please."
    assert phrase.confidence == 0.75
    assert phrase.offset_ms == pytest.approx(200, abs=25)
    assert phrase.duration_ms == pytest.approx(700, abs=50)
    assert [word.text for word in phrase.words] == ["my", "balance,", "please"]
    assert phrase.words[0].offset_ms == phrase.offset_ms


async def test_recognize_gives_none_for_silence_and_for_mumbling(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """Nothing said is a result, not a failure."""
    assert await recognizer.recognize(SILENCE, deadline_s=5) is None
    server.hear(Heard("", "NoMatch"))
    assert await recognizer.recognize(tones(2), deadline_s=5) is None


async def test_transcribe_yields_hypotheses_and_every_phrase(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """A recording has many phrases; each is guessed at before it is known."""
    server.hear("the first phrase", "and the second one")
    both = Sound(tones(3).data + tones(4).data, SoundFormat.PCM_16KHZ)
    items = await transcribe(recognizer, both)
    assert phrases(items) == ["the first phrase", "and the second one"]
    assert isinstance(items[0], Hypothesis)
    assert items[0].text == "the"
    offsets = [item.offset_ms for item in items]
    assert offsets == sorted(offsets)


async def test_transcribe_of_silence_yields_nothing(recognizer: SpeechRecognizer) -> None:
    """An empty voicemail is no failure."""
    assert await transcribe(recognizer, SILENCE) == []


@pytest.mark.parametrize("sound_format", [SoundFormat.PCM_8KHZ, SoundFormat.MULAW_8KHZ])
async def test_transcribe_understands_telephone_sound(
    server: SpeechStandIn, recognizer: SpeechRecognizer, sound_format: SoundFormat
) -> None:
    """Recordings come at 8 kHz too; the format is announced, not guessed."""
    server.hear("eight thousand")
    narrow = array("h", tones(2).data)[::2]
    data = encode(narrow, "pcm" if sound_format is SoundFormat.PCM_8KHZ else "mulaw")
    items = await transcribe(recognizer, Sound(data, sound_format))
    (phrase,) = [item for item in items if isinstance(item, Phrase)]
    assert phrase.text == "eight thousand"
    assert phrase.offset_ms == pytest.approx(200, abs=30)
    assert phrase.duration_ms == pytest.approx(450, abs=50)


async def test_recognize_takes_sound_as_it_comes(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """The phrase is known at the pause, not at the end of the stream."""
    has_answered = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield tones(2).data
        await has_answered.wait()

    server.hear("right away")
    phrase = await recognizer.recognize(source(), deadline_s=5)
    has_answered.set()
    assert phrase is not None
    assert phrase.text == "right away"


async def test_phrases_are_told_to_the_service_for_one_recognition_only(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """What is expected of a caller says something about them; the next one must not inherit it."""
    server.hear("cancel my order", "something else")
    await recognizer.recognize(tones(1), phrases=["cancel my order"], deadline_s=5)
    await recognizer.recognize(tones(1), deadline_s=5)
    first, second = server.exchanges
    assert first.details["dgi"]["Groups"][0]["Items"] == [{"Text": "cancel my order"}]
    assert "dgi" not in second.details


@pytest.mark.parametrize("is_continuous", [False, True])
async def test_warm_connects_before_the_first_recognition(
    server: SpeechStandIn, service: SpeechService, is_continuous: bool
) -> None:
    """The handshake is done before somebody waits for it, and done only once."""
    server.hear("hello")
    recognizer = SpeechRecognizer(service, is_continuous=is_continuous)
    await recognizer.warm()
    await recognizer.warm()
    assert recognizer.is_ready
    assert server.connections_total == 1
    if is_continuous:
        assert phrases(await transcribe(recognizer, tones(1))) == ["hello"]
    else:
        assert await recognizer.recognize(tones(1), deadline_s=5) is not None
    assert server.exchanges[0].line_id == 1
    await recognizer.aclose()


async def test_recognizer_is_ready_again_after_each_use(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """The next connection is made while nobody waits for it."""
    for number in range(10):
        server.hear(f"number {number}")
        assert phrases(await transcribe(recognizer, tones(1))) == [f"number {number}"]
        await recognizer.warm()
        assert recognizer.is_ready
    assert server.connections_total == 11


async def test_sound_that_was_not_read_is_not_heard_by_the_next_caller(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """What one caller said must never turn up in the transcript of another."""
    server.hear("first", "leaked", "leaked")
    long = Sound(tones(2).data * 4, SoundFormat.PCM_16KHZ)
    phrase = await recognizer.recognize(long, deadline_s=5)
    assert phrase is not None
    server.studio.transcripts.clear()
    server.hear("second")
    phrase = await recognizer.recognize(tones(2), deadline_s=5)
    assert phrase is not None
    assert phrase.text == "second"


@pytest.mark.parametrize("drop", [{"code": 1000}, {"code": 1001}, {"code": 1011}, {"reset": True}])
async def test_recognizer_dropped_while_idle_is_replaced(
    server: SpeechStandIn, recognizer: SpeechRecognizer, drop: dict[str, int]
) -> None:
    """The SDK's recognizer never works again after an idle drop; ours does."""
    await recognizer.warm()
    assert await server.drop_idle(code=drop.get("code"), is_reset="reset" in drop) == 1
    async with asyncio.timeout(5):
        while recognizer.is_ready:  # noqa: ASYNC110 - the SDK's own thread notices
            await asyncio.sleep(0.005)
    server.hear("still here", "still here")
    assert phrases(await transcribe(recognizer, tones(2))) == ["still here"]
    await recognizer.warm()
    assert recognizer.is_ready


async def test_cancelled_transcription_leaves_a_usable_recognizer(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """A caller who hangs up takes nothing along."""

    async def endless() -> AsyncIterator[bytes]:
        yield tones(2, after_ms=0).data
        await asyncio.Event().wait()

    async def run() -> None:
        async with aclosing(recognizer.transcribe(endless(), deadline_s=30)) as items:
            async for _ in items:
                pass

    task = asyncio.create_task(run())
    await server.wait_for_exchanges(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    server.studio.transcripts.clear()
    server.hear("next caller")
    assert phrases(await transcribe(recognizer, tones(2))) == ["next caller"]


async def test_cancelled_at_any_moment_leaves_a_usable_recognizer(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """Whenever a caller hangs up, the next one is understood."""
    for turns in (*range(12), 50, 200):
        task = asyncio.create_task(recognizer.recognize(SILENCE, deadline_s=10))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        server.hear("next caller")
        phrase = await recognizer.recognize(tones(1), deadline_s=5)
        assert phrase is not None
        assert phrase.text == "next caller"


async def test_closed_recognizer_refuses_and_leaves_no_connection(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """A pool closes what it discards; no connection may be left behind, however often."""
    server.hear("hello")
    await transcribe(recognizer, tones(1))
    await recognizer.warm()
    await recognizer.aclose()
    await recognizer.aclose()
    await server.wait_for_lines(0)
    assert not recognizer.is_ready
    with pytest.raises(UpstreamError):
        await recognizer.recognize(tones(1), deadline_s=5)
