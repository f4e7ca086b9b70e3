"""Speech as a stream of sound in the format that was asked for."""

import asyncio
import hashlib
import threading
from array import array
from collections import OrderedDict
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor

from simulator.speech.sound import Resampler, SoundFormat, encode
from simulator.speech.ssml import Passage
from simulator.speech.voice import Voice, Word

_REMEMBERED = 64
_RECOGNIZED_AGAIN = 4096


class Speaker:
    """Lets a voice speak in threads, and remembers what it said last."""

    def __init__(self, voice: Voice, *, threads: int = 2) -> None:
        self.voice = voice
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="simulated-voice")
        self._said: OrderedDict[tuple[str, float, SoundFormat], list[bytes | Word]] = OrderedDict()
        self._texts: OrderedDict[bytes, str] = OrderedDict()

    async def speak(
        self, passage: Passage, sound: SoundFormat
    ) -> AsyncGenerator[bytes | Word, None]:
        """Yield sound and, before the sound it begins with, each word.

        Close it early and the voice stops.
        """
        key = (passage.text, passage.rate, sound)
        if key in self._said:
            self._said.move_to_end(key)
            for piece in self._said[key]:
                yield piece
            return
        pieces: list[bytes | Word] = []
        async for piece in self._speak(passage, sound):
            pieces.append(piece)
            yield piece
        self._said[key] = pieces
        sound_of_it = b"".join(piece for piece in pieces if isinstance(piece, bytes))
        self._texts[hashlib.sha256(sound_of_it).digest()] = passage.text
        if len(self._texts) > _RECOGNIZED_AGAIN:
            self._texts.popitem(last=False)
        while len(self._said) > _REMEMBERED:
            self._said.popitem(last=False)

    def text_of(self, data: bytes) -> str | None:
        """The words of a sound that was made here, as long as not a byte of it was changed."""
        return self._texts.get(hashlib.sha256(data).digest())

    def close(self) -> None:
        """Let the threads end; what is still being said is cut short by its listener."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _speak(
        self, passage: Passage, sound: SoundFormat
    ) -> AsyncGenerator[bytes | Word, None]:
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[bytes | Word | None] = asyncio.Queue()
        has_left = threading.Event()
        resampler = Resampler(self.voice.rate_hz, sound.rate_hz)

        def take(piece: "array[int] | Word") -> bool:
            if has_left.is_set():
                return False
            ready = (
                piece if isinstance(piece, Word) else encode(resampler.push(piece), sound.encoding)
            )
            loop.call_soon_threadsafe(pieces.put_nowait, ready)
            return True

        def say() -> None:
            try:
                self.voice.speak(passage.text, rate=passage.rate, take=take)
                take(resampler.flush())
            finally:
                if not has_left.is_set():
                    loop.call_soon_threadsafe(pieces.put_nowait, None)

        work = loop.run_in_executor(self._threads, say)
        try:
            while (piece := await pieces.get()) is not None:
                if piece != b"":
                    yield piece
            await work
        finally:
            has_left.set()
