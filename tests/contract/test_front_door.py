"""The front door spreads requests and tells a refusal from a broken request."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web

from simulator.front_door import FrontDoor

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Instance:
    """A backend that remembers what came and answers with its name."""

    def __init__(self, name: str, handler: Handler | None = None) -> None:
        self.name = name
        self.requests: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.url = ""
        self._handler = handler
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen."""
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"

    async def aclose(self) -> None:
        """Stop listening: connections are refused from now on."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        self.bodies.append(await request.read())
        if self._handler is not None:
            return await self._handler(request)
        return web.Response(text=self.name)


@pytest.fixture
async def instances() -> AsyncIterator[list[Instance]]:
    """Two instances that answer."""
    both = [Instance("one"), Instance("two")]
    for instance in both:
        await instance.start()
    yield both
    for instance in both:
        await instance.aclose()


@pytest.fixture
async def door(instances: list[Instance]) -> AsyncIterator[FrontDoor]:
    """A front door before the two."""
    front_door = FrontDoor([instance.url for instance in instances], retry_after_s=60)
    await front_door.start()
    yield front_door
    await front_door.aclose()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """The caller."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
        yield session


async def ask(http: aiohttp.ClientSession, door: FrontDoor) -> tuple[int, str]:
    """Send one POST and read the answer."""
    async with http.post(f"{door.url}/api/x", data=b"hello") as answer:
        return answer.status, await answer.text()


async def test_requests_go_to_the_instances_in_turn(
    door: FrontDoor, http: aiohttp.ClientSession
) -> None:
    """Two events of one call must meet different instances, or races stay unseen."""
    answers = [await ask(http, door) for _ in range(4)]
    assert answers == [(200, "one"), (200, "two"), (200, "one"), (200, "two")]


async def test_request_arrives_as_it_was_sent(
    door: FrontDoor, instances: list[Instance], http: aiohttp.ClientSession
) -> None:
    """Signatures cover path, query, host and body, so none of them may change."""
    headers = {"Host": "calls.example", "X-Sample": "yes", "Authorization": "Bearer t"}
    async with http.put(
        f"{door.url}/api/a%2Fb?x=%20&y=1", data=b"\x00body", headers=headers
    ) as answer:
        assert answer.status == 200
    seen = instances[0].requests[0]
    assert (seen.method, seen.raw_path) == ("PUT", "/api/a%2Fb?x=%20&y=1")
    assert seen.headers["Host"] == "calls.example"
    assert seen.headers["X-Sample"] == "yes"
    assert seen.headers["Authorization"] == "Bearer t"
    assert seen.headers["Content-Length"] == "5"
    assert instances[0].bodies == [b"\x00body"]


async def test_chunked_body_stays_chunked(
    door: FrontDoor, instances: list[Instance], http: aiohttp.ClientSession
) -> None:
    """The host loses such a body, and the door must not mend that."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b"a"
        yield b"b"

    async with http.post(f"{door.url}/x", data=chunks()):
        pass
    async with http.get(f"{door.url}/x"):
        pass
    assert instances[0].requests[0].content_length is None
    assert instances[0].bodies == [b"ab"]
    assert "Transfer-Encoding" not in instances[1].requests[0].headers


async def test_answer_comes_back_whole(http: aiohttp.ClientSession) -> None:
    """Status, repeated headers, redirects and compressed bytes are the instance's own."""

    async def redirect(_: web.Request) -> web.StreamResponse:
        response = web.Response(status=307, body=b"\x1f\x8bnot really gzip")
        response.headers.add("Set-Cookie", "a=1")
        response.headers.add("Set-Cookie", "b=2")
        response.headers["Location"] = "/elsewhere"
        response.headers["Content-Encoding"] = "gzip"
        return response

    instance = Instance("one", redirect)
    await instance.start()
    door = FrontDoor([instance.url])
    await door.start()
    try:
        async with aiohttp.ClientSession(auto_decompress=False) as session:  # noqa: SIM117
            async with session.get(f"{door.url}/x", allow_redirects=False) as answer:
                assert answer.status == 307
                assert answer.headers["Location"] == "/elsewhere"
                assert answer.headers.getall("Set-Cookie") == ["a=1", "b=2"]
                assert await answer.read() == b"\x1f\x8bnot really gzip"
    finally:
        await door.aclose()
        await instance.aclose()


async def test_refused_connection_goes_to_the_next_instance(
    door: FrontDoor, instances: list[Instance], http: aiohttp.ClientSession
) -> None:
    """A dead instance costs the caller nothing, as long as one is alive."""
    await instances[0].aclose()
    assert [await ask(http, door) for _ in range(3)] == [(200, "two")] * 3
    assert instances[1].bodies == [b"hello"] * 3


async def test_instance_that_came_back_is_used_again(
    instances: list[Instance], http: aiohttp.ClientSession
) -> None:
    """A restarted instance takes its share after the pause."""
    door = FrontDoor([instance.url for instance in instances], retry_after_s=0)
    await door.start()
    try:
        port = int(instances[0].url.rpartition(":")[2])
        await instances[0].aclose()
        assert await ask(http, door) == (200, "two")
        await instances[0].start(port)
        answers = {(await ask(http, door))[1] for _ in range(2)}
        assert answers == {"one", "two"}
    finally:
        await door.aclose()


async def test_no_instance_left_is_503(
    door: FrontDoor, instances: list[Instance], http: aiohttp.ClientSession
) -> None:
    """The caller is told to come again, both when all refuse and when there are none."""
    for instance in instances:
        await instance.aclose()
    assert (await ask(http, door))[0] == 503
    door.backends.clear()
    assert (await ask(http, door))[0] == 503


async def test_connection_that_breaks_is_502_and_not_repeated(
    http: aiohttp.ClientSession, instances: list[Instance]
) -> None:
    """The instance may have acted already: to send it again is for the caller to decide."""

    async def cut(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async def cut_in_the_body(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"half")
        assert request.transport is not None
        request.transport.close()
        return response

    for handler in (cut, cut_in_the_body):
        broken = Instance("broken", handler)
        await broken.start()
        door = FrontDoor([broken.url, instances[0].url])
        await door.start()
        try:
            async with http.get(f"{door.url}/x") as answer:
                assert answer.status == 502
            assert len(broken.requests) == 1
            assert instances[0].requests == []
        finally:
            await door.aclose()
            await broken.aclose()


async def test_instance_that_never_answers_is_504(http: aiohttp.ClientSession) -> None:
    """The load balancer's patience ends, whatever the instance does."""
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await release.wait()
        return web.Response()

    instance = Instance("slow", hang)
    await instance.start()
    door = FrontDoor([instance.url], timeout_s=0.2)
    await door.start()
    try:
        assert (await ask(http, door))[0] == 504
    finally:
        release.set()
        await door.aclose()
        await door.aclose()
        await instance.aclose()


async def test_caller_that_leaves_does_not_harm_the_door(
    http: aiohttp.ClientSession, instances: list[Instance]
) -> None:
    """A cancelled request is the caller's affair; the next one is served."""
    arrived, release = asyncio.Event(), asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        arrived.set()
        await release.wait()
        return web.Response()

    instance = Instance("holding", hold)
    await instance.start()
    door = FrontDoor([instance.url, instances[0].url])
    await door.start()
    try:
        request = asyncio.create_task(ask(http, door))
        await arrived.wait()
        request.cancel()
        await asyncio.gather(request, return_exceptions=True)
        release.set()
        assert await ask(http, door) == (200, "one")
    finally:
        await door.aclose()
        await instance.aclose()


async def test_url_before_start_is_refused() -> None:
    """An address that does not exist yet must not be handed out."""
    with pytest.raises(RuntimeError):
        _ = FrontDoor([]).url
