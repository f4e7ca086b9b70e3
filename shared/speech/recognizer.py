"""Listens: sound becomes text at Azure Speech."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing

from shared.errors import AppError, UpstreamError, UpstreamTimeoutError
from shared.speech.native_recognizer import Ended, Kind, NativeLine, build_line
from shared.speech.service import SpeechService
from shared.speech.sound import Sound, SoundFormat
from shared.speech.transcript import Hypothesis, Phrase
from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

_WARM_S = 5.0
_END_S = 80.0
"""The SDK gives a silent service up after 70 s at the latest; until then its object must live."""
_PIECE_MS = 1000


class SpeechRecognizer:
    """Recognizes one recording or stream after the other.

    Belongs to the event loop of its first use, and to one owner at a time. Under it, every
    recognition has a native recognizer of its own, the next one connected ahead: a used one keeps
    the sound that was not read, and one that loses its connection while idle never works again.
    """

    def __init__(
        self, service: SpeechService, *, locale: str = "en-US", is_continuous: bool = True
    ) -> None:
        """Prepare; nothing is connected before `warm` or the first recognition.

        Args:
            service: Outlives the recognizer.
            locale: The language that is listened for.
            is_continuous: What to be ready for: `transcribe`, else `recognize`. The other one
                works too, at the price of a connection.
        """
        self._service = service
        self._locale = locale
        self._kind = Kind(is_continuous, SoundFormat.PCM_16KHZ)
        self._line: NativeLine | None = None
        self._turn = asyncio.Lock()
        self._renewal: asyncio.Task[None] | None = None
        self._is_closed = False

    @property
    def is_ready(self) -> bool:
        """Whether it is fit to be used: connected, listening, or on its way back to that.

        False before `warm`, after a connection was lost while idle, and after `aclose`.
        """
        if self._is_closed:
            return False
        is_renewing = self._renewal is not None and not self._renewal.done()
        is_connected = self._line is not None and self._line.is_usable
        return is_connected or is_renewing or self._turn.locked()

    async def warm(self, *, timeout_s: float = _WARM_S) -> None:
        """Connect; again does nothing unless the connection was lost.

        Raises:
            UpstreamError: The service cannot be reached; the same call may be made again.
        """
        try:
            async with asyncio.timeout(timeout_s), self._turn:
                await self._settle()
                if self._line is None or not self._line.is_usable:
                    await self._replace()
        except TimeoutError as err:
            raise UpstreamTimeoutError("no connection to the speech service in time") from err

    async def recognize(
        self, sound: Sound | AsyncIterable[bytes], *, phrases: Sequence[str] = (), deadline_s: float
    ) -> Phrase | None:
        """Recognize the first phrase; what follows is not listened to.

        Args:
            sound: All of it, or pieces of PCM_16KHZ as they come.
            phrases: What is probably said, to be preferred; for this recognition only.
            deadline_s: For everything until the phrase.

        Returns:
            The phrase; None if nothing intelligible was said.

        Raises:
            UpstreamTimeoutError: The deadline passed, or the service fell silent.
            UpstreamThrottledError: Too many requests.
            UpstreamError: Anything else; the same call may be made again.
        """
        run = self._run(sound, phrases, deadline_s, is_continuous=False)
        async with aclosing(run) as items:
            async for item in items:
                if isinstance(item, Phrase):
                    return item
        return None

    async def transcribe(
        self, sound: Sound | AsyncIterable[bytes], *, phrases: Sequence[str] = (), deadline_s: float
    ) -> AsyncGenerator[Hypothesis | Phrase, None]:
        """Recognize everything until the sound ends.

        Close it (``contextlib.aclosing``) or cancel the task to stop early. Arguments and errors
        are those of `recognize`; the deadline is for everything until the last phrase.

        Yields:
            For every phrase, what it seems to be, then what it is. Nothing for sound in which
            nothing intelligible is said.
        """
        run = self._run(sound, phrases, deadline_s, is_continuous=True)
        async with aclosing(run) as items:
            async for item in items:
                yield item

    def clear_session_state(self) -> None:
        """Forget the session: sound and phrases go with the native object they were given to."""

    async def aclose(self) -> None:
        """Disconnect and let go of the native object; again does nothing.

        A recognition that is still under way goes on to its end.
        """
        self._is_closed = True
        if self._renewal is not None:
            await asyncio.wait([self._renewal], timeout=self._service.connect_timeout_s)
        line, self._line = self._line, None
        if line is not None:
            await asyncio.shield(self._service.keep(self._service.run(line.release)))

    async def _run(
        self,
        sound: Sound | AsyncIterable[bytes],
        phrases: Sequence[str],
        deadline_s: float,
        *,
        is_continuous: bool,
    ) -> AsyncGenerator[Hypothesis | Phrase, None]:
        deadline = asyncio.get_running_loop().time() + deadline_s
        sound_format = sound.format if isinstance(sound, Sound) else SoundFormat.PCM_16KHZ
        try:
            async with asyncio.timeout_at(deadline):
                await self._turn.acquire()
        except TimeoutError as err:
            raise UpstreamTimeoutError("the recognizer did not become free in time") from err
        try:
            run = self._listen(Kind(is_continuous, sound_format), sound, phrases, deadline)
            async with aclosing(run) as items:
                async for item in items:
                    yield item
        except TimeoutError as err:
            raise UpstreamTimeoutError("the speech service did not finish in time") from err
        finally:
            self._turn.release()

    async def _listen(
        self,
        kind: Kind,
        sound: Sound | AsyncIterable[bytes],
        phrases: Sequence[str],
        deadline: float,
    ) -> AsyncGenerator[Hypothesis | Phrase, None]:
        async with asyncio.timeout_at(deadline):
            await self._settle()
            line = await self._take(kind)
        start = self._service.keep(self._service.run(lambda: line.start(phrases)))
        feed = self._service.keep(self._feed(line, sound))
        try:
            async with asyncio.timeout_at(deadline):
                await asyncio.shield(start)
            while not isinstance(report := await line.reports.next(deadline), Ended):
                if isinstance(report, AppError):
                    raise report
                yield report
            if kind.is_continuous or feed.done():
                async with asyncio.timeout_at(deadline):
                    await feed
        finally:
            feed.cancel()
            self._service.keep(self._retire(line, start, feed))
            if not self._is_closed:
                self._renewal = self._service.keep(self._renew())

    async def _feed(self, line: NativeLine, sound: Sound | AsyncIterable[bytes]) -> None:
        """Hand the sound over, and say where it ends even if its source fails."""
        try:
            if isinstance(sound, Sound):
                step = sound.format.bytes_per_s * _PIECE_MS // 1000
                for at in range(0, len(sound.data), step):
                    piece = sound.data[at : at + step]
                    await self._service.run(lambda piece=piece: line.write(piece))  # type: ignore[misc]
            else:
                async for piece in sound:
                    await self._service.run(lambda piece=piece: line.write(piece))  # type: ignore[misc]
        finally:
            await asyncio.shield(self._service.keep(self._service.run(line.end_sound)))

    async def _take(self, kind: Kind) -> NativeLine:
        """The line that is ready if it fits, else a new one; it is the caller's from now on."""
        if self._is_closed:
            raise UpstreamError("the recognizer is closed")
        line = self._line
        if line is None or line.kind != kind or not line.is_usable:
            line = await self._build(kind)
        try:
            await self._authorize(line)
        except BaseException:
            if line is not self._line:
                self._service.keep(self._service.run(line.release))
            raise
        if line is self._line:
            self._line = None
        return line

    async def _replace(self) -> None:
        """Connect a new line and make it the one that is ready."""
        line, self._line = self._line, None
        if line is not None:
            self._service.keep(self._service.run(line.release))
        line = await self._build(self._kind)
        try:
            await self._authorize(line)
            await line.link.open(
                self._service.run,
                is_continuous=self._kind.is_continuous,
                timeout_s=self._service.connect_timeout_s,
            )
        except BaseException:
            self._service.keep(self._service.run(line.release))
            raise
        self._line = line

    async def _renew(self) -> None:
        try:
            if self._line is None or not self._line.is_usable:
                await self._replace()
        except AppError as err:
            logger.warning("recognizer not renewed", extra={"error": type(err).__name__})

    async def _settle(self) -> None:
        if self._renewal is not None:
            await asyncio.wait([self._renewal])

    async def _build(self, kind: Kind) -> NativeLine:
        service, locale = self._service, self._locale
        stream, recognizer = await service.run(lambda: build_line(service, locale, kind))
        return NativeLine(kind, stream, recognizer)

    async def _authorize(self, line: NativeLine) -> None:
        token = await self._service.token()
        if token is not None:
            line.authorize(token)

    async def _retire(self, line: NativeLine, *uses: "asyncio.Task[None]") -> None:
        """Stop a line, wait until nothing calls back any more, and release it."""
        await asyncio.wait(uses)
        with contextlib.suppress(UpstreamError):
            await self._service.run(line.begin_stop)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_END_S):
                await line.ended.wait()
        await self._service.run(line.release)
