"""The host's front: keys, routes, webhooks and the admin endpoints."""

import asyncio
import json
import logging
from collections.abc import Coroutine

from aiohttp import web
from azure.functions.meta import Datum

from simulator.functions_host import event_grid_trigger, http_trigger
from simulator.functions_host.app import HostedApp
from simulator.functions_host.configuration import HostJson, Keys
from simulator.functions_host.indexing import IndexedFunction
from simulator.functions_host.invocation import Invoker
from simulator.functions_host.routes import find
from simulator.functions_host.throttle import Throttle, TooManyRequestsError
from simulator.functions_host.timers import timer_datum

logger = logging.getLogger("host.http")

MAX_BODY_BYTES = 210_000_000
"""The host's limit on a request body: 210 MB."""


class HostServer:
    """Answers every request that reaches the host's port."""

    def __init__(self, hosted: HostedApp, host_json: HostJson, keys: Keys, invoker: Invoker):
        self._hosted = hosted
        self._keys = keys
        self._invoker = invoker
        self._throttle = Throttle(
            max_concurrent=host_json.max_concurrent_requests,
            max_outstanding=host_json.max_outstanding_requests,
        )
        self._tasks: set[asyncio.Task[None]] = set()

    def application(self) -> web.Application:
        """The aiohttp application; one handler, for the host's routing is not aiohttp's."""
        application = web.Application(client_max_size=MAX_BODY_BYTES)
        application.router.add_route("*", "/{tail:.*}", self._answer)
        return application

    def start_background(self) -> None:
        """Warm the app up and start its timers; requests may come before the warm-up ends."""
        self._keep(self._warm_up())
        for timer in self._hosted.timers:
            self._keep(timer.run())

    async def _answer(self, request: web.Request) -> web.Response:
        segments = request.path.lower().strip("/").split("/")
        if segments[:2] == ["runtime", "webhooks"]:
            return await self._answer_webhook(request, segments)
        if segments[0] == "admin":
            return await self._answer_admin(request, segments)
        return await self._answer_function(request)

    async def _answer_function(self, request: web.Request) -> web.Response:
        match = find(self._hosted.routes, request.method, request.raw_path.partition("?")[0])
        if match is None:
            return web.Response(status=404)
        function = self._hosted.functions[match.function]
        if not self._may_call(request, function.auth_level):
            return web.Response(status=401)
        try:
            async with self._throttle.slot():
                execution = await self._invoker.invoke(
                    function,
                    await http_trigger.request_datum(request, match.params),
                    trace_parent=request.headers.get("traceparent"),
                    trace_state=request.headers.get("tracestate", ""),
                )
        except TooManyRequestsError:
            return web.Response(status=429)
        return http_trigger.response(execution)

    async def _answer_webhook(self, request: web.Request, segments: list[str]) -> web.Response:
        if segments[2:] != ["eventgrid"]:
            return web.Response(status=404)
        if not _holds(request, self._keys.system, self._keys.master):
            return web.Response(status=401)
        functions = self._hosted.of_type("eventGridTrigger")
        return await event_grid_trigger.handle(request, functions, self._invoker)

    async def _answer_admin(self, request: web.Request, segments: list[str]) -> web.Response:
        match request.method, segments[1:]:
            case "GET", ["host", "status"]:
                state = "Running" if self._hosted.is_loaded else "Error"
                return web.json_response({"state": state, "errors": self._hosted.errors})
            case "GET" | "POST", ["warmup"]:
                await self._warm_up()
                return web.Response()
            case "POST", ["functions", _]:
                return await self._run_now(request)
        return web.Response(status=404)

    async def _run_now(self, request: web.Request) -> web.Response:
        """Start a function that HTTP does not trigger; the answer does not wait for it."""
        if not _holds(request, self._keys.master):
            return web.Response(status=401)
        try:
            body = json.loads(await request.read())
        except ValueError:
            return web.Response(status=400)
        if not isinstance(body, dict):
            return web.Response(status=400)
        wanted = request.path.rstrip("/").rpartition("/")[2].lower()
        function = next((f for n, f in self._hosted.functions.items() if n.lower() == wanted), None)
        if function is None or function.trigger_type == "httpTrigger":
            return web.Response(status=404)
        self._keep(self._run(function, str(body.get("input") or "{}")))
        return web.Response(status=202)

    async def _run(self, function: IndexedFunction, text: str) -> None:
        is_timer = function.trigger_type == "timerTrigger"
        datum = timer_datum() if is_timer else Datum(type="json", value=text)
        await self._invoker.invoke(function, datum)

    async def _warm_up(self) -> None:
        for function in self._hosted.of_type("warmupTrigger").values():
            await self._run(function, "{}")

    def _may_call(self, request: web.Request, auth_level: str) -> bool:
        if auth_level == "anonymous":
            return True
        if auth_level == "admin":
            return _holds(request, self._keys.master)
        return _holds(request, self._keys.function, self._keys.master)

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.critical("The host itself failed", exc_info=error)


def _holds(request: web.Request, wanted: str | None, *others: str | None) -> bool:
    """Whether the request carries one of the keys; a host without *wanted* asks for none."""
    if wanted is None:
        return True
    given = request.headers.get("x-functions-key") or request.query.get("code")
    return given in {key for key in (wanted, *others) if key is not None}
