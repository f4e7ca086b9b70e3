"""What the speech stand-in reads from and writes to the wire."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.speech.faults import Fault, FaultQueue
from simulator.speech.framing import (
    MalformedMessageError,
    read_binary,
    read_text,
    write_binary,
    write_text,
)
from simulator.speech.lexicon import known_words, spoken, write_grammar
from simulator.speech.options import read_options
from simulator.speech.ssml import BadSsmlError, read_rate, read_ssml

REQUEST_ID = "0123456789abcdef0123456789abcdef"


@given(body=st.binary(max_size=500))
def test_binary_message_is_read_as_it_was_written(body: bytes) -> None:
    """Sound is any bytes, and the header must not eat the first of them."""
    message = read_binary(write_binary("audio", REQUEST_ID, body, stream_id="1"))
    assert (message.path, message.request_id, message.body) == ("audio", REQUEST_ID, body)
    assert message.headers["x-streamid"] == "1"


def test_text_message_is_read_as_it_was_written() -> None:
    """The SDK compares the id byte for byte."""
    message = read_text(write_text("speech.phrase", REQUEST_ID, {"Text": "Zo\u00eb\r\n\r\n"}))
    assert (message.path, message.request_id) == ("speech.phrase", REQUEST_ID)
    assert message.json == {"Text": "Zo\u00eb\r\n\r\n"}


@given(frame=st.binary(max_size=50))
def test_frames_that_are_no_messages_are_refused(frame: bytes) -> None:
    """A broken client must not look like a silent one."""
    with pytest.raises(MalformedMessageError):
        read_binary(frame.replace(b":", b""))
    with pytest.raises(MalformedMessageError):
        read_text(frame.decode("latin-1").replace(":", ""))


@pytest.mark.parametrize("body", ["", "odd", "[]", "null"])
def test_bodies_that_are_no_objects_are_empty(body: str) -> None:
    """What a client leaves out has its default."""
    assert read_text(f"Path:speech.context\r\n\r\n{body}").json == {}


def test_document_tells_text_voice_style_and_rate() -> None:
    """The stand-in says what the real service would say, at about its speed."""
    passage = read_ssml(
        "<speak xmlns='http://www.w3.org/2001/10/synthesis' "
        "xmlns:mstts='https://www.w3.org/2001/mstts'>"
        "<voice name='ava'><mstts:express-as style='calm'><prosody rate='+20%'>One &amp;\n two"
        "</prosody></mstts:express-as></voice></speak>"
    )
    assert (passage.text, passage.voice, passage.style) == ("One & two", "ava", "calm")
    assert passage.rate == 1.2


@pytest.mark.parametrize(
    ("value", "rate"),
    [("fast", 1.55), ("1.5", 1.5), ("-25%", 0.75), ("+500%", 2.0), ("0.1", 0.5), ("odd", 1.0)],
)
def test_rates_are_understood_within_limits(value: str, rate: float) -> None:
    """An odd rate is no reason for silence."""
    assert read_rate(value) == rate


@pytest.mark.parametrize("document", ["", "<speak>", "<talk/>", "<speak>no voice</speak>"])
def test_documents_that_cannot_be_spoken_are_refused(document: str) -> None:
    """The client finds its mistake here, not in the cloud."""
    with pytest.raises(BadSsmlError):
        read_ssml(document)


def test_options_of_both_addresses_mean_the_same() -> None:
    """The host form puts into the address what the endpoint form puts into the context."""
    by_host = read_options(
        "/speech/recognition/interactive/cognitiveservices/v1",
        {"format": "detailed", "wordLevelTimestamps": "true", "initialSilenceTimeoutMs": "4000"},
        {"phraseDetection": {"language": "en-US"}},
    )
    by_endpoint = read_options(
        "/stt/speech/universal/v2",
        {},
        {
            "phraseDetection": {"mode": "INTERACTIVE", "initialSilenceTimeout": 4000},
            "phraseOutput": {"format": "Detailed", "detailed": {"options": ["WordTimings"]}},
        },
    )
    assert by_host == by_endpoint
    assert by_host.is_once
    assert by_host.initial_silence_s == 4


def test_options_hold_phrases_and_pauses() -> None:
    """A phrase list and a patient client are heard."""
    context = {
        "phraseDetection": {
            "mode": "DICTATION",
            "DICTATION": {"segmentation": {"segmentationSilenceTimeoutMs": 900}},
        },
        "dgi": {"Groups": [{"Type": "Generic", "Items": [{"Text": "cancel my order"}]}]},
    }
    options = read_options("/stt/speech/universal/v2", {}, context)
    assert options.phrases == ("cancel my order",)
    assert options.pause_s == 0.9
    assert not options.is_once


@given(
    context=st.recursive(
        st.none() | st.text(max_size=5) | st.integers(),
        lambda inner: st.dictionaries(
            st.sampled_from(["phraseDetection", "phraseOutput", "mode", "detailed", "format"]),
            inner,
        ),
    )
)
def test_odd_options_have_their_defaults(context: object) -> None:
    """A client of another version is served as well as can be."""
    if isinstance(context, dict):
        assert read_options("/stt/speech/universal/v2", {}, context).pause_s == 0.5


def test_faults_strike_the_occasion_they_are_for() -> None:
    """A fault for recognition must not hit the greeting."""
    faults = FaultQueue()
    faults.add([Fault("hang", service="recognition"), Fault("refuse"), Fault("slow")])
    assert faults.take("synthesis", is_at_connect=True) == Fault("refuse")
    assert faults.take("synthesis", is_at_connect=True) is None
    assert faults.take("synthesis", is_at_connect=False) == Fault("slow")
    assert faults.take("synthesis", is_at_connect=False) is None
    assert faults.take("recognition", is_at_connect=False) == Fault("hang", service="recognition")
    assert faults.waiting == ()


def test_lexicon_speaks_figures_one_by_one() -> None:
    """The last four of a number are read out, not counted."""
    assert spoken("I\u2019m Emily, the last four are 1234!") == (
        "i'm emily the last four are one two three four"
    )
    assert known_words("hello xyzzy", {"hello"}) == ["hello"]
    assert "public <phrase> = one two | three;" in write_grammar(["one two", "three"])
