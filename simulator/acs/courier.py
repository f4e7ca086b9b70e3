"""Delivery of callbacks to the app, as unreliable as the chaos wants it."""

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass, field
from uuid import uuid4

import aiohttp

from simulator.acs.callbacks import call_event
from simulator.acs.calls import SimCall
from simulator.acs.chaos import Chaos
from simulator.acs.errors import Json
from simulator.acs.media import Origin
from simulator.acs.results import OK, Result
from simulator.acs.tasks import TaskSet
from simulator.acs.tokens import TokenIssuer

logger = logging.getLogger(__name__)

_TIMEOUT_S = 5.0
_RETRY_WAIT_S = 0.2
_GATHER_S = 0.05
_HOLD_S = 0.5


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt to hand events to the app; *status* is None where no answer came."""

    event_ids: tuple[str, ...]
    event_types: tuple[str, ...]
    status: int | None


@dataclass(slots=True)
class _Line:
    """What waits to be sent to one address about one call."""

    gathered: list[Json] = field(default_factory=list)
    held: list[Json] | None = None


class Courier:
    """Turns what happens on calls into signed POSTs. Deliveries run concurrently."""

    def __init__(self, *, chaos: Chaos, tokens: TokenIssuer, tasks: TaskSet) -> None:
        self.deliveries: list[Delivery] = []
        self.events: list[Json] = []
        self.session: aiohttp.ClientSession | None = None
        self._chaos = chaos
        self._tokens = tokens
        self._tasks = tasks
        self._lines: defaultdict[tuple[str, str], _Line] = defaultdict(_Line)

    def emit(
        self, call: SimCall, name: str, result: Result, origin: Origin, extra: Json | None = None
    ) -> None:
        """Something happened on *call*: tell the app, sooner or later or never."""
        self.send(call, call_event(call, name, result, origin, extra), origin.callback_uri)

    def send(self, call: SimCall, event: Json, callback_uri: str | None = None) -> None:
        """Tell the app of *event*, at an address of its own or at that of the call."""
        if self._chaos.extra_fields:
            event["data"]["undocumentedField"] = {"nested": [1, None]}
            event["undocumentedattribute"] = "x"
        self.events.append(event)
        if self._chaos.drops(event["type"].rpartition(".")[2]):
            return
        uri = callback_uri or call.callback_uri
        if self._chaos.chance(self._chaos.unknown_events):
            self._gather(call, uri, call_event(call, "CallPhaseShifted", OK, Origin()))
        self._gather(call, uri, event)

    def _gather(self, call: SimCall, uri: str, event: Json) -> None:
        key = (call.call_connection_id, uri)
        line = self._lines[key]
        line.gathered.append(event)
        if len(line.gathered) >= self._chaos.events_per_post:
            self._dispatch(key)
        else:
            self._tasks.spawn(self._dispatch_after(key, _GATHER_S))

    async def _dispatch_after(self, key: tuple[str, str], seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._dispatch(key)

    def _dispatch(self, key: tuple[str, str]) -> None:
        """Send what was gathered, or hold it back until something overtakes it."""
        line = self._lines[key]
        events, line.gathered = line.gathered, []
        if not events:
            return
        if line.held is None and self._chaos.chance(self._chaos.reorder):
            line.held = events
            self._tasks.spawn(self._release_after(key, events))
        else:
            self._tasks.spawn(self._deliver_and_release(key, events))

    async def _release_after(self, key: tuple[str, str], events: list[Json]) -> None:
        await asyncio.sleep(_HOLD_S)
        line = self._lines[key]
        if line.held is events:
            line.held = None
            await self._deliver(key[1], events)

    async def _deliver_and_release(self, key: tuple[str, str], events: list[Json]) -> None:
        await self._deliver(key[1], events)
        line = self._lines[key]
        held, line.held = line.held, None
        if held is not None:
            await self._deliver(key[1], held)

    async def _deliver(self, uri: str, events: list[Json]) -> None:
        copies = 1
        if self._chaos.chance(self._chaos.duplicate):
            copies += self._chaos.duplicate_copies
        await asyncio.gather(*(self._deliver_once(uri, events) for _ in range(copies)))

    async def _deliver_once(self, uri: str, events: list[Json]) -> None:
        await asyncio.sleep(self._chaos.delay_s(events[0]["type"].rpartition(".")[2]))
        for attempt in range(1 + self._chaos.retries):
            if attempt:
                await asyncio.sleep(_RETRY_WAIT_S)
            status = await self._post(uri, events)
            self.deliveries.append(
                Delivery(
                    tuple(event["id"] for event in events),
                    tuple(event["type"] for event in events),
                    status,
                )
            )
            if status is not None and status < 500:
                break

    async def _post(self, uri: str, events: list[Json]) -> int | None:
        """One attempt; None where no answer came in time."""
        assert self.session is not None
        call_id = events[0]["data"]["callConnectionId"]
        try:
            async with self.session.post(
                uri,
                json=events,
                headers={
                    "Authorization": f"Bearer {await self._tokens.token()}",
                    "x-ms-call-connection-id": call_id,
                    "x-ms-client-request-id": str(uuid4()),
                },
                timeout=aiohttp.ClientTimeout(total=_TIMEOUT_S),
            ) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError):
            logger.info("callback was not accepted", extra={"call_connection_id": call_id})
            return None
