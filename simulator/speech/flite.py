"""The voice ``rms`` of flite, where the program is installed: the easiest one to understand.

On Debian and Ubuntu: ``apt install flite``.
"""

import shutil
import subprocess
import tempfile
import wave
from array import array
from pathlib import Path

from simulator.speech.voice import Take

_VOICE = "rms"
_RATE_HZ = 16000
_LIST_S = 5.0
_SPEAK_S = 30.0


class FliteError(Exception):
    """The program failed."""


class FliteVoice:
    """Speaks through the program, a process for each text; tells of no words."""

    rate_hz = _RATE_HZ

    def __init__(self, program: str) -> None:
        self._program = program

    @classmethod
    def find(cls, program: str = "flite") -> "FliteVoice | None":
        """The voice if *program* is there and has it."""
        path = shutil.which(program)
        if path is None:
            return None
        try:
            listed = subprocess.run(
                [path, "-lv"], capture_output=True, text=True, timeout=_LIST_S, check=True
            )
        except (OSError, subprocess.SubprocessError):
            return None
        return cls(path) if _VOICE in listed.stdout.split() else None

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        """Say *text*.

        Raises:
            FliteError: The program failed or wrote something else.
        """
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            command = [self._program, "-voice", _VOICE, "--setf", f"duration_stretch={1 / rate:g}"]
            try:
                subprocess.run(
                    [*command, "-t", text, "-o", str(path)],
                    stdin=subprocess.DEVNULL,
                    capture_output=True,
                    timeout=_SPEAK_S,
                    check=True,
                )
                with wave.open(str(path)) as file:
                    shape = (file.getnchannels(), file.getsampwidth(), file.getframerate())
                    data = file.readframes(file.getnframes())
            except (OSError, EOFError, wave.Error, subprocess.SubprocessError) as err:
                raise FliteError("flite did not speak") from err
        if shape != (1, 2, _RATE_HZ):
            raise FliteError("flite wrote another kind of sound")
        take(array("h", data))
