"""The HTTP server of the scripted model: routes, keys, faults, and a record of what was asked."""

import asyncio
import json
import logging
from collections import deque
from collections.abc import Collection
from dataclasses import asdict, dataclass, field
from typing import Any

from aiohttp import web

from simulator.model.conversation import read_conversation
from simulator.model.embeddings import EMBEDDING_MODEL, EmbeddingsEndpoint
from simulator.model.faults import Fault
from simulator.model.minilm import MiniLm
from simulator.model.mishaps import answer_errors, break_off, read_faults, read_json, refuse
from simulator.model.reply import WireReply, as_completion, as_frames, build_reply
from simulator.model.script import Script, ScriptError, Timing
from simulator.model.wire import ApiError, check_request, invalid

logger = logging.getLogger(__name__)

_MAX_BODY_BYTES = 16 * 1024 * 1024
_SHUTDOWN_S = 0.2
"""How long `aclose` lets a request finish; a hanging one never would."""


@dataclass(slots=True)
class Exchange:
    """One request for a completion and what became of it."""

    body: dict[str, Any]
    outcome: str = "running"
    """``running``, ``finished``, ``refused`` (an error was answered) or ``aborted`` (the client
    left, or a fault cut the connection)."""
    usage: dict[str, Any] = field(default_factory=dict)
    """The token counts of the reply, whether or not it was asked for."""
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


class ScriptedModel:
    """Chat completions on ``/openai/v1``, answered by a script; and embeddings, see there.

    Lives in the event loop that starts it.
    """

    def __init__(
        self,
        script: Script,
        *,
        api_key: str,
        bearer_tokens: Collection[str] = (),
        deployments: Collection[str] = ("gpt-4o",),
        timing: Timing | None = None,
    ) -> None:
        """Set the server up; nothing listens yet.

        Args:
            script: What to answer.
            api_key: Accepted in ``api-key`` and as a bearer token, as Azure's v1 API does.
            bearer_tokens: Accepted as bearer tokens, for clients that log in with Entra.
            deployments: The models that exist.
            timing: How fast to answer where the script does not say.
        """
        self.script = script
        self.exchanges: list[Exchange] = []
        self._peers: set[object] = set()
        self._arrival = asyncio.Condition()
        self._api_key = api_key
        self._tokens = {api_key, *bearer_tokens}
        self._deployments = tuple(deployments)
        self._timing = timing or Timing()
        self._faults: deque[Fault] = deque()
        self.embeddings = EmbeddingsEndpoint(MiniLm.find(), authorize=self._authorize)
        self._runner: web.AppRunner | None = None
        self._base_url = ""

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:<port>/openai/v1/``, once started."""
        return self._base_url

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The bodies of all requests for a completion, oldest first."""
        return [exchange.body for exchange in self.exchanges]

    @property
    def connections_total(self) -> int:
        """How many connections have carried a request so far."""
        return len(self._peers)

    def inject(self, *faults: Fault) -> None:
        """Let the next requests go wrong, one fault each."""
        self._faults.extend(faults)

    async def wait_for_requests(self, count: int, *, timeout_s: float = 5.0) -> None:
        """Wait until *count* requests for a completion have come in."""
        async with asyncio.timeout(timeout_s), self._arrival:
            await self._arrival.wait_for(lambda: len(self.exchanges) >= count)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Begin to listen; port 0 takes a free one."""
        app = web.Application(client_max_size=_MAX_BODY_BYTES, middlewares=[answer_errors])
        app.router.add_post("/openai/v1/chat/completions", self._post_completion)
        self.embeddings.add_routes(app.router)
        app.router.add_get("/openai/v1/models", self._get_models)
        app.router.add_get("/_sim/faults", self._get_faults)
        app.router.add_put("/_sim/faults", self._put_faults)
        app.router.add_get("/_sim/requests", self._get_requests)
        # Without handler_cancellation a request outlives the client that has left.
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S, access_log=None
        )
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port).start()
        bound_port = runner.addresses[0][1]
        self._base_url = f"http://{host}:{bound_port}/openai/v1/"

    async def aclose(self) -> None:
        """Stop listening and drop what is still running; a second call does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()
        self.embeddings.close()

    async def _post_completion(self, request: web.Request) -> web.StreamResponse:
        self._authorize(request)
        body = await read_json(request)
        if not isinstance(body, dict):
            raise invalid("The body is not a JSON object.")
        exchange = Exchange(body)
        async with self._arrival:
            self.exchanges.append(exchange)
            self._arrival.notify_all()
        try:
            check_request(body, self._deployments)
            response = await self._answer(request, exchange)
        except ApiError:
            exchange.end("refused")
            raise
        except (asyncio.CancelledError, ConnectionError):
            exchange.end("aborted")
            raise
        exchange.end("finished")
        return response

    async def _answer(self, request: web.Request, exchange: Exchange) -> web.StreamResponse:
        body = exchange.body
        fault = self._faults.popleft() if self._faults else None
        if fault is not None:
            await refuse(request, fault)
        try:
            reply = self.script.answer(read_conversation(body))
        except ScriptError as err:
            logger.warning("script failed", extra={"reason": str(err)})
            raise ApiError(500, "script_error", f"The script failed at {err}") from err
        wire = build_reply(reply, body, self._timing, fault)
        exchange.usage = wire.usage
        if body.get("stream"):
            return await _send_stream(request, wire, fault)
        return await _send_whole(wire, fault)

    def _authorize(self, request: web.Request) -> None:
        if request.transport is not None:
            self._peers.add(request.transport.get_extra_info("peername"))
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        has_token = scheme.lower() == "bearer" and token in self._tokens
        if not has_token and request.headers.get("api-key") != self._api_key:
            raise ApiError(401, "401", "Access denied: wrong key or token.")

    async def _get_models(self, request: web.Request) -> web.StreamResponse:
        self._authorize(request)
        models = [
            {"id": name, "object": "model", "created": 0, "owned_by": "simulator"}
            for name in (*self._deployments, EMBEDDING_MODEL)
        ]
        return web.json_response({"object": "list", "data": models})

    async def _get_faults(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"faults": [asdict(fault) for fault in self._faults]})

    async def _put_faults(self, request: web.Request) -> web.StreamResponse:
        """Replace the queue of faults."""
        self._faults = deque(await read_faults(request))
        return web.Response(status=204)

    async def _get_requests(self, _request: web.Request) -> web.StreamResponse:
        return web.json_response({"requests": self.requests})


async def _send_whole(wire: WireReply, fault: Fault | None) -> web.StreamResponse:
    await asyncio.sleep(wire.duration_ms / 1000)
    text = json.dumps(as_completion(wire))
    if fault is not None and fault.kind == "malformed":
        text = text[: len(text) // 2]
    return web.Response(text=text, content_type="application/json")


async def _send_stream(
    request: web.Request, wire: WireReply, fault: Fault | None
) -> web.StreamResponse:
    limit = _tokens_until(fault)
    await asyncio.sleep(wire.first_token_ms / 1000)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    sent = 0
    for frame in as_frames(wire):
        if fault is not None and limit is not None and (sent >= limit or frame.is_end):
            await break_off(request, fault)
            await response.write(f"data: {fault.data}\n\n".encode())
            break
        if frame.is_token:
            sent += 1
            await asyncio.sleep(wire.ms_per_token / 1000)
        await response.write(f"data: {json.dumps(frame.data)}\n\n".encode())
    await response.write(b"data: [DONE]\n\n")
    await response.write_eof()
    return response


def _tokens_until(fault: Fault | None) -> int | None:
    """After how many tokens the stream goes wrong; None: never."""
    if fault is None or fault.kind not in {"cut", "hang", "malformed"}:
        return None
    return 1 if fault.after_tokens is None else fault.after_tokens
