"""A scripted stand-in for the ACS REST interface: it checks, records, and answers as told."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

from shared.types import Json

ACCESS_KEY = base64.b64encode(b"not a secret, only a key for tests").decode()
CALL = "421f2e00-3a51-4d0c-9b8e-6d1c55b7a001"
_OPERATIONS = {":answer": 200, ":play": 202, ":recognize": 202, ":terminate": 204}
_OPERATIONS |= {":transferToParticipant": 202, ":/calling/recordings": 202}


@dataclass(frozen=True)
class Recorded:
    """One request as it arrived."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


@dataclass(frozen=True)
class Scripted:
    """What to do with the next request instead of what it asks for."""

    status: int = 200
    code: str | None = None
    message: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    is_dropped: bool = False
    """The line is cut after the request was carried out."""
    is_hanging: bool = False
    """Nothing is answered until the recorder closes."""

    def response(self) -> web.Response:
        """The error answer of ACS."""
        error = {"error": {"code": self.code, "message": self.message}}
        body = json.dumps(error).encode() if self.body is None else self.body
        return web.Response(
            status=self.status,
            body=body,
            headers={"Content-Type": "application/json; charset=utf-8", **self.headers},
        )


class AcsRecorder:
    """Answers like ACS, at once and without any call behind it."""

    def __init__(self) -> None:
        self.requests: list[Recorded] = []
        self.script: deque[Scripted] = deque()
        self.effects: list[str] = []
        """The operations that were carried out, repetitions left out."""
        self.has_request = asyncio.Event()
        self.state = "connected"
        self.endpoint = ""
        self._is_closing = asyncio.Event()
        self._replays: dict[str, tuple[int, Json]] = {}

    @asynccontextmanager
    async def serve(self) -> AsyncIterator["AcsRecorder"]:
        """Listen on a free port of 127.0.0.1 for as long as the context lasts."""
        app = web.Application()
        app.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(app, shutdown_timeout=1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.endpoint = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield self
        finally:
            self._is_closing.set()
            await runner.cleanup()

    async def _handle(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if not _is_signed(request, raw):
            return Scripted(401, "7509", "HMAC-SHA256 validation failed").response()
        body = json.loads(raw) if raw else {}
        self.requests.append(
            Recorded(request.method, request.path, request.query, dict(request.headers), body)
        )
        self.has_request.set()
        scripted = self.script.popleft() if self.script else None
        if scripted is not None and scripted.is_hanging:
            await self._is_closing.wait()
        if scripted is not None and not scripted.is_dropped:
            return scripted.response()
        status, answer = self._carry_out(request)
        if scripted is not None and request.transport is not None:
            request.transport.abort()
        return web.json_response(answer, status=status) if answer else web.Response(status=status)

    def _carry_out(self, request: web.Request) -> tuple[int, Json]:
        repeatable_id = request.headers.get("Repeatability-Request-ID", "")
        if repeatable_id in self._replays:
            return self._replays[repeatable_id]
        operation = f":{request.path.rpartition(':')[2]}"
        status = _OPERATIONS.get(operation, 201 if request.method == "POST" else 200)
        self.effects.append(operation if operation in _OPERATIONS else request.method)
        answer: Json = {}
        if status in (200, 201):
            number = len(self._replays)
            answer = {
                "callConnectionId": f"call-{number}",
                "callConnectionState": self.state,
                **({"serverCallId": f"server-{number}"} if status == 200 else {}),
            }
        elif operation == ":transferToParticipant":
            answer = {"operationContext": "echo"}
        elif operation == ":/calling/recordings":
            answer = {"recordingId": "r", "recordingState": "active"}
        if repeatable_id:
            self._replays[repeatable_id] = (status, answer)
        return status, answer


class FakeClock:
    """A clock that stands still; whoever waits for it is let through at once."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime(2026, 11, 22, 7, 32, tzinfo=UTC)
        self.pauses_s: list[float] = []

    def now(self) -> datetime:
        """Always the same instant."""
        return self._now

    def monotonic(self) -> float:
        """Always the same reading."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Note the pause and go on."""
        self.pauses_s.append(seconds)


def _is_signed(request: web.Request, body: bytes) -> bool:
    digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
    date, host = request.headers.get("x-ms-date", ""), request.headers.get("Host", "")
    text = f"{request.method}\n{request.raw_path}\n{date};{host};{digest}"
    signature = hmac.new(base64.b64decode(ACCESS_KEY), text.encode(), hashlib.sha256).digest()
    expected = (
        "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature="
        + base64.b64encode(signature).decode()
    )
    return hmac.compare_digest(request.headers.get("Authorization", ""), expected)
