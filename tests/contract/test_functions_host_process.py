"""A host is a process: it drains, dies, comes back and says why it did not."""

import asyncio
import os
import signal
from pathlib import Path

import aiohttp
import pytest

from simulator.functions_host import FunctionsHost, HostDiedError
from tests.contract.functions_host_stage import (
    StartHost,
    app_in,
)

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)


async def test_sigterm_lets_running_executions_end(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """What runs may end for some seconds, nothing new begins, then the process is gone."""
    host = await start_host()
    waiting = asyncio.create_task(http.get(f"{host.url}/api/wait"))
    async with http.get(f"{host.url}/api/counts/waiting/1"):
        pass
    stopping = asyncio.create_task(host.stop())
    await refused(host)
    assert waiting.done() is False
    os.kill(host.pid, signal.SIGUSR1)
    assert (await waiting).status == 200
    await stopping
    assert host.exit_code == 143


async def test_sigterm_does_not_wait_longer_than_the_drain(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """An execution that hangs is cut off: no platform waits for ever."""
    host = await start_host(arguments=("--drain-s", "0.2"))
    waiting = asyncio.create_task(http.get(f"{host.url}/api/wait"))
    async with http.get(f"{host.url}/api/counts/waiting/1"):
        pass
    await host.stop()
    assert host.exit_code == 143
    with pytest.raises(aiohttp.ClientError):
        await waiting


async def test_sigkill_ends_the_host_at_once_and_it_starts_again(
    start_host: StartHost, http: aiohttp.ClientSession
) -> None:
    """The platform's way to end an instance: the caller sees the connection break."""
    host = await start_host()
    waiting = asyncio.create_task(http.get(f"{host.url}/api/wait"))
    async with http.get(f"{host.url}/api/counts/waiting/1"):
        pass
    first = host.pid
    host.kill()
    host.kill()
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert (host.is_running, host.exit_code) == (False, -9)
    await host.start()
    assert host.pid != first
    async with http.get(f"{host.url}/api/sync") as answer:
        assert answer.status == 200


async def test_start_reports_why_a_host_died(tmp_path: Path) -> None:
    """A port in use, a broken host.json: the reason is in the error, not in a file somewhere."""
    app = app_in(tmp_path / "app", "")
    (app / "host.json").write_text("not json", encoding="utf-8")
    host = FunctionsHost(app, log_path=tmp_path / "host.log")
    with pytest.raises(HostDiedError, match=r"host\.json cannot be read"):
        await host.start()
    assert host.is_running is False


async def test_start_that_is_cancelled_leaves_no_process(tmp_path: Path) -> None:
    """A test that times out must not leave a host behind."""
    app = app_in(tmp_path / "app", "import time\ntime.sleep(30)\n")
    host = FunctionsHost(app, log_path=tmp_path / "host.log")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await host.start()
    assert host.is_running is False
    with pytest.raises(HostDiedError, match="did not come up"):
        await host.start(timeout_s=0.5)
    assert host.is_running is False


async def test_much_output_does_not_block_the_host(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """Output goes to a file: a full pipe would have stopped the app here."""
    source = (
        "import azure.functions as func\nprint('x' * 1_000_000)\n"
        "app = func.FunctionApp(func.AuthLevel.ANONYMOUS)\n@app.route(route='x')\n"
        "async def x(req: func.HttpRequest) -> func.HttpResponse:\n"
        "    print('y' * 1_000_000)\n    return func.HttpResponse('done')\n"
    )
    host = await start_host(app_in(tmp_path / "app", source))
    async with http.get(f"{host.url}/api/x") as answer:
        assert await answer.text() == "done"
    assert len(host.output()) > 2_000_000


async def refused(host: FunctionsHost) -> None:
    """Wait until the host accepts no more connections."""
    async with asyncio.timeout(5), aiohttp.ClientSession() as session:
        while True:
            try:
                await session.get(f"{host.url}/admin/host/status")
            except aiohttp.ClientError:
                return
