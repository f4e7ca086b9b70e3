"""One turn of recognition: sound comes in, phrases go out."""

import asyncio
import math
import secrets
from array import array
from collections.abc import AsyncIterator
from typing import Any

from simulator.speech.ears import EarError
from simulator.speech.endpointing import RATE_HZ, Endpointer, Silence, Speech, Started, Stopped
from simulator.speech.faults import Fault
from simulator.speech.framing import Message
from simulator.speech.hearing import Heard, HeardWord, ScriptedUtterance, Utterance
from simulator.speech.line import Exchange, Line, LineClosedError
from simulator.speech.options import Options, read_options
from simulator.speech.sound import (
    TICKS_PER_S,
    Resampler,
    SoundFormat,
    UnknownFormatError,
    decode,
    input_format,
)
from simulator.speech.studio import Studio

_MORE_STREAM_S = 0.15
"""A recognizer that is used again sends what it still had as one stream, and then the next."""
_BAD_PAYLOAD = 1007
_FEED_SAMPLES = RATE_HZ // 5
"""The engine gets pieces of 200 ms."""


class Turn:
    """From the first sound to ``turn.end``."""

    def __init__(self, line: Line, studio: Studio, context: Message) -> None:
        self._line = line
        self._studio = studio
        self._id = context.request_id
        self._context = context.json
        self._options: Options = read_options(line.path, line.query, context.json)
        self._incoming: asyncio.Queue[Message] = asyncio.Queue()
        self._endpointer = Endpointer(pause_s=self._options.pause_s)
        self._utterance: Utterance | None = None
        self._speech: array[int] = array("h")
        self._text = ""
        self._started_s = 0.0
        self._received_s = 0.0

    def take(self, message: Message) -> None:
        """Take a message with sound; those of other turns are ignored."""
        if message.request_id == self._id:
            self._incoming.put_nowait(message)

    async def run(self) -> None:
        """Answer; ends with the turn."""
        exchange = Exchange("recognition", self._line.line_id, self._id, details=self._context)
        await self._studio.begin(exchange)
        self._line.is_busy = True
        try:
            await self._answer(exchange)
            exchange.end("finished")
        except UnknownFormatError as err:
            exchange.end("refused")
            await self._line.close(_BAD_PAYLOAD, str(err))
        except (LineClosedError, EarError):
            exchange.end("aborted")
            await self._line.close(1011)
        except asyncio.CancelledError:
            exchange.end("aborted")
            raise
        finally:
            self._line.is_busy = False
            if self._utterance is not None:
                await self._utterance.abandon()

    async def _answer(self, exchange: Exchange) -> None:
        fault = self._studio.faults.take("recognition", is_at_connect=False)
        if fault is not None and fault.breaks_off and fault.after_ms is None:
            await self._line.break_off(fault)
        await self._send("turn.start", {"context": {"serviceTag": secrets.token_hex(16)}})
        async for samples in self._sound():
            for sign in self._endpointer.push(samples):
                if await self._react(sign, exchange, fault):
                    return
            limit = fault.after_ms if fault is not None and fault.breaks_off else None
            if limit is not None and self._endpointer.offset_s * 1000 >= limit and fault:
                await self._line.break_off(fault)
        for sign in self._endpointer.finish():
            if await self._react(sign, exchange, fault):
                return
        if self._options.is_once:
            await self._phrase(Heard("", "InitialSilenceTimeout"), 0.0, self._endpointer.offset_s)
        else:
            await self._end_of_dictation()
        await self._send("turn.end", {})

    async def _react(
        self, sign: Started | Speech | Stopped | Silence, exchange: Exchange, fault: Fault | None
    ) -> bool:
        """Act on what the endpointer found; True: the turn is over."""
        if isinstance(sign, Speech):
            await self._hear(sign.samples)
        elif isinstance(sign, Started):
            await self._start(sign)
        elif isinstance(sign, Stopped):
            if fault is not None and fault.kind == "slow":
                await asyncio.sleep(fault.delay_ms / 1000)
            await self._stop(sign, exchange)
            return self._options.is_once
        elif self._options.is_once and sign.duration_s >= self._options.initial_silence_s:
            await self._phrase(Heard("", "InitialSilenceTimeout"), 0.0, sign.duration_s)
            await self._send("turn.end", {})
            return True
        return False

    async def _start(self, sign: Started) -> None:
        self._started_s, self._text = sign.offset_s, ""
        await self._send("speech.startDetected", {"Offset": self._ticks(sign.offset_s)})
        if self._studio.transcripts:
            self._utterance = ScriptedUtterance(self._studio.transcripts.popleft())
        else:
            self._utterance = await self._studio.listener.begin(
                (*self._options.phrases, *self._studio.phrases)
            )

    async def _hear(self, samples: "array[int]") -> None:
        self._speech.extend(samples)
        if len(self._speech) >= _FEED_SAMPLES:
            await self._feed()

    async def _feed(self) -> None:
        pcm, self._speech = self._speech.tobytes(), array("h")
        if self._utterance is None or not pcm:
            return
        text = await self._utterance.feed(pcm)
        if text and text != self._text:
            self._text = text
            length_s = self._endpointer.offset_s - self._started_s
            body = {"Text": text, **self._span(self._started_s, length_s)}
            await self._send("speech.hypothesis", body)

    async def _stop(self, sign: Stopped, exchange: Exchange) -> None:
        await self._feed()
        utterance, self._utterance = self._utterance, None
        heard = await utterance.finish() if utterance is not None else Heard("", "NoMatch")
        exchange.text = " ".join(filter(None, [exchange.text, heard.text]))
        if self._options.is_once:
            await self._send("speech.endDetected", {"Offset": self._ticks(sign.offset_s)})
        await self._phrase(heard, self._started_s, sign.offset_s - self._started_s)
        if self._options.is_once:
            await self._send("turn.end", {})

    async def _phrase(self, heard: Heard, offset_s: float, duration_s: float) -> None:
        body: dict[str, Any] = {
            "Id": secrets.token_hex(16),
            "RecognitionStatus": heard.status,
            **self._span(offset_s, duration_s),
        }
        if heard.status == "Success":
            body["DisplayText"] = heard.text
            if self._options.is_detailed:
                body["NBest"] = [self._candidate(heard, offset_s, duration_s)]
        await self._send("speech.phrase", body)

    def _candidate(self, heard: Heard, offset_s: float, duration_s: float) -> dict[str, Any]:
        lexical = heard.text.lower().strip(".,!?")
        candidate: dict[str, Any] = {
            "Confidence": heard.confidence,
            "Lexical": lexical,
            "ITN": lexical,
            "MaskedITN": lexical,
            "Display": heard.text,
        }
        if self._options.wants_words:
            candidate["Words"] = [
                {"Word": word.text, **self._span(offset_s + word.offset_s, word.duration_s)}
                for word in heard.words or _shared_out(lexical, duration_s)
            ]
        return candidate

    async def _end_of_dictation(self) -> None:
        # The SDK counts whole milliseconds, and opens another turn for what is beyond them.
        end_s = math.ceil(self._received_s * 1000 - 1e-6) / 1000
        await self._send("speech.endDetected", {"Offset": self._ticks(end_s)})
        await self._phrase(Heard("", "EndOfDictation"), end_s, 0.0)

    async def _sound(self) -> AsyncIterator["array[int]"]:
        """The samples of all streams of the turn at 16 kHz, until no stream follows."""
        sound = SoundFormat(RATE_HZ)
        resampler = Resampler(RATE_HZ, RATE_HZ)
        has_ended = False
        while True:
            try:
                async with asyncio.timeout(_MORE_STREAM_S if has_ended else None):
                    message = await self._incoming.get()
            except TimeoutError:
                return
            data = message.body
            has_ended = not data
            if data[:4] == b"RIFF":
                sound = input_format(data)
                resampler = Resampler(sound.rate_hz, RATE_HZ)
                data = data[44:]
            self._received_s += len(data) / sound.bytes_per_sample / sound.rate_hz
            if data:
                yield resampler.push(decode(data, sound.encoding))

    async def _send(self, path: str, body: object) -> None:
        await self._line.send(path, self._id, body)

    def _span(self, offset_s: float, duration_s: float) -> dict[str, int]:
        return {"Offset": self._ticks(offset_s), "Duration": round(duration_s * TICKS_PER_S)}

    def _ticks(self, offset_s: float) -> int:
        return round(offset_s * TICKS_PER_S)


def _shared_out(text: str, duration_s: float) -> list[HeardWord]:
    words = text.split()
    length_s = duration_s / max(1, len(words))
    return [HeardWord(word, at * length_s, length_s) for at, word in enumerate(words)]
