"""How the speech stand-in makes, changes and cuts up sound."""

import math
from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.speech.endpointing import Endpointer, Sign, Silence, Speech, Started, Stopped
from simulator.speech.sound import (
    Resampler,
    SoundFormat,
    UnknownFormatError,
    decode,
    encode,
    input_format,
    output_format,
)
from simulator.speech.voice import ToneVoice, Word

SAMPLES = st.lists(st.integers(-32768, 32767), max_size=2000).map(lambda items: array("h", items))


def tone(hz: float, *, rate_hz: int, seconds: float) -> "array[int]":
    """A pure tone."""
    step = 2 * math.pi * hz / rate_hz
    return array("h", (int(8000 * math.sin(step * at)) for at in range(int(rate_hz * seconds))))


def loudness(samples: "array[int]") -> float:
    """The root of the mean square."""
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples))


@given(samples=SAMPLES, cuts=st.lists(st.integers(0, 2000), max_size=5))
def test_resampled_sound_does_not_depend_on_how_it_arrives(
    samples: "array[int]", cuts: list[int]
) -> None:
    """A click at every seam would be heard, and would spoil recognition."""
    whole = Resampler(22050, 16000)
    expected = whole.push(samples) + whole.flush()
    pieces, resampler = array("h"), Resampler(22050, 16000)
    edges = [0, *sorted(cuts), len(samples)]
    for start, end in pairwise(edges):
        pieces.extend(resampler.push(samples[start:end]))
    pieces.extend(resampler.flush())
    assert pieces == expected


@pytest.mark.parametrize(("from_hz", "to_hz"), [(22050, 16000), (8000, 16000), (16000, 8000)])
def test_resampled_tone_keeps_its_length_and_loudness(from_hz: int, to_hz: int) -> None:
    """The voice must sound the same at every rate."""
    resampler = Resampler(from_hz, to_hz)
    out = resampler.push(tone(440, rate_hz=from_hz, seconds=1)) + resampler.flush()
    assert len(out) == pytest.approx(to_hz, abs=2)
    assert loudness(out) == pytest.approx(8000 / math.sqrt(2), rel=0.02)


def test_resampling_removes_what_the_lower_rate_cannot_hold() -> None:
    """A hiss at 7 kHz must not come back as a whistle at 1 kHz."""
    resampler = Resampler(16000, 8000)
    out = resampler.push(tone(7000, rate_hz=16000, seconds=0.5))
    assert loudness(out) < 400


@given(samples=SAMPLES, encoding=st.sampled_from(["mulaw", "alaw"]))
def test_g711_keeps_what_is_said(samples: "array[int]", encoding: str) -> None:
    """Companding loses a few percent, never the signal."""
    again = decode(encode(samples, encoding), encoding)
    for before, after in zip(samples, again, strict=True):
        assert abs(before - after) <= max(40, abs(before) * 0.07)


def test_pcm_is_written_as_it_is() -> None:
    """The commonest format must not cost a sample."""
    samples = array("h", [0, 1, -1, 32767, -32768])
    assert decode(encode(samples, "pcm") + b"\x00", "pcm") == samples


def test_format_names_are_understood_or_refused() -> None:
    """A client is told about a format that cannot be made here."""
    assert output_format("raw-16khz-16bit-mono-pcm") == SoundFormat(16000)
    assert output_format("raw-22050hz-16bit-mono-pcm") == SoundFormat(22050)
    assert output_format("raw-8khz-8bit-mono-mulaw") == SoundFormat(8000, "mulaw")
    assert SoundFormat(8000, "mulaw").bytes_in(100) == 800
    for name in ("audio-16khz-32kbitrate-mono-mp3", "raw-17khz-16bit-mono-pcm", ""):
        with pytest.raises(UnknownFormatError):
            output_format(name)


@given(header=st.binary(max_size=60))
def test_headers_of_unknown_sound_are_refused(header: bytes) -> None:
    """Garbage is told to the client and does not end the server."""
    for candidate in (header, b"RIFF\x00\x00\x00\x00WAVEfmt \x10\x00\x00\x00" + header[:4]):
        with pytest.raises(UnknownFormatError):
            input_format(candidate)


def signs_of(samples: "array[int]", *, pause_s: float = 0.5, step: int = 1600) -> list[Sign]:
    """What an endpointer finds, without the sound itself."""
    endpointer = Endpointer(pause_s=pause_s)
    found: list[Sign] = []
    for at in range(0, len(samples), step):
        found.extend(endpointer.push(samples[at : at + step]))
    found.extend(endpointer.finish())
    return [sign for sign in found if not isinstance(sign, Speech | Silence)]


def speech(words: int) -> "array[int]":
    """A second of silence, then words, then a second of silence."""
    samples = array("h", bytes(32000))

    def take(piece: "array[int] | Word") -> bool:
        if not isinstance(piece, Word):
            samples.extend(piece)
        return True

    ToneVoice().speak("word " * words, rate=1.0, take=take)
    samples.extend(array("h", bytes(32000)))
    return samples


@pytest.mark.parametrize("step", [100, 320, 1600, 32000])
def test_phrases_are_cut_at_pauses_wherever_the_pieces_end(step: int) -> None:
    """Where a phrase begins and ends is a matter of the sound, not of the network."""
    signs = signs_of(speech(3) + speech(2), step=step)
    assert [type(sign) for sign in signs] == [Started, Stopped, Started, Stopped]
    first, second = signs[0], signs[1]
    assert isinstance(first, Started)
    assert isinstance(second, Stopped)
    assert first.offset_s == pytest.approx(1.0, abs=0.03)
    assert second.offset_s == pytest.approx(1.7, abs=0.05)


def test_short_pauses_do_not_end_a_phrase() -> None:
    """Somebody who thinks for a moment is not done."""
    samples = speech(2)[:-16000] + speech(2)[16000 - 4800 :]
    assert len(signs_of(samples, pause_s=0.5)) == 2
    assert len(signs_of(samples, pause_s=0.2)) == 4


def test_end_of_the_sound_ends_a_phrase() -> None:
    """The last word of a recording counts even without a pause after it."""
    samples = speech(2)[:-16000]
    assert [type(sign) for sign in signs_of(samples)] == [Started, Stopped]


def test_endless_speech_is_cut() -> None:
    """A caller who never pauses is answered all the same."""
    samples = tone(300, rate_hz=16000, seconds=31)
    assert [type(sign) for sign in signs_of(samples)] == [Started, Stopped, Started, Stopped]
