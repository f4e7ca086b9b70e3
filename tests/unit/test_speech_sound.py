"""Sound in memory and as a WAV file."""

import io
import wave

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.errors import InvalidRequestError
from shared.speech.sound import Sound, SoundFormat

PCM = [sound for sound in SoundFormat if sound.bytes_per_sample == 2]


@given(data=st.binary(max_size=400).map(lambda data: data[: len(data) & ~1]), at=st.integers(0, 2))
def test_wav_file_gives_back_the_sound(data: bytes, at: int) -> None:
    """A prompt must not lose or gain a sample on its way to ACS and back."""
    sound = Sound(data, PCM[at])
    assert Sound.from_wav(sound.to_wav()) == sound


def test_wav_for_acs_is_mono_16_bit_16_khz() -> None:
    """ACS plays nothing else."""
    with wave.open(io.BytesIO(Sound(bytes(32000), SoundFormat.PCM_16KHZ).to_wav())) as wav:
        assert (wav.getnchannels(), wav.getsampwidth(), wav.getframerate()) == (1, 2, 16000)
        assert wav.getnframes() == 16000


def test_duration_follows_from_the_format() -> None:
    """A second is a second in every format."""
    for sound_format in SoundFormat:
        assert Sound(bytes(sound_format.bytes_per_s), sound_format).duration_ms == 1000


def test_g711_is_not_written_as_a_wav_file() -> None:
    """A header that promises PCM over G.711 would be played as noise."""
    with pytest.raises(InvalidRequestError):
        Sound(b"\x00", SoundFormat.MULAW_8KHZ).to_wav()


@given(data=st.binary(max_size=100))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """What a client uploads must never bring more down than its own request."""
    for candidate in (data, b"RIFF\x24\x00\x00\x00WAVEfmt " + data):
        with pytest.raises(InvalidRequestError):
            Sound.from_wav(candidate)


@pytest.mark.parametrize("shape", [(2, 2, 16000), (1, 1, 16000), (1, 2, 11025)])
def test_wav_of_another_shape_is_refused(shape: tuple[int, int, int]) -> None:
    """Stereo read as mono would play at half speed."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(shape[0])
        wav.setsampwidth(shape[1])
        wav.setframerate(shape[2])
        wav.writeframes(bytes(80))
    with pytest.raises(InvalidRequestError, match="mono"):
        Sound.from_wav(file.getvalue())
