"""Speech over HTTP: text to sound, sound to text, and the sound files that ACS plays."""

from http import HTTPStatus
from typing import Literal

import azure.functions as func
from pydantic import BaseModel, Field

from functions.boundary import http_boundary
from functions.wire import json_response, parse_json
from shared.auth.access import Access
from shared.errors import InvalidRequestError
from shared.resources import resources
from shared.speech.rendition import Allocation
from shared.speech.sound import Sound, SoundFormat
from shared.speech.voices import Voice, build_ssml
from shared.types import Json

bp = func.Blueprint()

SYNTHESIS_S = 20.0
TRANSCRIPTION_S = 10.0
"""Beside the length of the sound itself: the service listens no faster than twice as fast."""
MAX_SOUND_MS = 120_000
MAX_SOUND_BYTES = 6 * 1024 * 1024


class SynthesisRequest(BaseModel, extra="forbid"):
    """Something to say: either plain text or an SSML document."""

    text: str = Field(default="", max_length=4000)
    ssml: str = Field(default="", max_length=8000)
    voice: str = Field(default="", pattern=r"^([a-z]{2,3}-[A-Za-z]{2,10}-[\w:-]{1,80})?$")
    """For text: a name like ``en-US-AvaMultilingualNeural``; by default who answers calls."""
    format: Literal["pcm_16khz", "pcm_8khz", "pcm_24khz", "mulaw_8khz"] = "pcm_16khz"
    """``mulaw_8khz`` comes without a header, as ``audio/basic``; all others as ``audio/wav``."""

    def document(self, default: Voice) -> str:
        """The SSML document that says it.

        Raises:
            InvalidRequestError: There is not exactly one of the two, or a voice beside a document.
        """
        if bool(self.text.strip()) == bool(self.ssml):
            raise InvalidRequestError("text, ssml: exactly one of them is wanted")
        if self.ssml and self.voice:
            raise InvalidRequestError("voice: an SSML document names its own")
        if self.ssml:
            return self.ssml
        locale = "-".join(self.voice.split("-")[:2])
        return build_ssml(self.text, Voice(self.voice, locale) if self.voice else default)


class PhraseResponse(BaseModel):
    """What was said between two pauses."""

    text: str
    offset_ms: float
    """From the beginning of the sound."""
    duration_ms: float
    confidence: float | None
    """0 to 1; null if the service does not say."""


class TranscriptResponse(BaseModel):
    """What was understood."""

    text: str
    phrases: list[PhraseResponse]
    duration_ms: float
    """Of the whole sound."""
    speech: Json
    """Where the recognizer came from, and how long that took."""


@bp.route(route="speech/synthesize", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_synthesis(req: func.HttpRequest) -> func.HttpResponse:
    """Speak a text; the headers say where the synthesizer came from and how fast it was."""
    body = parse_json(req, SynthesisRequest)
    desk = await resources().speech_desk.get()
    spoken = await desk.speak(
        body.document(desk.voice),
        deadline_s=SYNTHESIS_S,
        sound_format=SoundFormat[body.format.upper()],
    )
    return _sound_response(spoken.sound, spoken.allocation)


@bp.route(route="speech/transcribe", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_transcription(req: func.HttpRequest) -> func.HttpResponse:
    """Understand a WAV file: PCM, 16 bit, mono, best 16 kHz, of at most two minutes."""
    sound = _sound_of(req.get_body())
    desk = await resources().speech_desk.get()
    deadline_s = TRANSCRIPTION_S + sound.duration_ms / 1000
    transcript = await desk.transcribe(sound, deadline_s=deadline_s)
    phrases = [
        PhraseResponse(
            text=one.text,
            offset_ms=one.offset_ms,
            duration_ms=one.duration_ms,
            confidence=one.confidence,
        )
        for one in transcript.phrases
    ]
    return json_response(
        TranscriptResponse(
            text=transcript.text,
            phrases=phrases,
            duration_ms=transcript.duration_ms,
            speech=transcript.allocation.as_json(),
        )
    )


@bp.route(route="speech/prompts/{file}", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@http_boundary(access=Access.SIGNED)
async def get_prompt(req: func.HttpRequest) -> func.HttpResponse:
    """A sound file for ACS, under the link that a call was given."""
    prompts = await resources().prompts.get()
    wav = await prompts.sound(req.route_params["file"])
    headers = {"Cache-Control": "private, max-age=300"}
    return func.HttpResponse(wav, mimetype="audio/wav", headers=headers)


def _sound_of(body: bytes) -> Sound:
    if len(body) > MAX_SOUND_BYTES:
        raise InvalidRequestError("the body is too large")
    sound = Sound.from_wav(body)
    if sound.duration_ms > MAX_SOUND_MS:
        raise InvalidRequestError("the sound is longer than two minutes")
    if not sound.data:
        raise InvalidRequestError("the sound is empty")
    return sound


def _sound_response(sound: Sound, allocation: Allocation) -> func.HttpResponse:
    is_pcm = sound.format.bytes_per_sample == 2
    headers = {
        "X-Speech-Tier": allocation.tier.value,
        "X-Speech-Wait-Ms": f"{allocation.wait_ms:.1f}",
        "X-Speech-First-Byte-Ms": f"{allocation.first_byte_ms or 0.0:.1f}",
        "X-Speech-Duration-Ms": f"{sound.duration_ms:.0f}",
    }
    return func.HttpResponse(
        sound.to_wav() if is_pcm else sound.data,
        status_code=HTTPStatus.OK,
        mimetype="audio/wav" if is_pcm else "audio/basic",
        headers=headers,
    )
