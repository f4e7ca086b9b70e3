"""Speaks: text becomes sound at Azure Speech, streamed as it is made."""

import asyncio
import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shared.errors import AppError, UpstreamError, UpstreamTimeoutError
from shared.speech.failures import is_silence, may_pass, translated
from shared.speech.native_synthesizer import (
    CanceledError,
    Done,
    NativeVoice,
    build_synthesizer,
)
from shared.speech.service import SpeechService
from shared.speech.sound import Sound, SoundFormat
from shared.speech.voices import Voice, build_ssml
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

_WARM_TEXT = "Hi"
_WARM_S = 5.0
_STOP_S = 2.0
"""How long an interrupted request may take to end."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A whole utterance and how fast it came."""

    sound: Sound
    first_byte_ms: float
    """From the call to the first sound, an attempt that failed included."""
    total_ms: float


class SpeechSynthesizer:
    """One synthesizer with one connection, for one request after the other.

    Belongs to the event loop of its first use, and to one owner at a time.
    """

    def __init__(
        self, service: SpeechService, *, sound_format: SoundFormat = SoundFormat.PCM_16KHZ
    ) -> None:
        """Prepare; nothing is connected before `warm` or the first request.

        Args:
            service: Outlives the synthesizer.
            sound_format: Of everything it says; the SDK fixes it once and for all.
        """
        self._service = service
        self._format = sound_format
        self._voice: NativeVoice | None = None
        self._turn = asyncio.Lock()
        self._recovery: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Whether it is fit to be used: connected, speaking, or on its way back to that.

        False before `warm`, after a connection was lost while idle, and after `aclose`.
        """
        if self._is_closed or self._voice is None:
            return False
        return self._voice.link.is_open or self._turn.locked() or self._is_recovering

    async def warm(self, voices: Sequence[Voice] = (), *, timeout_s: float = _WARM_S) -> None:
        """Connect, and let every voice say a syllable; again costs only the syllables.

        Raises:
            UpstreamError: The service cannot be used; the same call may be made again.
        """
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(deadline), self._turn:
                voice = await self._ready_voice()
                await self._open(voice)
        except TimeoutError as err:
            raise UpstreamTimeoutError("no connection to the speech service in time") from err
        for each in voices:
            left_s = deadline - asyncio.get_running_loop().time()
            await self.synthesize(build_ssml(_WARM_TEXT, each), deadline_s=left_s)

    async def stream(self, ssml: str, *, deadline_s: float) -> AsyncGenerator[bytes, None]:
        """Speak a document.

        Close it (``contextlib.aclosing``) or cancel the task to interrupt: the connection is lost
        by that, and made anew in the background. A request that failed before the first sound is
        made once more if the deadline allows.

        Args:
            ssml: As `voices.build_ssml` writes it.
            deadline_s: For everything until the last sound.

        Yields:
            Sound in the synthesizer's format, in whole samples, at least one piece.

        Raises:
            UpstreamTimeoutError: The deadline passed, or the service fell silent.
            UpstreamThrottledError: Too many requests.
            InvalidRequestError: The service cannot read the document.
            UpstreamError: Anything else; what was yielded before remains valid.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_s
        may_retry = True
        while True:
            try:
                async with aclosing(self._attempt(ssml, deadline)) as pieces:
                    async for piece in pieces:
                        may_retry = False
                        yield piece
            except TimeoutError as err:
                raise UpstreamTimeoutError("the speech service did not finish in time") from err
            except CanceledError as err:
                delay_s = random.uniform(0.02, 0.1)  # noqa: S311 - spreads load, protects nothing
                is_late = loop.time() + delay_s >= deadline
                if not may_retry or is_late or not may_pass(err.code):
                    raise translated(err.code) from err
            else:
                return
            may_retry = False
            logger.warning("speech is asked for again", extra={"sound": self._format.name})
            await asyncio.sleep(delay_s)

    async def synthesize(self, ssml: str, *, deadline_s: float) -> Spoken:
        """Speak a document and wait for all of it; arguments and errors are those of `stream`."""
        clock = asyncio.get_running_loop().time
        started_at = clock()
        first_byte_ms = 0.0
        pieces: list[bytes] = []
        async with aclosing(self.stream(ssml, deadline_s=deadline_s)) as sound:
            async for piece in sound:
                if not pieces:
                    first_byte_ms = (clock() - started_at) * 1000
                pieces.append(piece)
        total_ms = (clock() - started_at) * 1000
        return Spoken(Sound(b"".join(pieces), self._format), first_byte_ms, total_ms)

    def clear_session_state(self) -> None:
        """Forget the session: a synthesizer remembers nothing of what it said."""

    async def aclose(self) -> None:
        """Disconnect and let go of the native object; again does nothing.

        A request that is still under way fails.
        """
        self._is_closed = True
        if self._recovery is not None:
            await asyncio.wait([self._recovery], timeout=_STOP_S)
        voice, self._voice = self._voice, None
        if voice is not None:
            # Kept by the service: a caller who is cancelled must not leave it half released.
            await asyncio.shield(self._service.keep(self._service.run(voice.release)))

    @property
    def _is_recovering(self) -> bool:
        return self._recovery is not None and not self._recovery.done()

    async def _attempt(self, ssml: str, deadline: float) -> AsyncGenerator[bytes, None]:
        """Make one request; raises CanceledError, and TimeoutError past the deadline."""
        async with asyncio.timeout_at(deadline):
            await self._turn.acquire()
        has_ended = True
        try:
            async with asyncio.timeout_at(deadline):
                voice = await self._ready_voice()
            reports = voice.begin()
            start = self._service.keep(self._service.run(lambda: voice.start(ssml)))
            has_ended = False
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(start)
            while not has_ended:
                report = await reports.next(deadline)
                if isinstance(report, CanceledError):
                    # After a silence the socket may be dead without knowing it.
                    has_ended = not is_silence(report.code)
                    raise report
                has_ended = isinstance(report, Done)
                if isinstance(report, bytes):
                    yield report
        finally:
            if not has_ended:
                self._recovery = self._service.keep(self._recover(voice, start))
            self._turn.release()

    async def _ready_voice(self) -> NativeVoice:
        """The native object, made if need be, with the current token."""
        if self._is_recovering and self._recovery is not None:
            await asyncio.shield(self._recovery)
        if self._is_closed:
            raise UpstreamError("the synthesizer is closed")
        if self._voice is None:
            service, sound_format = self._service, self._format
            synthesizer = await service.run(lambda: build_synthesizer(service, sound_format))
            self._voice = NativeVoice(synthesizer)
        token = await self._service.token()
        if token is not None:
            self._voice.authorize(token)
        return self._voice

    async def _open(self, voice: NativeVoice) -> None:
        timeout_s = self._service.connect_timeout_s
        await voice.link.open(self._service.run, is_continuous=True, timeout_s=timeout_s)

    async def _recover(self, voice: NativeVoice, start: "asyncio.Task[None]") -> None:
        """Stop what nobody listens to, drop a socket that fell silent, and connect anew."""
        await asyncio.wait([start])
        try:
            async with asyncio.timeout(_STOP_S):
                await self._service.run(voice.link.close if voice.ended.is_set() else voice.stop)
                await voice.ended.wait()
            if not self._is_closed:
                await self._open(voice)
        except (AppError, TimeoutError) as err:
            logger.warning("speech not recovered", extra={"error": type(err).__name__})
            if not voice.ended.is_set() and self._voice is voice:
                # Its late sound would be taken for the answer to the next request.
                self._voice = None
                self._service.keep(self._service.run(voice.release))
