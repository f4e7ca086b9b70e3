"""The voice of flite: found where it is, left out where it is not, its failures named."""

import stat
import sys
from array import array
from pathlib import Path

import pytest

from simulator.speech import FliteError, FliteVoice
from simulator.speech.voice import Word

SPEAKS = """
import sys, wave
if "-lv" in sys.argv:
    print("Voices available: kal awb rms slt")
    sys.exit()
text, path = (sys.argv[sys.argv.index(flag) + 1] for flag in ("-t", "-o"))
assert sys.argv[sys.argv.index("-voice") + 1] == "rms"
with wave.open(path, "wb") as file:
    file.setnchannels(1)
    file.setsampwidth(2)
    file.setframerate({rate})
    file.writeframes(b"\\x05\\x00" * len(text))
"""


def program(folder: Path, source: str) -> str:
    """An executable that stands for flite."""
    path = folder / "flite"
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def speak(voice: FliteVoice, text: str) -> "array[int]":
    """All samples of a text."""
    samples = array("h")

    def take(piece: "array[int] | Word") -> bool:
        assert not isinstance(piece, Word)
        samples.extend(piece)
        return True

    voice.speak(text, rate=1.0, take=take)
    return samples


def test_flite_speaks_with_its_best_voice(tmp_path: Path) -> None:
    """The sound of the program reaches the listener as it is, whatever the text looks like."""
    voice = FliteVoice.find(program(tmp_path, SPEAKS.format(rate=16000)))
    assert voice is not None
    for text in ("Hello.", "-t; echo `x`", "O'Neill"):
        assert speak(voice, text) == array("h", [5] * len(text))


@pytest.mark.parametrize(
    "source", ["print('Voices available: kal slt')", "import sys; sys.exit(3)"]
)
def test_flite_is_left_out_without_its_best_voice(tmp_path: Path, source: str) -> None:
    """Other voices are understood worse than espeak-ng, so they are no use."""
    assert FliteVoice.find(program(tmp_path, source)) is None


def test_flite_is_left_out_where_it_is_not_installed(tmp_path: Path) -> None:
    """Most machines have no flite, and that is no error."""
    assert FliteVoice.find(str(tmp_path / "flite")) is None


@pytest.mark.parametrize("source", ["import sys; sys.exit(1)", "pass", SPEAKS.format(rate=8000)])
def test_flite_failure_is_named(tmp_path: Path, source: str) -> None:
    """A program that breaks, writes nothing or something else is an error, not silence."""
    with pytest.raises(FliteError):
        speak(FliteVoice(program(tmp_path, source)), "Hello.")
