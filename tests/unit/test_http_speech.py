"""Speech over HTTP: what is accepted, what is refused, and what the answers carry."""

import asyncio
import io
import json
import wave
from typing import Any

import azure.functions as func
import pytest

from functions.http_speech import get_prompt, post_synthesis, post_transcription
from shared.auth.signatures import FileSigner
from shared.errors import UpstreamTimeoutError
from shared.pools.lazy import Lazy
from shared.resources import Resources, use_resources
from shared.settings import NotConfiguredError
from shared.speech.desk import SpeechDesk, Transcript, Utterance
from shared.speech.prompts import Line, Prompts
from shared.speech.sound import Sound, SoundFormat
from shared.speech.transcript import Phrase
from shared.speech.voices import build_ssml
from tests.unit.boundary_parts import problem_in
from tests.unit.fakes import FakeClock
from tests.unit.speech_fakes import AVA, COLD, SOUND, FakeDesk, FakeSoundCache


class FakeSpeechDesk:
    """Speaks and understands at once; notes what it was asked."""

    def __init__(self) -> None:
        self.voice = AVA
        self.asked: list[Any] = []
        self.error: Exception | None = None

    async def speak(self, ssml: str, *, deadline_s: float, sound_format: SoundFormat) -> Utterance:
        """Speak."""
        self.asked.append((ssml, sound_format))
        if self.error is not None:
            raise self.error
        return Utterance(Sound(SOUND.data, sound_format), COLD)

    async def transcribe(self, sound: Sound, *, deadline_s: float) -> Transcript:
        """Understand."""
        self.asked.append((sound, deadline_s))
        return Transcript((Phrase("Hello.", 1.5, 2.5, 0.9, ()),), sound.duration_ms, COLD)


def request(body: bytes, **options: Any) -> func.HttpRequest:
    """A request."""
    return func.HttpRequest(method="POST", url="https://app.example/api/x", body=body, **options)


def parts_with(desk: FakeSpeechDesk) -> Resources:
    """The parts of a process with that desk."""
    parts = Resources()
    parts.speech_desk = Lazy.of(desk)  # type: ignore[arg-type]
    return parts


async def synthesis(desk: FakeSpeechDesk, body: object) -> func.HttpResponse:
    """The answer to a request for sound."""
    with use_resources(parts_with(desk)):
        answer: func.HttpResponse = await post_synthesis(request(json.dumps(body).encode()))
    return answer


async def transcription(desk: FakeSpeechDesk, body: bytes) -> func.HttpResponse:
    """The answer to a request for text."""
    with use_resources(parts_with(desk)):
        answer: func.HttpResponse = await post_transcription(request(body))
    return answer


def wav_of(*, seconds: float = 0.01, rate: int = 16000, channels: int = 1, width: int = 2) -> bytes:
    """A WAV file of silence."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(channels)
        wav.setsampwidth(width)
        wav.setframerate(rate)
        wav.writeframes(bytes(int(seconds * rate) * channels * width))
    return file.getvalue()


async def test_synthesis_answers_with_a_wav_file_and_its_figures() -> None:
    """What a client plays, and what it cost."""
    desk = FakeSpeechDesk()
    answer = await synthesis(desk, {"text": "5 < 6 & 7"})
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    assert Sound.from_wav(answer.get_body()) == SOUND
    assert answer.headers["X-Speech-Tier"] == "cold"
    assert answer.headers["X-Speech-Wait-Ms"] == "12.3"
    assert answer.headers["X-Speech-First-Byte-Ms"] == "56.8"
    assert answer.headers["X-Speech-Duration-Ms"] == "10"
    assert desk.asked == [(build_ssml("5 < 6 & 7", AVA), SoundFormat.PCM_16KHZ)]


async def test_synthesis_takes_a_voice_a_document_and_a_format() -> None:
    """The language of a voice is in its name; a document is passed on as it is."""
    desk = FakeSpeechDesk()
    await synthesis(desk, {"text": "Hallo", "voice": "de-DE-KatjaNeural"})
    assert 'xml:lang="de-DE"' in desk.asked[0][0]
    assert 'name="de-DE-KatjaNeural"' in desk.asked[0][0]
    answer = await synthesis(desk, {"ssml": "<speak/>", "format": "mulaw_8khz"})
    assert desk.asked[1] == ("<speak/>", SoundFormat.MULAW_8KHZ)
    assert (answer.mimetype, answer.get_body()) == ("audio/basic", SOUND.data)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text, ssml"),
        ({"text": "  "}, "text, ssml"),
        ({"text": "a", "ssml": "<speak/>"}, "text, ssml"),
        ({"ssml": "<speak/>", "voice": "en-US-AvaNeural"}, "voice"),
        ({"text": "a" * 4001}, "text"),
        ({"text": "a", "voice": "'><x"}, "voice"),
        ({"text": "a", "format": "mp3"}, "format"),
        ({"text": "a", "speed": 2}, "speed"),
    ],
)
async def test_synthesis_refuses_what_it_cannot_say(body: object, field: str) -> None:
    """Named by field; nothing is borrowed for it."""
    desk = FakeSpeechDesk()
    problem = problem_in(await synthesis(desk, body))
    assert problem["status"] == 400
    assert field in problem["detail"]
    assert desk.asked == []


async def test_synthesis_reports_a_failing_service() -> None:
    """A timeout is a timeout, whoever's fault it is."""
    desk = FakeSpeechDesk()
    desk.error = UpstreamTimeoutError("x")
    assert problem_in(await synthesis(desk, {"text": "a"}))["status"] == 504


async def test_transcription_answers_with_phrases_and_times() -> None:
    """Times count from the beginning of the sound; the deadline grows with its length."""
    desk = FakeSpeechDesk()
    answer = await transcription(desk, wav_of(seconds=2))
    assert json.loads(answer.get_body()) == {
        "text": "Hello.",
        "phrases": [{"text": "Hello.", "offset_ms": 1.5, "duration_ms": 2.5, "confidence": 0.9}],
        "duration_ms": 2000.0,
        "speech": COLD.as_json(),
    }
    assert desk.asked[0][1] == 12.0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"RIFF",
        b"x" * 1000,
        wav_of()[:30],
        wav_of(channels=2),
        wav_of(width=1),
        wav_of(rate=44100),
        wav_of(seconds=0),
        wav_of(seconds=121),
        bytes(7 * 1024 * 1024),
    ],
    ids=["empty", "cut", "noise", "header", "stereo", "8 bit", "44 kHz", "no sound", "long", "big"],
)
async def test_transcription_refuses_what_it_cannot_hear(body: bytes) -> None:
    """At once, and as the client's mistake."""
    desk = FakeSpeechDesk()
    problem = problem_in(await transcription(desk, body))
    assert (problem["status"], problem["code"]) == (400, "invalid_request")
    assert desk.asked == []


async def test_speech_that_is_not_configured_is_told_so() -> None:
    """Not an outage: coming again will not help."""
    parts = Resources()

    async def absent() -> SpeechDesk:
        raise NotConfiguredError("SPEECH_HOST is missing")

    parts.speech_desk = Lazy(absent)
    with use_resources(parts):
        answers = await asyncio.gather(
            post_synthesis(request(b'{"text": "a"}')), post_transcription(request(wav_of()))
        )
    for answer in answers:
        problem = problem_in(answer)
        assert (problem["status"], problem["code"]) == (501, "not_configured")


class Gate:
    """Prompts behind signed links."""

    def __init__(self) -> None:
        self.clock, self.cache, self.built = FakeClock(), FakeSoundCache(), 0
        self.signer = FileSigner([b"k" * 16], clock=self.clock)
        self.parts = Resources()
        self.parts.file_signer = Lazy.of(self.signer)
        self.parts.prompts = Lazy(self._build)
        self.line = Line("Hello.", AVA)

    async def _build(self) -> Prompts:
        self.built += 1
        return Prompts(
            FakeDesk(),
            self.cache,
            link=lambda file: self.signer.file_url("https://app.example", file),
            fixed=[self.line],
            speaks_all=False,
            clock=self.clock,
        )

    async def fetch(self, url: str) -> func.HttpResponse:
        """What ACS gets."""
        path, _, query = url.partition("?")
        params = dict(pair.split("=") for pair in query.split("&") if pair)
        route_params = {"file": path.rsplit("/", 1)[1]}
        with use_resources(self.parts):
            asked = request(b"", params=params, route_params=route_params)
            answer: func.HttpResponse = await get_prompt(asked)
        return answer


async def test_prompt_is_served_under_its_link() -> None:
    """ACS brings no token: the link is all it needs, until it ends."""
    gate = Gate()
    url = gate.signer.file_url("https://app.example", f"{gate.line.prompt_id}.wav")
    answer = await gate.fetch(url)
    assert (answer.status_code, answer.mimetype) == (200, "audio/wav")
    assert Sound.from_wav(answer.get_body()) == SOUND
    gate.clock.elapsed_s += 601
    assert problem_in(await gate.fetch(url))["status"] == 401


@pytest.mark.parametrize("query", ["", "?exp=99999999999", "?exp=99999999999&sig=x", "?sig=x"])
async def test_prompt_is_refused_before_anything_is_built(query: str) -> None:
    """A stranger costs a signature and nothing else: no Redis, no speech."""
    gate = Gate()
    url = f"https://app.example/api/speech/prompts/{gate.line.prompt_id}.wav{query}"
    assert problem_in(await gate.fetch(url))["status"] == 401
    assert (gate.built, gate.cache.trips) == (0, 0)


async def test_prompt_that_is_gone_is_not_found() -> None:
    """ACS then tells the call, which goes on without files."""
    gate = Gate()
    answer = await gate.fetch(gate.signer.file_url("https://app.example", "gone.wav"))
    assert problem_in(answer)["code"] == "prompt_not_found"
