"""The HTTP server: takes telemetry, keeps it, and fails when told to."""

import asyncio
import uuid
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from simulator.appinsights.spans import spans_of
from simulator.appinsights.wire import Json, UnreadableError, answer_of, problem_of, read_items

_MAX_BODY_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """How one request is answered instead of being accepted."""

    status: int
    """206 refuses every second item; 307 and 308 send the client to ``location``."""
    item_status: int = 500
    """Of a refused item of a 206."""
    retry_after_s: int | None = None
    location: str = ""


class AppInsights:
    """Application Insights as an exporter sees it. Lives in the event loop that starts it."""

    def __init__(self) -> None:
        self.instrumentation_key = str(uuid.uuid4())
        self.items: list[Json] = []
        """What was accepted, in the order in which it came."""
        self.answers: list[int] = []
        """The status of every answer."""
        self._faults: deque[Fault] = deque()
        self._news = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Where it listens, with a slash at the end as in connection strings."""
        return f"http://127.0.0.1:{self._port}/"

    @property
    def connection_string(self) -> str:
        """What the portal would show."""
        return (
            f"InstrumentationKey={self.instrumentation_key};IngestionEndpoint={self.url};"
            f"LiveEndpoint={self.url}"
        )

    def fail(self, *faults: Fault) -> None:
        """Answer the next requests so, one each."""
        self._faults.extend(faults)

    async def arrived(self, has_come: Callable[[list[Json]], bool], *, within_s: float) -> bool:
        """Wait until what has come satisfies *has_come*; false if it does not in time."""
        try:
            async with asyncio.timeout(within_s), self._news:
                await self._news.wait_for(lambda: has_come(self.items))
        except TimeoutError:
            return False
        return True

    async def has_span(self, session_id: str, name: str, *, within_s: float) -> bool:
        """Wait for a span of a session; false if it does not come in time."""

        def has_come(items: list[Json]) -> bool:
            return any((one.session_id, one.name) == (session_id, name) for one in spans_of(items))

        return await self.arrived(has_come, within_s=within_s)

    async def start(self, *, port: int = 0) -> None:
        """Listen; 0 takes any free port."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        # Connection strings end in a slash, and the exporter adds another one.
        for version in ("v2", "v2.1"):
            app.router.add_post(f"/{{slash:/?}}{version}/track", self._track)
        app.router.add_get("/items", self._show)
        # Live metrics: nobody watches, so nothing is sent but this question.
        app.router.add_post("/QuickPulseService.svc/{action}", self._nobody_watches)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._port = self._runner.addresses[0][1]

    async def aclose(self) -> None:
        """Stop listening. Nothing happens twice."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _track(self, request: web.Request) -> web.Response:
        body = await request.read()
        fault = self._faults.popleft() if self._faults else None
        try:
            items = read_items(body, request.headers.get("Content-Encoding", ""))
        except UnreadableError as err:
            return self._answered(400, {"errors": [{"message": f"Invalid JSON: {err}"}]})
        errors: dict[int, tuple[int, str]] = {
            index: (400, problem)
            for index, item in enumerate(items)
            if (problem := problem_of(item, self.instrumentation_key)) is not None
        }
        headers: dict[str, str] = {}
        if fault is not None:
            headers = _headers_of(fault)
            refused = range(0, len(items), 2) if fault.status == 206 else range(len(items))
            status = fault.item_status if fault.status == 206 else fault.status
            errors |= dict.fromkeys(refused, (status, "told to"))
        async with self._news:
            self.items += [one for index, one in enumerate(items) if index not in errors]
            self._news.notify_all()
        status, answer = answer_of(len(items), errors)
        return self._answered(fault.status if fault else status, answer, headers)

    def _answered(
        self, status: int, body: Json, headers: dict[str, str] | None = None
    ) -> web.Response:
        self.answers.append(status)
        return web.json_response(body, status=status, headers=headers)

    async def _show(self, request: web.Request) -> web.Response:
        kind = request.query.get("type")
        chosen = [one for one in self.items if kind in (None, one["data"]["baseType"])]
        return web.json_response(chosen)

    async def _nobody_watches(self, request: web.Request) -> web.Response:
        return web.Response(headers={"x-ms-qps-subscribed": "false"})


def _headers_of(fault: Fault) -> dict[str, str]:
    headers = {}
    if fault.retry_after_s is not None:
        headers["Retry-After"] = str(fault.retry_after_s)
    if fault.location:
        headers["Location"] = fault.location
    return headers
