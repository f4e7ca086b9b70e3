"""One WebSocket to a client, and what was asked over it."""

import asyncio
import socket
import struct
from dataclasses import dataclass, field
from typing import Any

from aiohttp import WSMsgType, web

from simulator.speech.faults import Fault, Service
from simulator.speech.framing import (
    MalformedMessageError,
    Message,
    read_binary,
    read_text,
    write_binary,
    write_text,
)


class LineClosedError(Exception):
    """The client has left, or we have cut the line."""


@dataclass(slots=True)
class Exchange:
    """One request and what became of it."""

    service: Service
    line_id: int
    """The same for all requests on one connection."""
    request_id: str
    text: str = ""
    """Synthesis: the document or the text. Recognition: what was understood."""
    details: dict[str, Any] = field(default_factory=dict)
    """The context the client sent with it."""
    outcome: str = "running"
    """``running``, ``finished``, ``refused`` or ``aborted``."""
    _ended: asyncio.Event = field(default_factory=asyncio.Event, repr=False)

    async def ended(self, *, timeout_s: float = 5.0) -> str:
        """Wait until it is over; gives the outcome."""
        async with asyncio.timeout(timeout_s):
            await self._ended.wait()
        return self.outcome

    def end(self, outcome: str) -> None:
        """Note the outcome; only the first one counts."""
        if not self._ended.is_set():
            self.outcome = outcome
            self._ended.set()


class Line:
    """A WebSocket that speaks messages."""

    def __init__(
        self, line_id: int, service: Service, request: web.Request, ws: web.WebSocketResponse
    ) -> None:
        self.line_id = line_id
        self.service = service
        self.query = request.query
        self.path = request.path
        self.is_busy = False
        """A request is being answered."""
        self._request = request
        self._ws = ws

    async def receive(self, *, idle_s: float | None = None) -> Message:
        """The next message.

        Raises:
            LineClosedError: There will be none.
            TimeoutError: Nothing came for *idle_s* seconds.
            MalformedMessageError: A frame is no message.
        """
        frame = await self._ws.receive(timeout=idle_s)
        if frame.type is WSMsgType.TEXT:
            return read_text(frame.data)
        if frame.type is WSMsgType.BINARY:
            return read_binary(frame.data)
        raise LineClosedError

    async def send(self, path: str, request_id: str, body: object) -> None:
        """Send a JSON message.

        Raises:
            LineClosedError: Nobody is there any more.
        """
        try:
            await self._ws.send_str(write_text(path, request_id, body))
        except ConnectionError as err:
            raise LineClosedError from err

    async def send_audio(self, request_id: str, audio: bytes, *, stream_id: str) -> None:
        """Send sound.

        Raises:
            LineClosedError: Nobody is there any more.
        """
        frame = write_binary("audio", request_id, audio, stream_id=stream_id)
        try:
            await self._ws.send_bytes(frame)
        except ConnectionError as err:
            raise LineClosedError from err

    async def close(self, code: int, reason: str = "") -> None:
        """Say goodbye with *code*."""
        await self._ws.close(code=code, message=reason.encode()[:120])

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        transport = self._request.transport
        if transport is None:
            return
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # Linger for zero seconds: the kernel sends RST instead of FIN.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()

    async def break_off(self, fault: Fault) -> None:
        """Carry out a fault that ends the request without an answer; never returns.

        Raises:
            LineClosedError: The line is cut.
        """
        if fault.kind == "close":
            await self.close(fault.code, fault.reason)
        elif fault.kind == "reset":
            self.reset()
        else:
            await asyncio.Event().wait()  # ends when the connection does: the work is cancelled
        raise LineClosedError


__all__ = ["Exchange", "Line", "LineClosedError", "MalformedMessageError"]
