"""Fixtures for the tests of the Functions host and of Event Grid.

Loaded through ``pytest_plugins``, so it holds nothing that a test imports.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from simulator.event_grid import Chaos, EventGrid
from simulator.functions_host import FunctionsHost
from simulator.functions_host.configuration import Keys
from tests.contract.event_grid_stage import Endpoint, NewGrid
from tests.contract.functions_host_stage import KEYS, NEVER, SAMPLE, StartHost


@pytest.fixture
async def start_host(tmp_path: Path) -> AsyncIterator[StartHost]:
    """Starts hosts and ends them after the test."""
    hosts: list[FunctionsHost] = []

    async def start(
        app_dir: Path = SAMPLE,
        *,
        schedule: str = NEVER,
        arguments: tuple[str, ...] = (),
        keys: Keys = KEYS,
    ) -> FunctionsHost:
        host = FunctionsHost(
            app_dir,
            log_path=tmp_path / f"host-{len(hosts)}.log",
            env={"TICK_SCHEDULE": schedule},
            keys=keys,
            arguments=arguments,
        )
        hosts.append(host)
        await host.start()
        return host

    yield start
    for host in hosts:
        host.kill()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """An HTTP client that leaves URLs alone."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    """A webhook that takes everything."""
    hook = Endpoint()
    await hook.start()
    yield hook
    await hook.aclose()


@pytest.fixture
async def new_grid() -> AsyncIterator[NewGrid]:
    """Makes topics that are ten thousand times as fast as the real one, and closes them."""
    grids: list[EventGrid] = []

    def make(
        chaos: Chaos | None = None, *, speed: float = 10_000, timeout_s: float = 5
    ) -> EventGrid:
        grids.append(EventGrid(speed=speed, timeout_s=timeout_s, chaos=chaos))
        return grids[-1]

    yield make
    for grid in grids:
        await grid.aclose()
