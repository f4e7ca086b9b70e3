"""The service that speaks: one connection, one request after the other."""

import asyncio
import secrets
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

from simulator.speech.faults import Fault
from simulator.speech.framing import Message
from simulator.speech.line import Exchange, Line, LineClosedError
from simulator.speech.sound import TICKS_PER_S, SoundFormat, UnknownFormatError, output_format
from simulator.speech.speaking import Speaker
from simulator.speech.ssml import BadSsmlError, Passage, read_ssml
from simulator.speech.studio import Studio
from simulator.speech.voice import Word

_BAD_PAYLOAD = 1007
_GOING_AWAY = 1001
_DEFAULT_FORMAT = "raw-16khz-16bit-mono-pcm"
_OF_A_REQUEST = frozenset({"synthesis.context", "ssml", "text.piece", "text.end"})
"""The others are greetings and statistics."""


@dataclass(slots=True)
class _Request:
    """What has come in so far for one request."""

    request_id: str
    context: dict[str, Any] = field(default_factory=dict)
    pieces: list[str] = field(default_factory=list)

    @property
    def sound(self) -> SoundFormat:
        name = _dig(self.context, "synthesis", "audio", "outputFormat") or _DEFAULT_FORMAT
        return output_format(str(name))

    @property
    def wants_words(self) -> bool:
        options = _dig(self.context, "synthesis", "audio", "metadataOptions", "wordBoundaryEnabled")
        return options is True


async def serve_synthesis(line: Line, studio: Studio) -> None:
    """Answer requests until the client leaves."""
    requests: dict[str, _Request] = {}
    work: asyncio.Task[None] | None = None
    try:
        while True:
            message = await _receive(line, studio, work)
            if message.path not in _OF_A_REQUEST:
                continue
            request = requests.setdefault(message.request_id, _Request(message.request_id))
            passage_text = _collect(request, message)
            if passage_text is None:
                continue
            requests.pop(message.request_id)
            if work is not None:
                await asyncio.wait([work])
            is_text = message.path == "text.end"
            work = asyncio.create_task(_answer(line, studio, request, passage_text, is_text))
    except LineClosedError:
        pass
    finally:
        if work is not None:
            work.cancel()
            await asyncio.wait([work])


async def _receive(line: Line, studio: Studio, work: "asyncio.Task[None] | None") -> Message:
    """The next message; an idle line is closed, a busy one never counts as idle."""
    while True:
        try:
            return await line.receive(idle_s=studio.idle_s)
        except TimeoutError:
            if work is None or work.done():
                await line.close(_GOING_AWAY, "idle")
                raise LineClosedError from None


def _collect(request: _Request, message: Message) -> str | None:
    """Add a message to its request; gives what is to be spoken once that is complete."""
    if message.path == "synthesis.context":
        request.context = message.json
    elif message.path == "text.piece":
        request.pieces.append(message.text)
    elif message.path == "text.end":
        return "".join(request.pieces)
    elif message.path == "ssml":
        return message.text
    return None


async def _answer(line: Line, studio: Studio, request: _Request, text: str, is_text: bool) -> None:
    exchange = await studio.begin(Exchange("synthesis", line.line_id, request.request_id, text))
    exchange.details = request.context
    fault = studio.faults.take("synthesis", is_at_connect=False)
    line.is_busy = True
    try:
        passage = Passage(text, "") if is_text else read_ssml(text)
        await _speak(line, studio.speaker, request, passage, fault)
        exchange.end("finished")
    except (BadSsmlError, UnknownFormatError) as err:
        exchange.end("refused")
        await line.close(_BAD_PAYLOAD, str(err))
    except LineClosedError:
        exchange.end("aborted")
    except asyncio.CancelledError:
        exchange.end("aborted")
        raise
    finally:
        line.is_busy = False


async def _speak(
    line: Line, speaker: Speaker, request: _Request, passage: Passage, fault: Fault | None
) -> None:
    sound = request.sound
    outlet = _Outlet(line, request, sound, fault)
    await outlet.start()
    async with aclosing(speaker.speak(passage, sound)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Word):
                await outlet.word(piece)
            else:
                await outlet.audio(piece)
    await outlet.finish()


class _Outlet:
    """Sends one answer, and goes wrong in the middle of it if so told."""

    def __init__(
        self, line: Line, request: _Request, sound: SoundFormat, fault: Fault | None
    ) -> None:
        self._line = line
        self._id = request.request_id
        self._wants_words = request.wants_words
        self._stream_id = secrets.token_hex(16).upper()
        self._bytes_per_s = sound.rate_hz * sound.bytes_per_sample
        self._fault = fault
        self._sent_bytes = 0
        self._word: Word | None = None
        self._started_at = 0.0

    async def start(self) -> None:
        """Open the turn."""
        fault = self._fault
        if fault is not None and fault.breaks_off and fault.after_ms is None:
            await self._line.break_off(fault)
        if fault is not None and fault.kind == "slow":
            await asyncio.sleep(fault.delay_ms / 1000)
        self._started_at = asyncio.get_running_loop().time()
        tag = {"serviceTag": secrets.token_hex(16)}
        await self._line.send("turn.start", self._id, {"context": tag})
        audio = {"type": "inline", "streamId": self._stream_id}
        await self._line.send("response", self._id, {"context": tag, "audio": audio})

    async def audio(self, data: bytes) -> None:
        """Send sound."""
        limit = self._limit_bytes()
        if limit is not None and self._fault is not None and self._sent_bytes + len(data) >= limit:
            await self._send(data[: limit - self._sent_bytes])
            await self._line.break_off(self._fault)
        await self._send(data)
        if self._fault is not None and self._fault.kind == "pace":
            due = self._started_at + self._sent_bytes / self._bytes_per_s / self._fault.speed
            await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))

    async def word(self, word: Word) -> None:
        """A word begins, so the one before it has ended and its length is known."""
        await self._send_word(until_s=word.offset_s)
        self._word = word

    async def finish(self) -> None:
        """Close the turn."""
        end_s = self._sent_bytes / self._bytes_per_s
        await self._send_word(until_s=end_s)
        end = {"Type": "SessionEnd", "Data": {"Offset": round(end_s * TICKS_PER_S)}}
        await self._line.send("audio.metadata", self._id, {"Metadata": [end]})
        await self._line.send("turn.end", self._id, {})

    def _limit_bytes(self) -> int | None:
        fault = self._fault
        if fault is None or not fault.breaks_off or fault.after_ms is None:
            return None
        return int(self._bytes_per_s * fault.after_ms / 1000) & ~1

    async def _send(self, data: bytes) -> None:
        if data:
            await self._line.send_audio(self._id, data, stream_id=self._stream_id)
            self._sent_bytes += len(data)

    async def _send_word(self, *, until_s: float) -> None:
        word, self._word = self._word, None
        if word is None or not self._wants_words:
            return
        is_word = any(character.isalnum() for character in word.text)
        kind = "WordBoundary" if is_word else "PunctuationBoundary"
        data = {
            "Offset": round(word.offset_s * TICKS_PER_S),
            "Duration": round(max(0.0, until_s - word.offset_s) * TICKS_PER_S),
            "text": {"Text": word.text, "Length": len(word.text), "BoundaryType": kind},
        }
        metadata = {"Metadata": [{"Type": "WordBoundary", "Data": data}]}
        await self._line.send("audio.metadata", self._id, metadata)


def _dig(data: object, *keys: str) -> object:
    """A value deep in nested objects; None where the path ends early."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data
