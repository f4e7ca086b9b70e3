"""What the endpoints share: reading requests, answering errors, carrying out faults."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

from simulator.model.faults import Fault
from simulator.model.wire import ApiError, filtered, invalid


@web.middleware
async def answer_errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Answer every refusal in OpenAI's shape."""
    try:
        return await handler(request)
    except ApiError as err:
        return web.json_response(err.body, status=err.status, headers=err.headers)
    except web.HTTPException as err:
        error = ApiError(err.status, str(err.status), err.reason)
        return web.json_response(error.body, status=err.status)


async def read_json(request: web.Request) -> object:
    """The body.

    Raises:
        ApiError: It is no JSON.
    """
    try:
        body: object = await request.json()
    except ValueError as err:
        raise invalid("We could not parse the JSON body of your request.") from err
    return body


async def read_faults(request: web.Request) -> list[Fault]:
    """The faults to inject.

    Raises:
        ApiError: The body is not ``{"faults": [{"kind": …}, …]}``.
    """
    body = await read_json(request)
    if not isinstance(body, dict) or not isinstance(body.get("faults"), list):
        raise invalid("Expected an object with a list of faults.")
    if not all(isinstance(fault, dict) for fault in body["faults"]):
        raise invalid("A fault is an object.")
    try:
        return [Fault.parse(fault) for fault in body["faults"]]
    except ValueError as err:
        raise invalid(str(err)) from err


async def refuse(request: web.Request, fault: Fault) -> None:
    """Carry out the faults that leave no reply at all."""
    if fault.kind == "throttle":
        headers = {}
        if fault.retry_after_ms is not None:
            headers["retry-after-ms"] = str(fault.retry_after_ms)
            headers["retry-after"] = str(-(-fault.retry_after_ms // 1000))
        raise ApiError(429, "429", "Requests have exceeded the rate limit.", headers)
    if fault.kind == "error":
        raise ApiError(fault.status, "server_error", "The server had an error.")
    if fault.kind == "filter_request":
        raise filtered()
    if fault.after_tokens is None:
        await break_off(request, fault)


async def break_off(request: web.Request, fault: Fault) -> None:
    """Cut the connection or never go on, if that is the fault."""
    if fault.kind == "cut" and request.transport is not None:
        request.transport.abort()
    if fault.kind in {"cut", "hang"}:
        await asyncio.Event().wait()  # ends when the connection does: the handler is cancelled
