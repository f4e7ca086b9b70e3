"""The speech stand-in as the native SDK itself sees it, without the app's clients."""

import asyncio
import queue
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]
import pytest

from simulator.speech import Fault, SpeechStandIn, ToneVoice, phrases_of
from tests.contract.speech_stage import WORD_BYTES, running_stand_in, service_of, ssml, tones

Format = sdk.SpeechSynthesisOutputFormat


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A stand-in that lets everybody in."""
    stand_in = SpeechStandIn(voice=ToneVoice())
    await stand_in.start()
    yield stand_in
    await stand_in.aclose()


def synthesizer_of(server: SpeechStandIn, output: Any = Format.Raw16Khz16BitMonoPcm) -> Any:
    """The SDK's synthesizer, without a loudspeaker."""
    config = sdk.SpeechConfig(host=server.host_url)
    config.set_property_by_name("SpeechSynthesis_MaxRetryTimes", "0")
    config.set_property_by_name("SpeechSynthesis_FirstChunkTimeoutMs", "1000")
    config.set_speech_synthesis_output_format(output)
    config.speech_synthesis_voice_name = "en-US-AvaMultilingualNeural"
    return sdk.SpeechSynthesizer(config, audio_config=None)


async def speak(synthesizer: Any, text: str) -> Any:
    """Plain text, as the SDK wraps it."""
    return await asyncio.to_thread(lambda: synthesizer.speak_text_async(text).get())


async def test_text_and_ssml_are_both_spoken(server: SpeechStandIn) -> None:
    """The SDK has two ways to ask; the service sees one."""
    synthesizer = synthesizer_of(server)
    by_text = await speak(synthesizer, "one two")
    document = ssml("one two")
    by_ssml = await asyncio.to_thread(lambda: synthesizer.speak_ssml_async(document).get())
    assert by_text.audio_data == by_ssml.audio_data
    assert len(by_text.audio_data) == 2 * WORD_BYTES


async def test_text_that_is_streamed_in_is_spoken(server: SpeechStandIn) -> None:
    """A model's reply may be handed over as it is written."""
    synthesizer = synthesizer_of(server)
    request = sdk.SpeechSynthesisRequest(input_type=sdk.SpeechSynthesisRequestInputType.TextStream)

    def run() -> Any:
        future = synthesizer.speak_async(request)
        for piece in ("one ", "two ", "three"):
            request.input_stream.write(piece)
        request.input_stream.close()
        return future.get()

    result = await asyncio.to_thread(run)
    assert len(result.audio_data) == 3 * WORD_BYTES
    assert server.exchanges[0].text == "one two three"


async def test_riff_sound_has_the_header_of_the_sdk(server: SpeechStandIn) -> None:
    """The SDK writes the header itself; one from the service would be heard as noise."""
    result = await speak(synthesizer_of(server, Format.Riff8Khz16BitMonoPcm), "one two")
    assert result.audio_data[:4] == b"RIFF"
    assert len(result.audio_data) == pytest.approx(46 + WORD_BYTES, abs=4)


async def test_compressed_sound_is_refused_by_name(server: SpeechStandIn) -> None:
    """There is no encoder here, and the client is told which format was the trouble."""
    result = await speak(synthesizer_of(server, Format.Audio16Khz32KBitRateMonoMp3), "one")
    assert result.cancellation_details.error_code is sdk.CancellationErrorCode.BadRequest
    assert "audio-16khz-32kbitrate-mono-mp3" in result.cancellation_details.error_details


async def speak_words(synthesizer: Any, text: str, count: int) -> list[Any]:
    """Speak, and wait for that many words; the SDK may report them after the sound."""
    reported: queue.SimpleQueue[Any] = queue.SimpleQueue()
    synthesizer.synthesis_word_boundary.connect(reported.put)
    result = await speak(synthesizer, text)
    assert result.audio_data
    return [await asyncio.to_thread(reported.get, timeout=5) for _ in range(count)]


async def test_words_are_reported_with_their_times(server: SpeechStandIn) -> None:
    """Captions follow the sound by these events."""
    events = await speak_words(synthesizer_of(server), "one two three", 3)
    words = [
        (event.text, event.audio_offset / 10_000, event.duration.total_seconds() * 1000)
        for event in events
    ]
    assert words == [("one", 0, 250), ("two", 250, 250), ("three", 500, 250)]


async def test_slow_and_paced_sound_comes_late_but_whole(server: SpeechStandIn) -> None:
    """A slow service is not a broken one."""
    clock = asyncio.get_running_loop().time
    synthesizer = synthesizer_of(server)
    server.inject(Fault("slow", delay_ms=150), Fault("pace", speed=4))
    for least_s in (0.15, 4 * 0.25 / 4 - 0.01):
        started_at = clock()
        result = await speak(synthesizer, "one two three four")
        assert len(result.audio_data) == 4 * WORD_BYTES
        assert clock() - started_at >= least_s


async def test_idle_connections_are_closed_after_a_while(server: SpeechStandIn) -> None:
    """The real service does it after minutes; here a test need not wait for them."""
    server.close_idle_after(0.05)
    result = await speak(synthesizer_of(server), "one")
    assert result.reason is sdk.ResultReason.SynthesizingAudioCompleted
    await server.wait_for_lines(0)


async def test_switches_work_over_http(server: SpeechStandIn) -> None:
    """Another process tells the stand-in what to do, and asks what it has done."""
    synthesizer = synthesizer_of(server)
    async with aiohttp.ClientSession(f"{server.control_url}") as session:
        faults = {"faults": [{"kind": "close", "code": 1011, "service": "synthesis"}]}
        async with session.put("/_sim/faults", json=faults) as response:
            assert response.status == 204
        async with session.get("/_sim/faults") as response:
            assert (await response.json())["faults"][0]["code"] == 1011
        result = await speak(synthesizer, "one")
        assert result.reason is sdk.ResultReason.Canceled
        await speak(synthesizer, "one")
        async with session.get("/_sim/requests") as response:
            outcomes = [item["outcome"] for item in (await response.json())["requests"]]
        assert outcomes == ["aborted", "finished"]
        async with session.post("/_sim/drop", json={"code": 1001}) as response:
            assert (await response.json()) == {"dropped": 1}
        transcripts = {"transcripts": [{"text": "hello", "confidence": 0.5}]}
        async with session.put("/_sim/transcripts", json=transcripts) as response:
            assert response.status == 204
    assert server.studio.transcripts[0].confidence == 0.5


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/_sim/faults", "nothing"),
        ("PUT", "/_sim/faults", '{"faults": [{"kind": "odd"}]}'),
        ("PUT", "/_sim/faults", '{"faults": [{"kind": "slow", "odd": 1}]}'),
        ("PUT", "/_sim/faults", '{"faults": [{"service": "synthesis"}]}'),
        ("PUT", "/_sim/transcripts", '{"transcripts": [{"odd": 1}]}'),
        ("PUT", "/_sim/transcripts", '{"transcripts": ["hello"]}'),
        ("POST", "/_sim/drop", '{"service": "odd"}'),
        ("POST", "/_sim/drop", "[]"),
    ],
)
async def test_switches_refuse_what_they_do_not_know(
    server: SpeechStandIn, method: str, path: str, body: str
) -> None:
    """A misspelt fault that did nothing would prove whatever the test wants to prove."""
    async with (
        aiohttp.ClientSession(server.control_url) as session,
        session.request(method, path, data=body) as response,
    ):
        assert response.status == 400


def recognize(server: SpeechStandIn, pcm: bytes, phrases: Sequence[str] = ()) -> Any:
    """Let the SDK recognize once."""
    stream = sdk.audio.PushAudioInputStream()
    recognizer = sdk.SpeechRecognizer(
        sdk.SpeechConfig(host=server.host_url), sdk.audio.AudioConfig(stream=stream)
    )
    grammar = sdk.PhraseListGrammar.from_recognizer(recognizer)
    for phrase in phrases:
        grammar.addPhrase(phrase)
    stream.write(pcm)
    stream.close()
    return recognizer.recognize_once()


LINES = phrases_of(
    [
        "Hi, I'd like to know my balance.",
        "What is your fee refund policy?",
        "There is a charge on my card I don't recognize.",
        "I'm Emily Rivera, the last four are 1234.",
        "Yes, please connect me with a person.",
    ]
)


async def test_what_espeak_says_is_recognized_among_the_phrases() -> None:
    """The demonstration really speaks and really listens, where the engines are installed."""
    server = SpeechStandIn(phrases=LINES)
    if not (server.is_voice_available and server.is_recognition_available):
        pytest.skip("no speech engine on this machine")
    await server.start()
    for line in LINES:
        result = await asyncio.to_thread(recognize, server, await server.say(line))
        assert result.text == line
    await server.aclose()


async def test_phrases_of_a_client_are_preferred(server: SpeechStandIn) -> None:
    """What the app lists is what pocketsphinx listens for, where it is installed."""
    speaker = SpeechStandIn()
    if not (speaker.is_voice_available and speaker.is_recognition_available):
        pytest.skip("no speech engine on this machine")
    pcm = await speaker.say(LINES[1])
    await speaker.aclose()
    result = await asyncio.to_thread(recognize, server, pcm, LINES)
    assert result.text == LINES[1]


async def test_espeak_reports_words_as_they_are_written() -> None:
    """The engine counts what it looks up; a caption must show what was written."""
    server = SpeechStandIn()
    if not server.is_voice_available:
        pytest.skip("no speech engine on this machine")
    await server.start()
    events = await speak_words(synthesizer_of(server), "Hello, I'd like tea.", 4)
    await server.aclose()
    assert [event.text for event in events] == ["Hello", "I'd", "like", "tea"]


async def test_tokens_and_keys_open_the_door() -> None:
    """A wrong key must be noticed here rather than in the cloud."""
    async with running_stand_in() as server, service_of(server) as service:
        assert (await service.token()) is None
        url = server.host_url.replace("ws", "http") + "/cognitiveservices/websocket/v1"
        async with aiohttp.ClientSession() as session:
            for headers, status in (
                ({}, 401),
                ({"Authorization": "Bearer odd"}, 401),
                ({"Authorization": "Bearer t-1"}, 400),  # let in, but it is no WebSocket
                ({"Ocp-Apim-Subscription-Key": "speech-key"}, 400),
            ):
                async with session.get(url, headers=headers) as response:
                    assert response.status == status
    assert tones(1).duration_ms == 1250
