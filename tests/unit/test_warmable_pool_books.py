"""A thousand leases under every misfortune at once, and the books still balance."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import PoolExhaustedError, UpstreamError
from shared.pools.failures import ForeignResourceError, PoolClosedError
from tests.unit.pool_fakes import (
    COLD,
    DEDICATED,
    FakeClient,
    Pool,
    in_virtual_time,
    make_pool,
    metric,
)

LEASES = 1000
PERIOD_S = 20.0
EXPECTED = (PoolExhaustedError, PoolClosedError, UpstreamError, ConnectionError)


class Misfortune:
    """A factory, its warm-up and its clients, each of which may fail, dawdle or hang."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.made: list[FakeClient] = []
        self.connecting = 0

    async def build(self) -> FakeClient:
        """A client, late; or an error; or nothing at all."""
        self.connecting += 1
        try:
            chance = self.rng.random()
            if chance < 0.03:
                await asyncio.sleep(3600)
            if chance < 0.8:
                await asyncio.sleep(self.rng.uniform(0, 0.2))
            if chance < 0.15:
                raise ConnectionError("refused")
        finally:
            self.connecting -= 1
        client = FakeClient(len(self.made))
        client.clearing_fails = self.rng.random() < 0.03
        client.close_takes_s = self.rng.choice([0.0, 0.0, 0.1, 3600.0])
        self.made.append(client)
        return client

    async def warm(self, _: FakeClient) -> bool:
        """Sometimes slow, sometimes a refusal, sometimes an error."""
        chance = self.rng.random()
        await asyncio.sleep(self.rng.choice([0.0, 0.05, 3600.0 if chance < 0.05 else 0.0]))
        if chance > 0.98:
            raise ConnectionError("refused")
        return chance > 0.05

    async def break_clients(self) -> None:
        """Now and then a connection drops, whether it is used or not."""
        while True:
            await asyncio.sleep(self.rng.uniform(0, 0.2))
            if self.made:
                self.rng.choice(self.made[-8:]).is_ready = False


class Walk:
    """Callers at random times, and what each of them saw."""

    def __init__(self, seed: int) -> None:
        rng = self.rng = random.Random(seed)
        self.world = Misfortune(rng)
        self.max_size = rng.randint(2, 10)
        self.pool: Pool = make_pool(
            self.world.build,
            warm_fn=self.world.warm,
            warm_pool_size=rng.randint(0, 2),
            enable_background_warmup=rng.random() < 0.5,
            warmup_interval_sec=0.5,
            session_awareness=rng.random() < 0.7,
            session_max_age_sec=1.0,
            max_size=self.max_size,
            max_waiters=rng.randint(1, 40),
            build_concurrency=rng.randint(1, 5),
            build_timeout_sec=0.4,
            max_lifetime_sec=rng.choice([3.0, float("inf")]),
            max_idle_sec=1.0,
            close_timeout_sec=0.3,
            rng=rng,
        )
        self.seen: Counter[str] = Counter()
        self.shutdowns = 0
        self.users: dict[int, str] = {}
        self.using: Counter[int] = Counter()
        self.holders: Counter[str] = Counter()

    @asynccontextmanager
    async def counted(self) -> AsyncIterator[None]:
        """Note how one call for a resource ends."""
        try:
            yield
        except asyncio.CancelledError:
            self.seen["cancelled"] += 1
            raise
        except EXPECTED:
            self.seen["failed"] += 1
            raise
        self.seen["served"] += 1

    async def use(self, client: FakeClient, tier: str, user: str) -> None:
        """Work with the client for a while, and see that nobody else does."""
        assert client.is_ready
        assert not client.closed
        # Cold is new, but for others of the session who waited with them; dedicated was theirs.
        assert tier != COLD or set(client.users) <= {user}
        assert tier != DEDICATED or client.users[-1:] in ([], [user])
        assert self.users.setdefault(client.number, user) == user
        self.using[client.number] += 1
        client.users.append(user)
        shutdowns = self.shutdowns
        try:
            await asyncio.sleep(self.rng.choice([0.0, self.rng.uniform(0, 0.3)]))
            # A session that asks again is given another for a broken one; else nothing is closed
            # while it is used, but by a shutdown.
            may_be_closed = self.shutdowns > shutdowns or (not client.is_ready and tier)
            assert not client.closed or may_be_closed
        finally:
            self.using[client.number] -= 1
            if not self.using[client.number]:
                del self.users[client.number]

    async def caller(self, number: int) -> None:
        """One caller, by one of the doors."""
        rng, pool = self.rng, self.pool
        await asyncio.sleep(rng.uniform(0, PERIOD_S))
        timeout = rng.choice([0.0, 0.1, rng.uniform(0, 0.6)])
        is_anonymous = rng.random() < 0.4 or not pool.session_awareness_enabled
        session = None if is_anonymous else f"session-{rng.randint(0, 8)}"
        user = session or f"caller-{number}"
        shutdowns = self.shutdowns
        if rng.random() < 0.4:
            self.cancel_soon()
        with suppress(*EXPECTED):
            if session is None and rng.random() < 0.5:
                async with self.counted():
                    client = await pool.acquire(timeout)
                try:
                    await self.use(client, "", user)
                finally:
                    with suppress(*([ForeignResourceError] if self.shutdowns > shutdowns else [])):
                        await pool.release(client)
            elif session is not None and rng.random() < 0.3:
                await self.hold(session, timeout)
            else:
                lease = pool.lease(session_id=session, timeout=timeout)
                async with self.counted():
                    client, tier = await lease.__aenter__()
                try:
                    await self.use(client, tier, user)
                finally:
                    await lease.__aexit__(None, None, None)

    def cancel_soon(self) -> None:
        """Cancel the running caller some turns of the loop, or some time, from now."""
        task = asyncio.current_task()
        assert task is not None
        loop = asyncio.get_running_loop()
        if self.rng.random() < 0.5:
            loop.call_later(self.rng.uniform(0, 0.4), task.cancel)
            return

        def countdown(turns: int) -> None:
            if turns:
                loop.call_soon(countdown, turns - 1)
            else:
                task.cancel()

        countdown(self.rng.randint(1, 8))

    async def hold(self, session: str, timeout_s: float) -> None:
        """A caller that says when the session ends. Its name is its own: no other ends it."""
        async with self.counted():
            client, tier = await self.pool.acquire_for_session(session + "-held", timeout_s)
        self.holders[session] += 1
        try:
            await self.use(client, tier, session + "-held")
        finally:
            self.holders[session] -= 1
            if not self.holders[session]:
                await self.pool.release_for_session(session + "-held")

    async def watch(self) -> None:
        """The maximum holds at every moment, and nothing is in two places."""
        while True:
            await asyncio.sleep(0.01)
            now = self.pool.snapshot()
            assert self.world.connecting + now["alive"] <= self.max_size
            assert now["idle"] + now["leased"] + now["parked"] <= now["alive"]

    async def restart(self) -> None:
        """The pool is shut down and prepared again in between."""
        for _ in range(3):
            await asyncio.sleep(self.rng.uniform(0, PERIOD_S / 3))
            self.shutdowns += 1
            await self.pool.shutdown(self.rng.choice([0.0, 0.1]))
            await asyncio.sleep(0.1)
            await self.pool.prepare(timeout=0.3)

    async def run(self) -> None:
        """All of it at once."""
        await self.pool.prepare(timeout=0.3)
        crew = [self.world.break_clients(), self.watch(), self.restart()]
        background = [asyncio.create_task(work) for work in crew]
        callers = [asyncio.create_task(self.caller(number)) for number in range(LEASES)]
        done, _ = await asyncio.wait(callers)
        for task in background:
            task.cancel()
        outcomes = await asyncio.gather(*background, *done, return_exceptions=True)
        crashes = [one for one in outcomes if isinstance(one, Exception)]
        if crashes:
            raise crashes[0]
        self.shutdowns += 1
        await self.pool.shutdown(0.1)

    def check(self) -> None:
        """The books agree with what was seen, and nothing is left."""
        pool, made = self.pool, self.world.made
        assert [client.closed for client in made] == [1] * len(made)
        assert metric(pool, "built_total") == metric(pool, "closed_total") == len(made)
        assert metric(pool, "allocations_total") == self.seen["served"]
        assert metric(pool, "failures_total") == self.seen["failed"]
        assert metric(pool, "cancelled_total") == self.seen["cancelled"]
        gauges = ("alive", "idle", "leased", "parked", "building", "waiters", "active_sessions")
        assert [pool.snapshot()[name] for name in gauges] == [0] * len(gauges)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_books_balance_whatever_happens(seed: int) -> None:
    """Through failures, cancellations, timeouts and restarts no resource is lost or lent twice."""

    @in_virtual_time
    async def walk() -> None:
        walk = Walk(seed)
        await walk.run()
        walk.check()
        assert walk.seen["served"] > 0

    walk()
