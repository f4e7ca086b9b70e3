"""The SDK's synthesizer, its events brought into the event loop."""

import asyncio

import azure.cognitiveservices.speech as sdk  # type: ignore[import-untyped]

from shared.speech.native import Link, Reports, in_loop
from shared.speech.service import SpeechService
from shared.speech.sound import SoundFormat

_FORMATS = {
    SoundFormat.PCM_8KHZ: sdk.SpeechSynthesisOutputFormat.Raw8Khz16BitMonoPcm,
    SoundFormat.PCM_16KHZ: sdk.SpeechSynthesisOutputFormat.Raw16Khz16BitMonoPcm,
    SoundFormat.PCM_24KHZ: sdk.SpeechSynthesisOutputFormat.Raw24Khz16BitMonoPcm,
    SoundFormat.MULAW_8KHZ: sdk.SpeechSynthesisOutputFormat.Raw8Khz8BitMonoMULaw,
}


class CanceledError(Exception):
    """The SDK gave a request up."""

    def __init__(self, code: sdk.CancellationErrorCode) -> None:
        super().__init__(code.name)
        self.code = code


class Done:
    """The last report of a request."""


Report = bytes | Done | CanceledError


def build_synthesizer(service: SpeechService, sound_format: SoundFormat) -> sdk.SpeechSynthesizer:
    """Make a synthesizer; blocks for less than a millisecond."""
    config = service.build_config()
    config.set_speech_synthesis_output_format(_FORMATS[sound_format])
    return sdk.SpeechSynthesizer(config, audio_config=None)


class NativeVoice:
    """The SDK's synthesizer; its events go to the request that is under way."""

    def __init__(self, synthesizer: sdk.SpeechSynthesizer) -> None:
        self._synthesizer = synthesizer
        self._reports: Reports[Report] = Reports()
        self.ended = asyncio.Event()
        self.ended.set()
        self.link = Link(sdk.Connection.from_speech_synthesizer(synthesizer))
        synthesizer.synthesizing.connect(in_loop(self._on_sound))
        synthesizer.synthesis_completed.connect(in_loop(self._on_completed))
        synthesizer.synthesis_canceled.connect(in_loop(self._on_canceled))

    def authorize(self, token: str) -> None:
        """Use *token* from the next connection on."""
        self._synthesizer.authorization_token = token

    def begin(self) -> Reports[Report]:
        """Where the events of the next request go."""
        self.ended.clear()
        self._reports = Reports()
        return self._reports

    def start(self, ssml: str) -> None:
        """Send a request; blocks until it is on its way."""
        if self._synthesizer is None:
            raise RuntimeError("released")
        self._synthesizer.start_speaking_ssml_async(ssml).get()

    def stop(self) -> None:
        """Break the request off; blocks."""
        if self._synthesizer is not None:
            self._synthesizer.stop_speaking_async().get()

    def release(self) -> None:
        """Disconnect and let go of the native object; blocks, now and then for a second."""
        if not self.ended.is_set():
            self.stop()
        self.link.close()
        # Taken, not copied: the last reference must end here and not in the event loop.
        synthesizer, self._synthesizer = self._synthesizer, None
        for signal in (
            synthesizer.synthesizing,
            synthesizer.synthesis_completed,
            synthesizer.synthesis_canceled,
        ):
            signal.disconnect_all()
        self.link.detach()

    def _on_sound(self, event: sdk.SpeechSynthesisEventArgs) -> None:
        self._reports.post(event.result.audio_data)

    def _on_completed(self, _: sdk.SpeechSynthesisEventArgs) -> None:
        self._end(Done())

    def _on_canceled(self, event: sdk.SpeechSynthesisEventArgs) -> None:
        self._end(CanceledError(event.result.cancellation_details.error_code))

    def _end(self, report: Report) -> None:
        self.ended.set()
        self._reports.post(report)
