"""The topic: takes events, delivers them at least once, buries what cannot be delivered."""

import asyncio
import contextlib
import json
import random
import time
from collections.abc import Collection, Coroutine, Sequence
from dataclasses import dataclass

import aiohttp

from simulator.event_grid.delivery import (
    DEAD_LETTER_AFTER_S,
    Attempt,
    dead_letter_facts,
    final_reason,
    headers_for,
    outcome_of,
    wait_s,
)
from simulator.event_grid.subscriptions import Event, Kind, Schema, Subscription, now, shake_hands

_REQUIRED = ("id", "subject", "eventType", "eventTime", "data", "dataVersion")


@dataclass(slots=True)
class Chaos:
    """What may go wrong on the way; all off by default, may be changed at any time."""

    duplicates: int = 0
    """So many more deliveries of each event at the same time, with the same id."""
    delay_ms: tuple[float, float] = (0, 0)
    """Bounds of a delay before the first attempt; not scaled by the speed."""
    reorder: float = 0.0
    """Probability that an event waits until a later one has been delivered."""
    reorder_hold_ms: float = 1000
    """How long such an event waits at most, when no other one comes."""
    late_redeliveries: int = 0
    """So many more deliveries after a success, as when Event Grid missed the answer."""
    late_after_s: float = 10
    """How long after the success each of them follows; scaled by the speed."""


class EventGrid:
    """A topic and its subscriptions; lives in the caller's loop."""

    def __init__(
        self,
        *,
        speed: float = 1.0,
        timeout_s: float = 30.0,
        chaos: Chaos | None = None,
        seed: int = 0,
    ) -> None:
        """Describe the topic; nothing is connected.

        Args:
            speed: Waits between attempts, times to live and late redeliveries are divided by it.
            timeout_s: How long an endpoint may take to answer; not scaled.
            chaos: What goes wrong on the way.
            seed: Of the random numbers, so that a run can be repeated.
        """
        self.chaos = chaos or Chaos()
        self.attempts: list[Attempt] = []
        self.subscriptions: list[Subscription] = []
        self._speed = speed
        self._timeout_s = timeout_s
        # Chance for a test's sake, not for a secret's.
        self._random = random.Random(seed)
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: aiohttp.ClientSession | None = None
        self._is_closed = False

    async def subscribe(  # noqa: PLR0913 - one keyword for each property of a subscription
        self,
        endpoint: str,
        *,
        name: str = "incoming-call",
        kind: Kind = "webhook",
        schema: Schema = "eventgrid",
        filter_types: Collection[str] = (),
        max_attempts: int = 30,
        ttl_s: float = 86400.0,
        dead_letters: list[Event] | None = None,
    ) -> Subscription:
        """Do the handshake with *endpoint* and deliver what is published from now on.

        Raises:
            HandshakeError: The endpoint did not answer as the schema asks; nothing is subscribed.
        """
        subscription = Subscription(
            name=name,
            endpoint=endpoint,
            kind=kind,
            schema=schema,
            filter_types=frozenset(filter_types),
            max_attempts=max_attempts,
            ttl_s=ttl_s,
            dead_letters=dead_letters,
        )
        await shake_hands(self._http(), subscription, self._timeout_s)
        self.subscriptions.append(subscription)
        return subscription

    async def publish(self, events: Sequence[Event]) -> None:
        """Accept events in the Event Grid schema; they are delivered after this returns.

        Raises:
            ValueError: An event lacks a field; none of them is accepted then.
            RuntimeError: `aclose` was called.
        """
        if self._is_closed:
            raise RuntimeError("Event Grid is closed")
        for event in events:
            if missing := [name for name in _REQUIRED if name not in event]:
                raise ValueError(f"an event lacks {', '.join(missing)}")
        for event in events:
            for subscription in self.subscriptions:
                if subscription.wants(event):
                    self._keep(self._deliver(subscription, dict(event)))

    async def idle(self, timeout_s: float = 30.0) -> None:
        """Wait until nothing is left to deliver, redeliver or bury.

        Raises:
            TimeoutError: Something still is.
        """
        async with asyncio.timeout(timeout_s):
            while self._tasks:
                await asyncio.wait(self._tasks)

    async def aclose(self) -> None:
        """Give up what is not delivered; nothing runs afterwards. May be called twice."""
        self._is_closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _deliver(self, subscription: Subscription, event: Event) -> None:
        published_at, published = now(), time.monotonic()
        await self._dawdle(subscription)
        for _ in range(self.chaos.duplicates):
            self._keep(self._attempt_only(subscription, event))
        count = 0
        while True:
            last_at = now()
            attempt = await self._attempt(subscription, event, count)
            count += 1
            if attempt.is_success:
                break
            pause_s = wait_s(count, attempt.status) * self._random.uniform(1.0, 1.1)
            age_s = (time.monotonic() - published) * self._speed
            reason = final_reason(subscription, attempt, age_s + pause_s)
            if reason is not None:
                facts = dead_letter_facts(reason, attempt, published_at, last_at)
                await self._bury(subscription, event, facts)
                return
            await asyncio.sleep(pause_s / self._speed)
        for _ in range(self.chaos.late_redeliveries):
            await asyncio.sleep(self.chaos.late_after_s / self._speed)
            await self._attempt(subscription, event, count)

    async def _dawdle(self, subscription: Subscription) -> None:
        """Be late, or let the next event of the subscription pass."""
        low, high = self.chaos.delay_ms
        if high > 0:
            await asyncio.sleep(self._random.uniform(low, high) / 1000)
        if subscription.held or self._random.random() >= self.chaos.reorder:
            return
        passed = asyncio.Event()
        subscription.held.append(passed)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.chaos.reorder_hold_ms / 1000):
                await passed.wait()
        if passed in subscription.held:
            subscription.held.remove(passed)

    async def _attempt_only(self, subscription: Subscription, event: Event) -> None:
        await self._attempt(subscription, event, 0)

    async def _attempt(self, subscription: Subscription, event: Event, count: int) -> Attempt:
        """POST one event; every way to fail becomes an `Attempt`."""
        status: int | None = None
        rendered = subscription.render(event)
        body = json.dumps([rendered] if subscription.schema == "eventgrid" else rendered).encode()
        headers = headers_for(subscription, event, count)
        try:
            async with asyncio.timeout(self._timeout_s):
                status = await self._post(subscription.endpoint, body, headers)
            outcome = outcome_of(status)
        except TimeoutError:
            outcome = "TimedOut"
        except aiohttp.ClientError:
            outcome = "SocketError"
        attempt = Attempt(subscription.name, str(event["id"]), count, status, outcome)
        self.attempts.append(attempt)
        for passed in subscription.held:
            passed.set()
        subscription.held.clear()
        return attempt

    async def _post(self, endpoint: str, body: bytes, headers: dict[str, str]) -> int:
        async with self._http().post(
            endpoint, data=body, headers=headers, allow_redirects=False
        ) as answer:
            return answer.status

    async def _bury(self, subscription: Subscription, event: Event, facts: Event) -> None:
        if subscription.dead_letters is None:
            return
        await asyncio.sleep(DEAD_LETTER_AFTER_S / self._speed)
        if subscription.schema == "cloudevents":
            facts = {name.lower(): value for name, value in facts.items()}
        subscription.dead_letters.append({**subscription.render(event), **facts})

    def _http(self) -> aiohttp.ClientSession:
        if self._is_closed:
            raise RuntimeError("Event Grid is closed")
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(force_close=True, limit=0),
                timeout=aiohttp.ClientTimeout(total=None),
            )
        return self._session

    def _keep(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
