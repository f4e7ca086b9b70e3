"""What a recognition makes of what the caller does. Pure decisions, no waiting."""

import re
from dataclasses import dataclass, field

from simulator.acs import results
from simulator.acs.errors import Json
from simulator.acs.media import Choice, RecognizeOptions
from simulator.acs.results import Result
from simulator.acs.script import HangUp, Mumble, Press, Say, Step
from simulator.acs.voicebox import Utterance


@dataclass(frozen=True, slots=True)
class Verdict:
    """How the recognition ends.

    ``silence_s`` is how long it waits (unscaled) after the caller's last sound before it says so.
    """

    result: Result
    silence_s: float
    extra: Json = field(default_factory=dict)

    @property
    def is_silence(self) -> bool:
        """Whether the app heard nothing it could use."""
        return self.result.sub_code == results.INITIAL_SILENCE.sub_code


def judge(
    options: RecognizeOptions,
    step: Step | None,
    *,
    end_silence_s: float,
    utterance: Utterance | None = None,
) -> Verdict:
    """Decide what *step* leads to; None is a caller who does nothing.

    Of a caller who speaks, *utterance* is what was understood; by default every word of it.
    """
    end_silence_s = options.end_silence_s if options.end_silence_s is not None else end_silence_s
    match step:
        case Press() if options.takes_tones:
            return _tones(options, step.names)
        case Say() if options.takes_speech:
            return _speech(options, utterance or Utterance(step.text, step.text), end_silence_s)
        case Mumble() if options.takes_speech:
            return Verdict(results.NOT_RECOGNIZED, end_silence_s)
        case _:
            return Verdict(results.INITIAL_SILENCE, options.initial_silence_s)


def may_cut_prompt(options: RecognizeOptions, step: Step) -> bool:
    """Whether *step* ends the prompt before its time."""
    match step:
        case HangUp():
            return step.interrupts
        case Say() | Mumble():
            return step.interrupts and options.interrupt_prompt and options.takes_speech
        case Press():
            return step.interrupts and options.interrupt_prompt and options.takes_tones
        case _:
            return False


def _tones(options: RecognizeOptions, names: list[str]) -> Verdict:
    if options.input_type == "choices":
        return _tone_choice(options.choices, names[0])
    collected: list[str] = []
    for name in names:
        if name in options.stop_tones:
            return _collected(results.STOP_TONE, collected)
        collected.append(name)
        if len(collected) == options.max_tones:
            return _collected(results.MAX_DIGITS, collected)
    return Verdict(results.INTER_DIGIT, options.inter_tone_s)


def _collected(result: Result, tones: list[str]) -> Verdict:
    return Verdict(result, 0.0, {"recognitionType": "dtmf", "dtmfResult": {"tones": tones}})


def _tone_choice(choices: tuple[Choice, ...], name: str) -> Verdict:
    for choice in choices:
        if choice.tone == name:
            extra: Json = {"recognitionType": "choices", "choiceResult": {"label": choice.label}}
            return Verdict(results.TONE_OPTION, 0.0, extra)
    return Verdict(results.WRONG_TONE, 0.0)


def _speech(options: RecognizeOptions, utterance: Utterance, end_silence_s: float) -> Verdict:
    if not _words(utterance.recognized):
        return Verdict(results.NOT_RECOGNIZED, end_silence_s)
    if options.input_type == "choices":
        return _spoken_choice(options.choices, utterance, end_silence_s)
    speech = {"speech": utterance.recognized, "confidence": utterance.confidence}
    extra = {"recognitionType": "speech", "speechResult": speech}
    return Verdict(results.SPEECH_OK, end_silence_s, extra)


def _spoken_choice(
    choices: tuple[Choice, ...], utterance: Utterance, end_silence_s: float
) -> Verdict:
    spoken = _words(utterance.recognized)
    for choice in choices:
        for phrase in choice.phrases:
            words = _words(phrase)
            # A phrase inside a sentence counts: people say "support, please".
            if words and f" {words} " in f" {spoken} ":
                result = {
                    "label": choice.label,
                    "recognizedPhrase": phrase,
                    "confidence": utterance.confidence,
                }
                extra = {"recognitionType": "choices", "choiceResult": result}
                return Verdict(results.PHRASE_OPTION, end_silence_s, extra)
    return Verdict(results.WRONG_PHRASE, end_silence_s)


def _words(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))
