"""Auth against real HTTP: a key document from the web, a token from the platform's endpoint."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from azure.core.credentials import AccessToken

from shared.auth.credentials import TokenCache, build_credential
from shared.auth.fetch import fetch_json
from shared.clock import SystemClock
from shared.errors import UpstreamError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(handler: Handler) -> AsyncIterator[str]:
    """The address of a server that answers everything with *handler*."""
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_fetch_reads_a_document_of_any_content_type() -> None:
    """Issuers do not agree on the content type of their keys."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(text='{"keys": []}', content_type="text/plain")

    async with serve(answer) as url:
        assert await fetch_json(f"{url}/keys") == {"keys": []}


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, b"{}"),
        (404, b"{}"),
        (302, b"{}"),
        (204, b""),
        (200, b""),
        (200, b"<html>"),
        (200, b"[]"),
        (200, b"\xff\xff"),
        (200, b'{"keys": "' + b"k" * 1_000_001 + b'"}'),
    ],
    ids=["error", "missing", "redirect", "none", "empty", "html", "list", "bytes", "endless"],
)
async def test_fetch_refuses_anything_else(status: int, body: bytes) -> None:
    """What is not a key document must not be taken for one."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, body=body, headers={"Location": "/elsewhere"})

    async with serve(answer) as url:
        with pytest.raises(UpstreamError):
            await fetch_json(url)


async def test_fetch_reports_a_server_that_is_not_there() -> None:
    """Nobody listening is an outage like any other."""

    async def answer(_: web.Request) -> web.Response:
        return web.Response()

    async with serve(answer) as url:
        pass
    with pytest.raises(UpstreamError):
        await fetch_json(url)


async def test_fetch_can_be_given_up() -> None:
    """The caller's deadline is the only one there is."""
    is_asked, is_over = asyncio.Event(), asyncio.Event()

    async def answer(_: web.Request) -> web.Response:
        is_asked.set()
        await is_over.wait()
        return web.Response()

    async with serve(answer) as url:
        task = asyncio.create_task(fetch_json(url))
        await is_asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        is_over.set()


async def test_managed_identity_is_asked_for_the_scope(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real credential speaks to the endpoint the Functions platform provides."""
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append({**request.query, "secret": request.headers["X-IDENTITY-HEADER"]})
        expires_on = int(SystemClock().now().timestamp()) + 86_400
        body = {
            "access_token": "from the platform",
            "expires_on": str(expires_on),
            "resource": "https://redis.azure.com",
            "token_type": "Bearer",
        }
        return web.Response(text=json.dumps(body), content_type="application/json")

    async with serve(answer) as url:
        monkeypatch.setenv("IDENTITY_ENDPOINT", url)
        monkeypatch.setenv("IDENTITY_HEADER", "x")
        async with build_credential(client_id="our-identity", is_hosted=True) as credential:
            cache = TokenCache(credential, "https://redis.azure.com/.default", clock=SystemClock())
            assert await cache.get() == "from the platform"
            assert await cache.get() == "from the platform"
            assert isinstance(await credential.get_token("https://x/.default"), AccessToken)
    assert asked[0]["resource"] == "https://redis.azure.com"
    assert (asked[0]["client_id"], asked[0]["secret"]) == ("our-identity", "x")
