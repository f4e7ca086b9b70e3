"""The service that listens: one connection, one turn after the other."""

import asyncio
import contextlib

from simulator.speech.framing import Message
from simulator.speech.line import Line, LineClosedError
from simulator.speech.studio import Studio
from simulator.speech.turn import Turn

_NORMAL = 1000


async def serve_recognition(line: Line, studio: Studio) -> None:
    """Listen until the client leaves."""
    turn: Turn | None = None
    work: asyncio.Task[None] | None = None
    try:
        while True:
            message = await _receive(line, studio, work)
            if message.path == "speech.context":
                await _stop(work)
                turn = Turn(line, studio, message)
                work = asyncio.create_task(turn.run())
            elif message.path == "audio" and turn is not None:
                turn.take(message)
    except LineClosedError:
        pass
    finally:
        await _stop(work)


async def _receive(line: Line, studio: Studio, work: "asyncio.Task[None] | None") -> Message:
    while True:
        try:
            return await line.receive(idle_s=studio.idle_s)
        except TimeoutError:
            if work is None or work.done():
                # Any other code leaves the native recognizer unusable.
                await line.close(_NORMAL, "idle")
                raise LineClosedError from None


async def _stop(work: "asyncio.Task[None] | None") -> None:
    if work is not None:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([work])
