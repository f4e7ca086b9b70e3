"""An endpoint, fast topics and events for the tests of Event Grid."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from simulator.event_grid import EventGrid

INCOMING = "Microsoft.Communication.IncomingCall"
NewGrid = Callable[..., EventGrid]


class Endpoint:
    """A webhook that answers handshakes, remembers deliveries and fails as told."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[tuple[dict[str, str], Any]] = []
        self.statuses: list[int] = []
        """Answers still to give; 200 once they are used up."""
        self.is_honest = True
        self.hold: asyncio.Event | None = None
        self.arrived = asyncio.Event()
        self._runner: web.AppRunner | None = None

    @property
    def ids(self) -> list[str]:
        """The ids of the events, in the order of arrival."""
        return [(body[0] if isinstance(body, list) else body)["id"] for _, body in self.requests]

    async def start(self) -> None:
        """Listen."""
        application = web.Application()
        application.router.add_route("*", "/hook", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/hook"

    async def aclose(self) -> None:
        """Refuse connections from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.Response:
        if request.method == "OPTIONS":
            origin = request.headers["WebHook-Request-Origin"] if self.is_honest else "other"
            return web.Response(headers={"WebHook-Allowed-Origin": origin})
        body = json.loads(await request.read())
        if request.headers["aeg-event-type"] == "SubscriptionValidation":
            code = body[0]["data"]["validationCode"] if self.is_honest else "other"
            return web.json_response({"validationResponse": code})
        self.requests.append((dict(request.headers), body))
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)


def event(event_id: str = "e1", event_type: str = INCOMING) -> dict[str, Any]:
    """An event as a source publishes it."""
    return {
        "id": event_id,
        "subject": "/phoneCall/caller/+15551230000/recipient/+15559990000",
        "data": {"correlationId": event_id},
        "eventType": event_type,
        "dataVersion": "1.0",
        "eventTime": "2026-11-22T07:32:00.3416931Z",
    }


async def publish(grid: EventGrid, events: Sequence[dict[str, Any]]) -> None:
    """Publish and wait until all is done."""
    await grid.publish(events)
    await grid.idle(10)
