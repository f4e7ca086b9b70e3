"""The SDK's recognizer with its input, good for one recognition."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]

from shared.errors import AppError, UpstreamError
from shared.speech.failures import translated
from shared.speech.native import Link, Reports, in_loop
from shared.speech.service import SpeechService
from shared.speech.sound import SoundFormat
from shared.speech.transcript import Hypothesis, Phrase, read_phrase

_TICKS_PER_MS = 10_000
_ONCE_MS = 20_000
"""How long a single recognition may take; 13 s after that even a silent one has ended."""


class Ended:
    """Nothing more will be reported."""


Report = Hypothesis | Phrase | AppError | Ended


@dataclass(frozen=True, slots=True)
class Kind:
    """What a line is made for; the SDK fixes both."""

    is_continuous: bool
    sound_format: SoundFormat


def build_line(
    service: SpeechService, locale: str, kind: Kind
) -> tuple[sdk.audio.PushAudioInputStream, sdk.SpeechRecognizer]:
    """Make a recognizer and the stream it reads; blocks for about a millisecond."""
    config = service.build_config()
    config.output_format = sdk.OutputFormat.Detailed
    config.request_word_level_timestamps()
    config.set_property_by_name("SPEECH-OneShotRecognition-OperationTimeoutMs", str(_ONCE_MS))
    encodings = sdk.AudioStreamWaveFormat
    is_pcm = kind.sound_format.bytes_per_sample == 2
    stream = sdk.audio.PushAudioInputStream(
        sdk.audio.AudioStreamFormat(
            samples_per_second=kind.sound_format.rate_hz,
            bits_per_sample=8 * kind.sound_format.bytes_per_sample,
            channels=1,
            wave_stream_format=encodings.PCM if is_pcm else encodings.MULAW,
        )
    )
    audio = sdk.audio.AudioConfig(stream=stream)
    return stream, sdk.SpeechRecognizer(config, audio, language=locale)


class NativeLine:
    """A recognizer whose events are reported to the loop.

    Must not be let go of while it may still call back: see `ended`.
    """

    def __init__(
        self,
        kind: Kind,
        stream: sdk.audio.PushAudioInputStream,
        recognizer: sdk.SpeechRecognizer,
    ) -> None:
        self.kind = kind
        self.reports: Reports[Report] = Reports()
        self.ended = asyncio.Event()
        self._is_started = False
        self._stream = stream
        self._recognizer = recognizer
        self._pending: list[sdk.ResultFuture] = []
        self.link = Link(sdk.Connection.from_recognizer(recognizer))
        recognizer.recognizing.connect(in_loop(self._on_recognizing))
        recognizer.recognized.connect(in_loop(self._on_recognized))
        recognizer.canceled.connect(in_loop(self._on_canceled))
        recognizer.session_stopped.connect(in_loop(self._on_stopped))

    @property
    def is_usable(self) -> bool:
        """Whether it is connected; one that was dropped while idle never works again."""
        return self.link.is_open and not self._is_started

    def authorize(self, token: str) -> None:
        """Use *token* from the next connection on."""
        self._recognizer.authorization_token = token

    def start(self, phrases: Sequence[str]) -> None:
        """Begin to listen; blocks until that is arranged."""
        self._is_started = True
        if phrases:
            grammar = sdk.PhraseListGrammar.from_recognizer(self._recognizer)
            for phrase in phrases:
                grammar.addPhrase(phrase)
        if self.kind.is_continuous:
            self._recognizer.start_continuous_recognition_async().get()
        else:
            self._pending.append(self._recognizer.recognize_once_async())

    def write(self, sound: bytes) -> None:
        """Hand over sound; copies it."""
        self._stream.write(sound)

    def end_sound(self) -> None:
        """There will be no more sound."""
        self._stream.close()

    def begin_stop(self) -> None:
        """Ask to stop; `ended` tells when that has happened. A single recognition cannot stop."""
        if self.kind.is_continuous and self._is_started and not self.ended.is_set():
            self._pending.append(self._recognizer.stop_continuous_recognition_async())

    def release(self) -> None:
        """Disconnect and let go of the native objects; blocks, now and then for a second."""
        if self.ended.is_set():
            for operation in self._pending:
                operation.get()
        self._pending.clear()
        self.link.close()
        # Taken, not copied: the last reference must end here and not in the event loop.
        recognizer, self._recognizer = self._recognizer, None
        self._stream = None
        for signal in (
            recognizer.recognizing,
            recognizer.recognized,
            recognizer.canceled,
            recognizer.session_stopped,
        ):
            signal.disconnect_all()
        self.link.detach()

    def _on_recognizing(self, event: sdk.SpeechRecognitionEventArgs) -> None:
        result = event.result
        self.reports.post(Hypothesis(result.text, result.offset / _TICKS_PER_MS))

    def _on_recognized(self, event: sdk.SpeechRecognitionEventArgs) -> None:
        result = event.result
        if result.reason is not sdk.ResultReason.RecognizedSpeech:
            return
        try:
            phrase = read_phrase(
                result.text,
                result.json,
                offset_ticks=result.offset,
                duration_ticks=result.duration,
            )
        except (AttributeError, TypeError):
            self.reports.post(UpstreamError("the speech service sent what cannot be read"))
        else:
            self.reports.post(phrase)

    def _on_canceled(self, event: sdk.SpeechRecognitionCanceledEventArgs) -> None:
        details = event.cancellation_details
        if details.reason is sdk.CancellationReason.Error:
            self.reports.post(translated(details.code))

    def _on_stopped(self, _: sdk.SessionEventArgs) -> None:
        self.reports.post(Ended())
        self.ended.set()
