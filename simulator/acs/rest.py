"""The REST face of the service: who asks, what for, once or again."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from uuid import uuid4

from aiohttp import web

from simulator.acs import signing
from simulator.acs.chaos import Chaos, RestFault
from simulator.acs.errors import Json, Reply, ServiceError, invalid, unknown_resource
from simulator.acs.operations import CallOperations, Handler, MediaOperations
from simulator.acs.party_operations import PartyOperations
from simulator.acs.recording_operations import RecordingOperations
from simulator.acs.routes import API_VERSIONS, REPEATABLE, RestRequest, Route, find_route
from simulator.acs.switchboard import Switchboard


@dataclass(frozen=True, slots=True)
class RecordedRequest:
    """What the app asked for. *status* is what it was told; None: the connection was dropped."""

    operation: str
    call_connection_id: str | None
    operation_context: str | None
    body: Json
    status: int | None
    request_id: str | None = None
    """``Repeatability-Request-ID``."""
    is_replay: bool = False
    """The answer was given from memory; nothing happened again."""


@dataclass(slots=True)
class _Exchange:
    """One request on its way through."""

    route: Route | None
    body: Json
    request_id: str | None
    reply: Reply
    is_replay: bool = False
    is_dropped: bool = False


class RestFace:
    """Answers the requests of the SDK, and remembers them."""

    def __init__(self, board: Switchboard, *, access_key: str, chaos: Chaos) -> None:
        self.requests: list[RecordedRequest] = []
        self._board = board
        self._access_key = access_key
        self._chaos = chaos
        self._replies: dict[tuple[Route, str], Reply] = {}
        self._handlers: dict[str, Handler] = {
            **CallOperations(board).handlers,
            **MediaOperations(board).handlers,
            **PartyOperations(board).handlers,
            **RecordingOperations(board).handlers,
        }

    async def handle(self, request: web.Request) -> web.Response:
        """Answer one request; a dropped connection gets no answer."""
        data = await request.read()
        exchange = _Exchange(
            route=find_route(request.method, request.raw_path.partition("?")[0]),
            body={},
            request_id=request.headers.get("Repeatability-Request-ID"),
            reply=Reply(500),
        )
        try:
            self._admit(request, data, exchange)
            self._carry_out(exchange, request.query.get("api-version", ""))
        except ServiceError as refusal:
            exchange.reply = refusal.reply
        self._record(exchange)
        if self._chaos.late_rest_ms:
            await asyncio.sleep(self._chaos.late_rest_ms / 1000)
        if exchange.is_dropped and request.transport is not None:
            request.transport.abort()
        return self._respond(exchange, request.headers)

    def _admit(self, request: web.Request, data: bytes, exchange: _Exchange) -> None:
        """Refuse what the service does not even look at."""
        signing.verify(
            self._access_key,
            method=request.method,
            path=request.raw_path,
            headers=request.headers,
            body=data,
        )
        if request.query.get("api-version") not in API_VERSIONS or exchange.route is None:
            raise unknown_resource(str(request.url))
        try:
            body = json.loads(data) if data else {}
        except ValueError as err:
            raise invalid("The request body is not valid JSON.") from err
        if not isinstance(body, dict):
            raise invalid("The request body must be an object.")
        exchange.body = body

    def _carry_out(self, exchange: _Exchange, api_version: str) -> None:
        """Do it, answer from memory, or fail as the chaos wants it."""
        assert exchange.route is not None
        fault = self._chaos.take_fault(exchange.route.operation)
        if fault is None or fault.after_effect:
            self._perform(exchange, api_version)
        if fault is not None:
            exchange.is_dropped = fault.status is None
            exchange.reply = _faulty(fault)

    def _perform(self, exchange: _Exchange, api_version: str) -> None:
        route = exchange.route
        assert route is not None
        key = (route, exchange.request_id or "")
        if exchange.request_id and (stored := self._replies.get(key)):
            exchange.reply, exchange.is_replay = self._refreshed(stored), True
            return
        handler = self._handlers[route.operation]
        exchange.reply = handler(RestRequest(route, exchange.body, api_version))
        if exchange.request_id and route.operation in REPEATABLE:
            self._replies[key] = exchange.reply

    def _refreshed(self, reply: Reply) -> Reply:
        """A replayed call shows the state it is in by now."""
        call_id = (reply.body or {}).get("callConnectionId")
        call = self._board.calls.get(str(call_id))
        return Reply(reply.status, call.properties()) if call else reply

    def _record(self, exchange: _Exchange) -> None:
        context = exchange.body.get("operationContext")
        self.requests.append(
            RecordedRequest(
                operation=exchange.route.operation if exchange.route else "unknown",
                call_connection_id=self._call_id(exchange),
                operation_context=context if isinstance(context, str) else None,
                body=exchange.body,
                status=None if exchange.is_dropped else exchange.reply.status,
                request_id=exchange.request_id,
                is_replay=exchange.is_replay,
            )
        )

    def _call_id(self, exchange: _Exchange) -> str | None:
        if exchange.route is not None and exchange.route.call_connection_id is not None:
            return exchange.route.call_connection_id
        made = (exchange.reply.body or {}).get("callConnectionId")
        return str(made) if made else None

    def _respond(self, exchange: _Exchange, asked: Mapping[str, str]) -> web.Response:
        call = self._board.calls.get(self._call_id(exchange) or "")
        headers = {
            "X-Microsoft-Skype-Chain-ID": call.correlation_id if call else str(uuid4()),
            "X-Cache": "CONFIG_NOCACHE",
            **exchange.reply.headers,
        }
        if request_id := asked.get("x-ms-client-request-id"):
            headers["x-ms-client-request-id"] = request_id
        operation = exchange.route.operation if exchange.route else ""
        if exchange.request_id and operation in REPEATABLE and exchange.reply.status < 300:
            headers["Repeatability-Result"] = "accepted"
        if exchange.reply.body is None:
            return web.Response(status=exchange.reply.status, headers=headers)
        return web.json_response(exchange.reply.body, status=exchange.reply.status, headers=headers)


def _faulty(fault: RestFault) -> Reply:
    """The answer of a fault; it is never sent where the connection is dropped."""
    status = fault.status or 500
    if status == 429:
        reply = ServiceError(429, "8516", "Too many requests.").reply
    else:
        reply = ServiceError(status, "9999", "Unknown internal server error.").reply
    headers = {} if fault.retry_after is None else {"Retry-After": f"{fault.retry_after:g}"}
    return Reply(reply.status, reply.body, headers)
