"""The HTTP server: keys, faults, and a record of what was asked."""

import asyncio
import json
import ssl
import time
import uuid
from collections.abc import Callable, Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from simulator.cosmos.authorization import Authority
from simulator.cosmos.call import Answer, Call
from simulator.cosmos.errors import CosmosError
from simulator.cosmos.faults import Fault, Faults
from simulator.cosmos.routes import answer
from simulator.cosmos.store import Store

EMULATOR_KEY = (
    "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw=="
)
"""The key that every emulator of the service has; it protects nothing."""

_MAX_BODY_BYTES = 4 * 1024 * 1024
_SHUTDOWN_S = 0.2
"""How long `aclose` lets a request finish; a hanging one never would."""


@dataclass(slots=True)
class Exchange:
    """One request and what was answered; 0 if it never was."""

    operation: str
    path: str
    status: int = 0


class CosmosStandIn:
    """An account of Cosmos DB for NoSQL, as far as the app needs one.

    Lives in the event loop that starts it.
    """

    def __init__(
        self,
        *,
        key: str = EMULATOR_KEY,
        bearer_tokens: Collection[str] = (),
        file: Path | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Open the account; nothing listens yet.

        Args:
            key: The account's key, in base64.
            bearer_tokens: Entra tokens that are accepted; clients send them over https only.
            file: The SQLite file that everything is kept in; None forgets it at the end.
            now: The clock by which items expire, in seconds since 1970.
        """
        self.key = key
        self.store = Store(file, now)
        self.faults = Faults()
        self.exchanges: list[Exchange] = []
        self._arrival = asyncio.Condition()
        self._authority = Authority(key, bearer_tokens)
        self._runner: web.AppRunner | None = None
        self._endpoint = ""

    @property
    def endpoint(self) -> str:
        """``http://127.0.0.1:<port>/``, once started."""
        return self._endpoint

    def inject(self, *faults: Fault) -> None:
        """Let the next requests go wrong, one fault each."""
        self.faults.waiting.extend(faults)

    async def wait_for_requests(self, count: int, *, timeout_s: float = 30.0) -> None:
        """Wait until *count* requests have come in."""
        async with asyncio.timeout(timeout_s), self._arrival:
            await self._arrival.wait_for(lambda: len(self.exchanges) >= count)

    async def start(
        self, host: str = "127.0.0.1", port: int = 0, *, tls: ssl.SSLContext | None = None
    ) -> None:
        """Begin to listen; port 0 takes a free one."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES)
        app.router.add_get("/_sim/faults", self._get_faults)
        app.router.add_put("/_sim/faults", self._put_faults)
        app.router.add_get("/_sim/requests", self._get_requests)
        app.router.add_route("*", "/{path:.*}", self._handle)
        # Without handler_cancellation a request outlives the client that has left.
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S, access_log=None
        )
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port, ssl_context=tls).start()
        scheme = "https" if tls is not None else "http"
        self._endpoint = f"{scheme}://{host}:{runner.addresses[0][1]}/"

    async def aclose(self) -> None:
        """Stop listening and close the file; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self.store.close()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request of a client."""
        activity_id = request.headers.get("x-ms-activity-id") or str(uuid.uuid4())
        call = await _read_call(request)
        exchange = Exchange(call.operation, request.path)
        async with self._arrival:
            self.exchanges.append(exchange)
            self._arrival.notify_all()
        try:
            result = await self._answer(request, call)
        except CosmosError as err:
            result = Answer(err.status, err.body(activity_id), err.headers)
        exchange.status = result.status
        return _response(result, activity_id)

    async def _answer(self, request: web.Request, call: Call) -> Answer:
        self._authority.check(call)
        fault = self.faults.take(call.operation)
        if fault is None:
            return answer(self.store, call)
        fault.raise_refusal()
        if fault.kind == "slow":
            await asyncio.sleep(fault.delay_ms / 1000)
        if fault.kind in {"hang", "cut"}:
            await _break_off(request, is_cut=fault.kind == "cut")
        result = answer(self.store, call)
        if fault.kind == "cut_after":
            await _break_off(request, is_cut=True)
        return result

    async def _get_faults(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"faults": [asdict(fault) for fault in self.faults.waiting]})

    async def _put_faults(self, request: web.Request) -> web.StreamResponse:
        """Replace the queue of faults."""
        try:
            faults = [Fault.parse(item) for item in (await request.json())["faults"]]
        except (ValueError, TypeError, KeyError, AttributeError) as err:
            raise web.HTTPBadRequest(text=f"expected a list of faults: {err}") from err
        self.faults.replace(faults)
        return web.Response(status=204)

    async def _get_requests(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"requests": [asdict(each) for each in self.exchanges]})


async def _read_call(request: web.Request) -> Call:
    return Call(
        method=request.method,
        segments=tuple(unquote(part) for part in request.raw_path.split("?")[0].split("/") if part),
        headers={name.lower(): value for name, value in request.headers.items()},
        content=await request.read(),
        base_url=f"{request.scheme}://{request.host}/",
    )


def _response(result: Answer, activity_id: str) -> web.Response:
    headers = {
        "x-ms-activity-id": activity_id,
        "x-ms-request-charge": f"{result.charge:.2f}",
        "x-ms-serviceversion": "version=simulator",
        "x-ms-gatewayversion": "version=simulator",
        **result.headers,
    }
    if result.body is None:
        return web.Response(status=result.status, headers=headers)
    text = json.dumps(result.body, ensure_ascii=False)
    return web.Response(
        status=result.status, headers=headers, text=text, content_type="application/json"
    )


async def _break_off(request: web.Request, *, is_cut: bool) -> None:
    """Cut the connection, or never go on."""
    if is_cut and request.transport is not None:
        request.transport.abort()
    await asyncio.Event().wait()  # ends when the connection does: the handler is cancelled
