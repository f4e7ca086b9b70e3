"""What the app's synthesizer does with a service that works, over the real native SDK."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from shared.errors import InvalidRequestError, UpstreamError
from shared.speech.service import SpeechAddress, SpeechService
from shared.speech.sound import SoundFormat
from shared.speech.synthesizer import SpeechSynthesizer
from simulator.speech import Fault, SpeechStandIn
from tests.contract.speech_stage import (
    VOICE,
    WORD_BYTES,
    running_stand_in,
    service_of,
    ssml,
)


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A stand-in whose voice is made of tones."""
    async with running_stand_in() as running:
        yield running


@pytest.fixture
async def service(server: SpeechStandIn) -> AsyncIterator[SpeechService]:
    """What clients of it share."""
    async with service_of(server) as shared:
        yield shared


@pytest.fixture
async def synthesizer(service: SpeechService) -> AsyncIterator[SpeechSynthesizer]:
    """A cold synthesizer."""
    client = SpeechSynthesizer(service)
    yield client
    await client.aclose()


@pytest.mark.parametrize("is_endpoint", [False, True])
async def test_synthesize_speaks_at_both_kinds_of_address(
    server: SpeechStandIn, is_endpoint: bool
) -> None:
    """The SDK uses other paths for an endpoint than for a host; both must lead to speech."""
    async with service_of(server, is_endpoint=is_endpoint) as service:
        synthesizer = SpeechSynthesizer(service)
        spoken = await synthesizer.synthesize(ssml("three short words"), deadline_s=5)
        await synthesizer.aclose()
    assert len(spoken.sound.data) == 3 * WORD_BYTES
    assert spoken.sound.duration_ms == 750
    assert 0 < spoken.first_byte_ms <= spoken.total_ms


@pytest.mark.parametrize("sound_format", list(SoundFormat))
async def test_synthesize_speaks_in_the_format_it_was_made_for(
    server: SpeechStandIn, service: SpeechService, sound_format: SoundFormat
) -> None:
    """A telephone line that is fed the wrong format hears noise."""
    synthesizer = SpeechSynthesizer(service, sound_format=sound_format)
    spoken = await synthesizer.synthesize(ssml("three short words"), deadline_s=5)
    await synthesizer.aclose()
    assert spoken.sound.format is sound_format
    assert spoken.sound.duration_ms == pytest.approx(750, abs=2)


async def test_synthesize_sends_text_that_looks_like_markup_as_text(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """What the model says must never change the document it is said in."""
    text = "</voice><voice name='x'>1 < 2 & \x00 Zo\u00eb"
    spoken = await synthesizer.synthesize(ssml(text), deadline_s=5)
    assert spoken.sound.data
    (exchange,) = server.exchanges
    assert exchange.text.count("<voice ") == 1
    assert "&lt;/voice&gt;" in exchange.text


async def test_stream_yields_the_first_sound_before_the_last_is_made(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """The caller hears the first word while the rest is still on its way."""
    server.inject(Fault("hang", after_ms=500))
    async with aclosing(synthesizer.stream(ssml("one two three four"), deadline_s=5)) as pieces:
        first = await anext(pieces)
        assert first
        assert server.exchanges[0].outcome == "running"


async def test_warm_connects_before_the_first_request(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """The handshake must not be in the way of the first caller; done early, it happens once."""
    assert not synthesizer.is_ready
    server.connect_delay_ms = 200
    await synthesizer.warm()
    assert synthesizer.is_ready
    spoken = await synthesizer.synthesize(ssml("hello"), deadline_s=5)
    assert spoken.first_byte_ms < 150
    assert server.connections_total == 1


async def test_warm_lets_each_voice_speak(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """The service loads a voice on its first word, which a caller should not wait for."""
    await synthesizer.warm([VOICE, VOICE])
    assert len(server.exchanges) == 2
    assert server.connections_total == 1
    assert synthesizer.is_ready


async def test_warm_again_keeps_the_connection(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A pool may warm what is warm already; that must cost nothing."""
    await synthesizer.warm()
    await synthesizer.warm()
    assert server.connections_total == 1


async def test_synthesize_two_hundred_times_uses_one_connection(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A synthesizer lives through many calls without wearing out."""
    for number in range(200):
        spoken = await synthesizer.synthesize(ssml("word " * (1 + number % 3)), deadline_s=5)
        assert len(spoken.sound.data) == (1 + number % 3) * WORD_BYTES
    assert server.connections_total == 1
    assert synthesizer.is_ready


async def test_synthesize_at_once_takes_turns(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """Two requests on one synthesizer must never mix their sound."""
    both = await asyncio.gather(
        synthesizer.synthesize(ssml("one"), deadline_s=5),
        synthesizer.synthesize(ssml("one two three"), deadline_s=5),
    )
    assert [len(spoken.sound.data) for spoken in both] == [WORD_BYTES, 3 * WORD_BYTES]
    assert server.connections_total == 1


async def test_interrupted_stream_leaves_a_ready_synthesizer(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A caller who barges in costs the connection; the next sentence must not pay for it."""
    await synthesizer.warm()
    server.inject(Fault("pace"))
    async with aclosing(synthesizer.stream(ssml("word " * 20), deadline_s=10)) as pieces:
        await anext(pieces)
        assert synthesizer.is_ready
    assert synthesizer.is_ready
    await synthesizer.warm()
    assert synthesizer.is_ready
    assert await server.exchanges[0].ended() == "aborted"
    spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert len(spoken.sound.data) == WORD_BYTES
    assert server.connections_total == 2


async def test_cancelled_request_leaves_nothing_for_the_next_one(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """Sound of a cancelled request must not be heard by whoever speaks next."""
    server.inject(Fault("pace"))
    task = asyncio.create_task(synthesizer.synthesize(ssml("word " * 20), deadline_s=10))
    await server.wait_for_exchanges(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    spoken = await synthesizer.synthesize(ssml("one two"), deadline_s=5)
    assert len(spoken.sound.data) == 2 * WORD_BYTES


async def test_cancelled_at_any_moment_leaves_a_usable_synthesizer(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """Whenever a caller hangs up, the next one hears exactly what is meant for them."""
    for turns in (*range(12), 20, 50, 100, 200):
        task = asyncio.create_task(synthesizer.synthesize(ssml("word " * 20), deadline_s=10))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
        assert len(spoken.sound.data) == WORD_BYTES


@pytest.mark.parametrize("code", [1000, 1001, 1011, 4408])
async def test_synthesize_after_an_idle_drop_connects_again(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer, code: int
) -> None:
    """The service closes idle connections; a request that crosses the close must get through."""
    await synthesizer.warm()
    assert await server.drop_idle("synthesis", code=code) == 1
    spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert len(spoken.sound.data) == WORD_BYTES
    assert server.connections_total == 2


async def wait_until_not_ready(client: SpeechSynthesizer) -> None:
    """Wait until the SDK's own thread has noticed the drop."""
    async with asyncio.timeout(5):
        while client.is_ready:  # noqa: ASYNC110 - there is no event to wait for
            await asyncio.sleep(0.005)


async def test_is_ready_tells_of_an_idle_drop_and_of_the_way_back(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A pool hands out only what is connected, and may warm again what is not."""
    await synthesizer.warm()
    await server.drop_idle("synthesis", is_reset=True)
    await wait_until_not_ready(synthesizer)
    await synthesizer.warm()
    assert synthesizer.is_ready


async def test_tokens_are_asked_for_before_every_request(server: SpeechStandIn) -> None:
    """A token that expired during the call is replaced before the next connection."""
    tokens = iter(["t-1", "t-2"])

    async def get_token() -> str:
        return next(tokens)

    address = SpeechAddress(endpoint=server.endpoint_url)
    service = SpeechService(address, get_token=get_token)
    synthesizer = SpeechSynthesizer(service)
    await synthesizer.synthesize(ssml("one"), deadline_s=5)
    await server.drop_idle()
    await wait_until_not_ready(synthesizer)
    await synthesizer.synthesize(ssml("one"), deadline_s=5)
    await synthesizer.aclose()
    await service.aclose()
    assert server.connections_total == 2
    assert next(tokens, None) is None


async def test_closed_synthesizer_refuses_and_leaves_no_connection(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A pool closes what it discards; no connection may be left behind, however often."""
    await synthesizer.warm()
    await synthesizer.aclose()
    await synthesizer.aclose()
    await server.wait_for_lines(0)
    assert not synthesizer.is_ready
    with pytest.raises(UpstreamError):
        await synthesizer.synthesize(ssml("one"), deadline_s=5)


async def test_closed_while_speaking_ends_the_request(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """A pool that shuts down does not wait for the last word, and nobody may wait for it then."""
    server.inject(Fault("pace"))
    task = asyncio.create_task(synthesizer.synthesize(ssml("word " * 20), deadline_s=10))
    await server.wait_for_exchanges(1)
    await synthesizer.aclose()
    with pytest.raises(UpstreamError):
        await task
    await server.wait_for_lines(0)


async def test_unreadable_document_is_the_callers_fault(
    server: SpeechStandIn, synthesizer: SpeechSynthesizer
) -> None:
    """Sending a broken document again would break again."""
    with pytest.raises(InvalidRequestError):
        await synthesizer.synthesize("<speak>", deadline_s=5)
    assert len(server.exchanges) == 1
    spoken = await synthesizer.synthesize(ssml("one"), deadline_s=5)
    assert len(spoken.sound.data) == WORD_BYTES
