"""What is read from the answers of the speech service, and how its failures are named."""

import json

import pytest
from azure.cognitiveservices.speech import (  # type: ignore[import-untyped]
    CancellationErrorCode as Code,
)

from shared.errors import (
    InvalidRequestError,
    SettingsError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from shared.speech.failures import is_silence, may_pass, translated
from shared.speech.service import SpeechAddress
from shared.speech.transcript import SpokenWord, read_phrase

DETAILED = {
    "Offset": 2_000_000,
    "Duration": 5_000_000,
    "DisplayText": "Hello there.",
    "NBest": [
        {
            "Confidence": 0.8,
            "Display": "Hello there.",
            "Words": [{"Word": "hello", "Offset": 2_000_000, "Duration": 2_500_000}],
        }
    ],
}


def test_phrase_has_times_words_and_confidence() -> None:
    """A transcript is read beside the recording."""
    phrase = read_phrase(
        "ignored", json.dumps(DETAILED), offset_ticks=2_000_000, duration_ticks=5_000_000
    )
    assert (phrase.text, phrase.offset_ms, phrase.duration_ms) == ("Hello there.", 200, 500)
    assert phrase.confidence == 0.8
    assert phrase.words == (SpokenWord("hello", 200, 250),)


def test_words_move_with_their_phrase_after_a_reconnection() -> None:
    """The SDK counts from the beginning of the sound, the answer from that of the turn."""
    phrase = read_phrase(
        "", json.dumps(DETAILED), offset_ticks=52_000_000, duration_ticks=5_000_000
    )
    assert phrase.offset_ms == phrase.words[0].offset_ms == 5200


@pytest.mark.parametrize("answer", ["", "no JSON", "{}", '{"NBest": []}'])
def test_phrase_without_details_has_its_text(answer: str) -> None:
    """The simple format carries less, and is no reason to lose what was said."""
    phrase = read_phrase("hello", answer, offset_ticks=10_000, duration_ticks=20_000)
    assert (phrase.text, phrase.offset_ms, phrase.duration_ms) == ("hello", 1, 2)
    assert phrase.confidence is None
    assert phrase.words == ()


@pytest.mark.parametrize(
    ("code", "error"),
    [
        (Code.BadRequest, InvalidRequestError),
        (Code.TooManyRequests, UpstreamThrottledError),
        (Code.ServiceTimeout, UpstreamTimeoutError),
    ],
)
def test_failures_have_the_names_the_app_acts_on(code: Code, error: type[Exception]) -> None:
    """Who waits, who gives up and who is to blame depends on it."""
    assert type(translated(code)) is error


def test_every_cancellation_has_a_name() -> None:
    """A code we never met must not surface as a bug of ours."""
    for code in Code:
        assert isinstance(translated(code), UpstreamError | InvalidRequestError)


def test_only_what_may_pass_is_asked_for_again() -> None:
    """Credentials, quota and broken documents stay what they are."""
    lasting = {Code.AuthenticationFailure, Code.BadRequest, Code.Forbidden, Code.TooManyRequests}
    assert not any(may_pass(code) for code in lasting)
    assert may_pass(Code.ConnectionFailure)
    assert [code for code in Code if is_silence(code)] == [Code.ServiceTimeout]


@pytest.mark.parametrize("address", [{}, {"endpoint": "https://x/", "host": "wss://x"}])
def test_address_is_one_of_two_kinds(address: dict[str, str]) -> None:
    """A forgotten setting is found at the start, not by the first caller."""
    with pytest.raises(SettingsError):
        SpeechAddress(**address)
    assert "secret" not in repr(SpeechAddress(host="wss://x", key="secret"))
