"""The webhook that the Event Grid extension adds to every Functions host."""

import asyncio
import json
from collections.abc import Mapping

from aiohttp import web
from azure.functions.meta import Datum

from simulator.functions_host.indexing import IndexedFunction
from simulator.functions_host.invocation import Invoker, Outcome


async def handle(
    request: web.Request, functions: Mapping[str, IndexedFunction], invoker: Invoker
) -> web.Response:
    """Answer Event Grid: the handshakes, or 202 once every event of the body was processed.

    One execution that fails makes the answer 500, and Event Grid sends the whole body again.
    """
    name = request.query.get("functionName", "")
    function = functions.get(name)
    if function is None:
        return web.Response(status=404, text=f"cannot find function: '{name}'")
    if request.method == "OPTIONS":
        return _allow_origin(request)
    match request.headers.get("aeg-event-type", "").lower():
        case "unsubscribe":
            return web.Response(status=202)
        case "subscriptionvalidation":
            return _validate(await request.read())
        case "notification":
            return await _notify(await request.read(), function, invoker)
    return web.Response(status=400)


async def _notify(body: bytes, function: IndexedFunction, invoker: Invoker) -> web.Response:
    events = _events(body)
    if events is None:
        return web.Response(status=400)
    executions = await asyncio.gather(
        *(invoker.invoke(function, Datum(type="json", value=json.dumps(e))) for e in events)
    )
    for execution in executions:
        if execution.outcome is not Outcome.SUCCEEDED:
            return web.Response(status=500, text=execution.message)
    return web.Response(status=202)


def _allow_origin(request: web.Request) -> web.Response:
    origin = request.headers.get("WebHook-Request-Origin")
    if origin is None:
        return web.Response(status=400)
    return web.Response(headers={"WebHook-Allowed-Origin": origin})


def _validate(body: bytes) -> web.Response:
    events = _events(body)
    data = events[0].get("data") if events else None
    if not isinstance(data, dict) or "validationCode" not in data:
        return web.Response(status=400)
    return web.json_response({"validationResponse": data["validationCode"]})


def _events(body: bytes) -> list[dict[str, object]] | None:
    """The events of a body that is an array or one object; None if it is neither."""
    try:
        document = json.loads(body)
    except ValueError:
        return None
    events = document if isinstance(document, list) else [document]
    return events if all(isinstance(event, dict) for event in events) else None
