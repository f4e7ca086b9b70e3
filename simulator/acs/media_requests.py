"""Reads play and recognize requests, and refuses what the service refuses."""

import re
from collections.abc import Mapping
from html import unescape

from simulator.acs import results
from simulator.acs.errors import Json, invalid, not_configured
from simulator.acs.identifiers import raw_id_of
from simulator.acs.media import Choice, InputType, Origin, Play, Recognize, RecognizeOptions, Source
from simulator.acs.results import Result
from simulator.acs.script import TONE_NAMES

_MAX_TEXT_CHARS = 4000
_MAX_SILENCE_S = {"dtmf": 300, "choices": 20, "speech": 20, "speechOrDtmf": 20}
_INPUT_TYPES: dict[str, InputType] = {
    "dtmf": "dtmf",
    "choices": "choices",
    "speech": "speech",
    "speechOrDtmf": "speechOrDtmf",
}
MAX_SENT_TONES = 18


def origin_of(body: Json) -> Origin:
    """Whose request it is and where its events go."""
    context, uri = body.get("operationContext"), body.get("operationCallbackUri")
    return Origin(
        context if isinstance(context, str) else None, uri if isinstance(uri, str) else None
    )


def parse_play(body: Json, *, has_speech: bool) -> Play:
    """Read a play request.

    Raises:
        ServiceError: It is malformed, or needs speech on a call that has none.
    """
    sources = body.get("playSources")
    if not isinstance(sources, list) or not sources:
        raise invalid("PlaySources must not be empty.")
    return Play(
        sources=tuple(_source(source, has_speech=has_speech) for source in sources),
        origin=origin_of(body),
        interrupts=body.get("interruptCallMediaOperation") is True,
        loop=_object(body, "playOptions").get("loop") is True,
        is_sub_leg=bool(body.get("playTo")),
    )


def parse_recognize(body: Json, *, has_speech: bool, is_group: bool) -> Recognize:
    """Read a recognize request.

    Raises:
        ServiceError: It is malformed, or needs speech on a call that has none.
    """
    kind = _INPUT_TYPES.get(str(body.get("recognizeInputType")))
    options = _object(body, "recognizeOptions")
    if kind is None:
        raise invalid("RecognizeInputType is invalid.")
    raw_id_of(options.get("targetParticipant"))
    if kind != "dtmf" and not has_speech:
        raise not_configured()
    prompts = body.get("playPrompts") or ([body["playPrompt"]] if body.get("playPrompt") else [])
    if not isinstance(prompts, list):
        raise invalid("PlayPrompts is invalid.")
    return Recognize(
        sources=tuple(_source(prompt, has_speech=has_speech) for prompt in prompts),
        origin=origin_of(body),
        options=_options(kind, options),
        interrupts=body.get("interruptCallMediaOperation") is True,
        is_sub_leg=is_group,
    )


def parse_tones(body: Json) -> list[str]:
    """Read the tones of a send request.

    Raises:
        ServiceError: Too many, none, or not the names of tones.
    """
    tones = body.get("tones")
    if not isinstance(tones, list) or not tones or len(tones) > MAX_SENT_TONES:
        raise invalid(f"Tones must hold 1 to {MAX_SENT_TONES} tones.")
    if any(tone not in TONE_NAMES.values() for tone in tones):
        raise invalid("Tones holds an unknown tone.")
    return [str(tone) for tone in tones]


def _options(kind: InputType, options: Json) -> RecognizeOptions:
    dtmf, speech = _object(options, "dtmfOptions"), _object(options, "speechOptions")
    silence_s = _number(options, "initialSilenceTimeoutInSeconds", 5, 0, _MAX_SILENCE_S[kind])
    end_silence_ms = _number(speech, "endSilenceTimeoutInMs", -1, -1, 60_000)
    max_tones = int(_number(dtmf, "maxTonesToCollect", 0, 0, 1_000))
    choices = tuple(_choice(choice) for choice in options.get("choices") or ())
    if kind == "choices" and not choices:
        raise invalid("Choices must not be empty.")
    return RecognizeOptions(
        input_type=kind,
        interrupt_prompt=options.get("interruptPrompt") is True,
        initial_silence_s=silence_s,
        end_silence_s=end_silence_ms / 1000 if end_silence_ms >= 0 else None,
        inter_tone_s=_number(dtmf, "interToneTimeoutInSeconds", 2, 1, 60),
        max_tones=max_tones or None,
        stop_tones=frozenset(dtmf.get("stopTones") or ()),
        choices=choices,
    )


def _choice(data: object) -> Choice:
    match data:
        case {"label": str(label), "phrases": list(phrases), **rest}:
            tone = str(rest["tone"]) if rest.get("tone") else None
            return Choice(label, tuple(str(phrase) for phrase in phrases), tone)
        case _:
            raise invalid("A choice needs a label and phrases.")


def _source(data: object, *, has_speech: bool) -> Source:
    match data:
        case {"kind": "file", "file": {"uri": str(uri)}}:
            return Source(text=f"[audio {uri}]", file_uri=uri)
        case {"kind": "text", "text": {"text": str(text), **details}}:
            source = Source(text=text, problem=_problem(text, details))
        case {"kind": "ssml", "ssml": {"ssmlText": str(ssml)}}:
            text = unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", ssml))).strip()
            source = Source(text=text, problem=None if text else results.EMPTY_TEXT)
        case _:
            raise invalid("A play source is invalid.")
    if not has_speech:
        raise not_configured()
    if len(source.text) > _MAX_TEXT_CHARS:
        raise invalid(f"The text to play exceeds {_MAX_TEXT_CHARS} characters.")
    return source


def _problem(text: str, details: Mapping[object, object]) -> Result | None:
    """Why a text cannot be spoken: it is empty, or nothing says in which voice."""
    if not text.strip():
        return results.EMPTY_TEXT
    has_voice = bool(details.get("voiceName")) or (
        bool(details.get("sourceLocale")) and "voiceName" not in details
    )
    return None if has_voice else results.SPEECH_AUTH


def _object(body: Json, name: str) -> Json:
    value = body.get(name)
    return value if isinstance(value, dict) else {}


def _number(body: Json, name: str, default: float, low: float, high: float) -> float:
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise invalid(f"{name} must be between {low:g} and {high:g}.")
    return value
