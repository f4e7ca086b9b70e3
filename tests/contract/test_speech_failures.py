"""What the app's speech clients make of a service that refuses, falls silent or is cut off."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from shared.errors import UpstreamError, UpstreamThrottledError, UpstreamTimeoutError
from shared.speech.recognizer import SpeechRecognizer
from shared.speech.service import SpeechAddress, SpeechService
from shared.speech.synthesizer import SpeechSynthesizer
from simulator.speech import Fault, Heard, SpeechStandIn
from tests.contract.speech_stage import (
    WORD_BYTES,
    running_stand_in,
    service_of,
    ssml,
    tones,
)


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A stand-in whose voice is made of tones."""
    async with running_stand_in() as running:
        yield running


@pytest.fixture
async def service(server: SpeechStandIn) -> AsyncIterator[SpeechService]:
    """What clients of it share, with little patience."""
    async with service_of(server, first_byte_timeout_s=0.3) as shared:
        yield shared


@pytest.fixture
async def synthesizer(service: SpeechService) -> AsyncIterator[SpeechSynthesizer]:
    """A cold synthesizer."""
    client = SpeechSynthesizer(service)
    yield client
    await client.aclose()


@pytest.fixture
async def recognizer(service: SpeechService) -> AsyncIterator[SpeechRecognizer]:
    """A cold recognizer."""
    client = SpeechRecognizer(service)
    yield client
    await client.aclose()


async def test_wrong_key_is_named_at_once(server: SpeechStandIn) -> None:
    """Credentials do not become right by waiting."""
    async with service_of(server, key="wrong") as service:
        synthesizer = SpeechSynthesizer(service)
        with pytest.raises(UpstreamError, match="credentials"):
            await synthesizer.synthesize(ssml("one"), deadline_s=5)
        await synthesizer.aclose()
        recognizer = SpeechRecognizer(service)
        with pytest.raises(UpstreamError, match="credentials"):
            await recognizer.recognize(tones(1), deadline_s=5)
        await recognizer.aclose()
    assert server.connections_total == 0


async def test_throttled_synthesis_is_not_repeated(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A busy service is not helped by asking again at once."""
    server.inject(Fault("refuse", status=429))
    with pytest.raises(UpstreamThrottledError):
        await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert server.exchanges == []


@pytest.mark.parametrize(
    "fault",
    [
        Fault("refuse", status=503),
        Fault("refuse", status=500),
        Fault("reset"),
        Fault("close", code=1011),
        Fault("hang"),
        Fault("hang_connect"),
    ],
    ids=lambda fault: f"{fault.kind}-{fault.status}",
)
async def test_synthesis_that_failed_before_the_first_sound_is_repeated_once(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer, fault: Fault
) -> None:
    """A sentence that never began can be asked for once more, on a new connection."""
    server.inject(fault)
    spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert len(spoken.sound.data) == WORD_BYTES


async def test_synthesis_gives_up_after_the_second_attempt(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A service that is down is not hammered."""
    server.inject(*[Fault("reset")] * 3)
    with pytest.raises(UpstreamError):
        await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert len(server.exchanges) == 2


async def test_silent_service_costs_no_more_than_the_deadline(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """The SDK alone would wait for eighty seconds while the caller hears nothing."""
    server.inject(*[Fault("hang")] * 3)
    started_at = asyncio.get_running_loop().time()
    with pytest.raises(UpstreamTimeoutError):
        await synthesizer.synthesize(ssml("one"), deadline_s=0.5)
    assert asyncio.get_running_loop().time() - started_at < 1.5


async def test_stream_cut_in_the_middle_keeps_what_was_heard(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A sentence that broke off is never begun again from the start: it would be heard twice."""
    server.inject(Fault("reset", after_ms=500))
    heard = 0
    with pytest.raises(UpstreamError):
        async with aclosing(synthesizer.stream(ssml("word " * 8), deadline_s=5)) as pieces:
            async for piece in pieces:
                heard += len(piece)
    assert 0 < heard <= 2 * WORD_BYTES
    assert len(server.exchanges) == 1


async def test_synthesizer_works_again_after_each_failure(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A failure belongs to one request, not to the client."""
    for fault in (Fault("reset"), Fault("hang"), Fault("close", code=1013)):
        server.inject(fault, fault)
        with pytest.raises(UpstreamError):
            await synthesizer.synthesize(ssml("one"), deadline_s=5)
        spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
        assert len(spoken.sound.data) == WORD_BYTES


async def test_warm_gives_up_on_a_service_that_never_answers(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer, recognizer: SpeechRecognizer
) -> None:
    """A pool that warms in the background must not hang on one connection."""
    for client in (synthesizer, recognizer):
        server.inject(Fault("hang_connect"))
        with pytest.raises(UpstreamTimeoutError):
            await client.warm(timeout_s=0.2)
        assert not client.is_ready
        await client.warm()
        assert client.is_ready


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("TooManyRequests", UpstreamThrottledError),
        ("ServiceUnavailable", UpstreamError),
        ("Error", UpstreamError),
    ],
)
async def test_recognition_names_what_the_service_reports(
    server: SpeechStandIn,
    recognizer: SpeechRecognizer,
    status: str,
    error: type[UpstreamError],
) -> None:
    """A failure must never look like a caller who said nothing."""
    server.hear(*[Heard("", status)] * 3)
    with pytest.raises(error):
        await recognizer.recognize(tones(2), deadline_s=8)


async def test_recognition_by_a_silent_service_ends_at_the_deadline(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """The SDK alone would wait for seventy seconds, and ten more to stop."""
    server.inject(Fault("hang", service="recognition"))
    with pytest.raises(UpstreamTimeoutError):
        async with aclosing(recognizer.transcribe(tones(2), deadline_s=0.5)) as items:
            async for _ in items:
                pass
    server.hear("hello there")
    phrase = await recognizer.recognize(tones(2), deadline_s=5)
    assert phrase is not None
    await server.aclose()  # ends the hanging request, which the service would wait for


async def test_transcription_survives_a_cut_connection(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """The SDK connects again and sends again what was not answered: no word is lost."""
    server.inject(Fault("reset", service="recognition", after_ms=300))
    server.hear("lost and found", "lost and found")
    async with aclosing(recognizer.transcribe(tones(3), deadline_s=10)) as items:
        phrases = [item.text async for item in items]
    assert phrases[-1] == "lost and found"
    assert server.connections_total == 2


async def test_synthesizer_that_cannot_reconnect_after_an_interruption_still_tries(
    server: SpeechStandIn, service: SpeechService
) -> None:
    """An interruption during an outage must not cost the client for good."""
    async with service_of(server, connect_timeout_s=0.1) as impatient:
        synthesizer = SpeechSynthesizer(impatient)
        server.inject(Fault("pace"))
        async with aclosing(synthesizer.stream(ssml("word " * 20), deadline_s=10)) as pieces:
            await anext(pieces)
            server.inject(Fault("hang_connect"))
        spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
        assert len(spoken.sound.data) == WORD_BYTES
        await synthesizer.aclose()


async def test_missing_token_reaches_the_caller_and_costs_no_connection(
    server: SpeechStandIn,
) -> None:
    """Without a token nothing can be asked; with the next one everything works."""
    answers = ["", "", "", "t-1", "t-1", "t-1"]

    async def get_token() -> str:
        token = answers.pop(0)
        if not token:
            raise UpstreamError("no token could be had for a service")
        return token

    service = SpeechService(SpeechAddress(endpoint=server.endpoint_url), get_token=get_token)
    synthesizer, recognizer = SpeechSynthesizer(service), SpeechRecognizer(service)
    with pytest.raises(UpstreamError, match="token"):
        await synthesizer.synthesize(ssml("one"), deadline_s=5)
    with pytest.raises(UpstreamError, match="token"):
        await recognizer.warm()
    with pytest.raises(UpstreamError, match="token"):
        await recognizer.recognize(tones(1), deadline_s=5)
    assert server.connections_total == 0
    await synthesizer.synthesize(ssml("one"), deadline_s=5)
    server.hear("hello")
    assert await recognizer.recognize(tones(1), deadline_s=5) is not None
    await synthesizer.aclose()
    await recognizer.aclose()
    await service.aclose()


async def test_busy_recognizer_makes_nobody_wait_beyond_their_deadline(
    recognizer: SpeechRecognizer,
) -> None:
    """Two recordings on one recognizer take turns, and the second may give up."""
    is_over = asyncio.Event()

    async def source() -> AsyncIterator[bytes]:
        yield bytes(3200)
        await is_over.wait()

    first = asyncio.create_task(recognizer.recognize(source(), deadline_s=5))
    await asyncio.sleep(0)
    with pytest.raises(UpstreamTimeoutError):
        await recognizer.recognize(tones(1), deadline_s=0.05)
    is_over.set()
    assert await first is None


async def test_recognition_of_a_source_that_fails_reports_its_failure(
    server: SpeechStandIn, recognizer: SpeechRecognizer
) -> None:
    """Half a recording must not pass for a whole one."""

    async def source() -> AsyncIterator[bytes]:
        yield tones(1).data
        raise UpstreamError("the recording broke off")

    server.hear("hello")
    with pytest.raises(UpstreamError, match="broke off"):
        async with aclosing(recognizer.transcribe(source(), deadline_s=5)) as items:
            async for _ in items:
                pass
