"""The voice of espeak-ng, through the library that the ``espeakng-loader`` wheel brings.

espeak-ng is GPL-3: a tool for development, never part of what is deployed.
"""

import ctypes
import importlib.util
import re
import threading
from array import array
from functools import lru_cache

from simulator.speech.voice import Take, Word

_SYNCHRONOUS = 2
_UTF8 = 1
_CHARACTERS = 1
_RATE, _WORD_GAP = 1, 7
_LIST_END, _WORD, _END = 0, 1, 5
_WORDS_PER_MINUTE = 160
_BUFFER_MS = 60
_WRITTEN = re.compile(r"[\w'\u2019-]+|\S")


class _EventId(ctypes.Union):
    _fields_ = [
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    ]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _EventId),
    ]


_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event)
)


class EspeakError(Exception):
    """The engine is missing or refuses to work."""


def is_available() -> bool:
    """Whether the library is installed and loads."""
    try:
        return _engine() is not None
    except EspeakError:
        return False


class EspeakVoice:
    """espeak-ng's American English; one utterance at a time in a process, the others wait."""

    def __init__(self) -> None:
        """Load the engine.

        Raises:
            EspeakError: It is not installed.
        """
        self._engine = _engine()

    @property
    def rate_hz(self) -> int:
        """22050."""
        return self._engine.rate_hz

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        """Say *text*.

        Raises:
            EspeakError: The engine failed.
        """
        self._engine.speak(text, rate=rate, take=take)


class _Engine:
    """The library has global state: one instance per process, behind a lock."""

    def __init__(self, library: ctypes.CDLL, data_path: str) -> None:
        self._library = library
        self._lock = threading.Lock()
        self._take: Take | None = None
        self._text = ""
        self.rate_hz: int = library.espeak_Initialize(
            _SYNCHRONOUS, _BUFFER_MS, data_path.encode(), 0
        )
        if self.rate_hz <= 0 or library.espeak_SetVoiceByName(b"en-us") != 0:
            raise EspeakError("espeak-ng could not be initialised")
        # A Python object the library points to: it must live as long as the library.
        self._callback = _Callback(self._on_audio)
        library.espeak_SetSynthCallback(self._callback)

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        data = text.encode()
        with self._lock:
            self._take, self._text = take, text
            self._library.espeak_SetParameter(_RATE, int(_WORDS_PER_MINUTE * rate), 0)
            status = self._library.espeak_Synth(
                data, ctypes.c_size_t(len(data) + 1), 0, _CHARACTERS, 0, _UTF8, None, None
            )
            self._take = None
        if status != 0:
            raise EspeakError(f"espeak-ng failed with status {status}")

    def _on_audio(
        self,
        wave: "ctypes._Pointer[ctypes.c_short]",
        count: int,
        events: "ctypes._Pointer[_Event]",
    ) -> int:
        take = self._take
        if take is None:
            return 1
        at = 0
        while events[at].type != _LIST_END:
            event = events[at]
            if event.type == _WORD and not take(self._word(event)):
                return 1
            at += 1
        if count > 0 and wave:
            return 0 if take(array("h", ctypes.string_at(wave, count * 2))) else 1
        return 0

    def _word(self, event: _Event) -> Word:
        # The engine cuts "I'd" to "I": it counts what it looks up, not what is written.
        match = _WRITTEN.match(self._text, max(0, event.text_position - 1))
        return Word(match[0] if match else "", event.audio_position / 1000)


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    if importlib.util.find_spec("espeakng_loader") is None:
        raise EspeakError("espeakng-loader is not installed")
    import espeakng_loader  # type: ignore[import-untyped]  # noqa: PLC0415 - optional

    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
        return _Engine(library, espeakng_loader.get_data_path())
    except (OSError, RuntimeError) as err:
        raise EspeakError("espeak-ng does not load") from err
