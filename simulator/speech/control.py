"""Switches over HTTP, for processes other than the one the stand-in lives in."""

from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Any

from aiohttp import web

from simulator.speech.faults import SERVICES, Fault
from simulator.speech.hearing import Heard
from simulator.speech.studio import Studio

Drop = Callable[..., Awaitable[int]]


def add_control(app: web.Application, studio: Studio, drop: Drop) -> None:
    """Add ``/_sim/…`` to the routes of *app*."""
    control = _Control(studio, drop)
    app.router.add_get("/_sim/faults", control.get_faults)
    app.router.add_put("/_sim/faults", control.put_faults)
    app.router.add_put("/_sim/transcripts", control.put_transcripts)
    app.router.add_get("/_sim/requests", control.get_requests)
    app.router.add_post("/_sim/drop", control.post_drop)


class _Control:
    def __init__(self, studio: Studio, drop: Drop) -> None:
        self._studio = studio
        self._drop = drop

    async def get_faults(self, _request: web.Request) -> web.Response:
        faults = [asdict(fault) for fault in self._studio.faults.waiting]
        return web.json_response({"faults": faults})

    async def put_faults(self, request: web.Request) -> web.Response:
        """Replace the queue of faults."""
        items = await _read_list(request, "faults")
        try:
            faults = [Fault.parse(item) for item in items]
        except (ValueError, TypeError) as err:
            raise web.HTTPBadRequest(text=str(err)) from err
        self._studio.faults.clear()
        self._studio.faults.add(faults)
        return web.Response(status=204)

    async def put_transcripts(self, request: web.Request) -> web.Response:
        """Replace the transcripts: objects with ``text`` and perhaps status and confidence."""
        items = await _read_list(request, "transcripts")
        try:
            heard = [Heard(**item) for item in items]
        except TypeError as err:
            raise web.HTTPBadRequest(text="a transcript has text, status, confidence") from err
        self._studio.transcripts.clear()
        self._studio.transcripts.extend(heard)
        return web.Response(status=204)

    async def get_requests(self, _request: web.Request) -> web.Response:
        requests = [
            {
                "service": exchange.service,
                "line": exchange.line_id,
                "text": exchange.text,
                "outcome": exchange.outcome,
            }
            for exchange in self._studio.exchanges
        ]
        return web.json_response({"requests": requests})

    async def post_drop(self, request: web.Request) -> web.Response:
        """Drop idle connections: perhaps with ``service``, ``code`` and ``is_reset``."""
        body = await _read_object(request)
        service, code = body.get("service"), body.get("code")
        if service not in {None, *SERVICES} or not isinstance(code, int | None):
            raise web.HTTPBadRequest(text="expected service, code and is_reset")
        is_reset = bool(body.get("is_reset"))
        return web.json_response(
            {"dropped": await self._drop(service, code=code, is_reset=is_reset)}
        )


async def _read_object(request: web.Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError as err:
        raise web.HTTPBadRequest(text="the body is not JSON") from err
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="expected an object")
    return body


async def _read_list(request: web.Request, name: str) -> list[dict[str, Any]]:
    items = (await _read_object(request)).get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise web.HTTPBadRequest(text=f"expected a list of objects in {name}")
    return items
