"""What ACS is to listen for: parameters of a recognize request, as the SDK names them."""

from typing import Any

from azure.communication.callautomation import DtmfTone, RecognizeInputType

_MAX_TONES = 16
_INTER_TONE_S = 3

MESSAGE_KEYS: dict[str, Any] = {
    "input_type": RecognizeInputType.DTMF,
    # A prompt that may be interrupted makes ACS wait for two seconds, whatever it is told.
    "interrupt_prompt": False,
    "initial_silence_timeout": 120,
    "dtmf_max_tones_to_collect": 1,
    "dtmf_stop_tones": [DtmfTone.POUND],
}
"""For a caller who leaves a message: it ends with any key, or after two minutes."""


def words_or_keys(locale: str, *, initial_silence_s: int, end_silence_ms: int) -> dict[str, Any]:
    """For a caller who talks with us; the prompt may be interrupted."""
    return {
        "input_type": RecognizeInputType.SPEECH_OR_DTMF,
        "interrupt_prompt": True,
        "initial_silence_timeout": initial_silence_s,
        # The SDK multiplies seconds by 1000: fractions are meant.
        "end_silence_timeout": end_silence_ms / 1000,
        "speech_language": locale,
        "dtmf_inter_tone_timeout": _INTER_TONE_S,
        "dtmf_max_tones_to_collect": _MAX_TONES,
        "dtmf_stop_tones": [DtmfTone.POUND],
    }
