"""The platform's front end: one address, several instances behind it."""

import itertools
import logging
import time
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web
from multidict import CIMultiDict
from yarl import URL

logger = logging.getLogger("front_door")

FRONT_END_TIMEOUT_S = 230.0
"""After this long the platform's load balancer gives up on a request."""

# Of one hop only, so they are not passed on. Content-Length is not among them: whether a length
# was announced is something that an instance notices.
_HOP_HEADERS = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)


class ConnectionBrokenError(aiohttp.ClientError):
    """The connection to an instance broke after it was made."""


class FrontDoor:
    """A reverse proxy on 127.0.0.1 that spreads requests over instances, one after the other.

    An instance that refuses the connection has seen nothing of the request: it is left out for a
    moment and the next one is asked. A connection that breaks later is answered 502 and the
    request is not sent again, since the instance may have acted on it: the caller retries.
    """

    def __init__(
        self,
        backends: list[str],
        *,
        retry_after_s: float = 0.5,
        timeout_s: float = FRONT_END_TIMEOUT_S,
    ) -> None:
        """Describe the door; nothing listens yet.

        Args:
            backends: Base URLs; the list is read at every request and may be changed.
            retry_after_s: How long an instance that refused is left out.
            timeout_s: How long one request may take; past it the answer is 504.
        """
        self.backends = backends
        self.requests_total = 0
        self._retry_after_s = retry_after_s
        self._timeout_s = timeout_s
        self._refused_until: dict[str, float] = {}
        self._turns = itertools.count()
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self._url: str | None = None

    @property
    def url(self) -> str:
        """``http://127.0.0.1:PORT``, without a slash at the end."""
        if self._url is None:
            raise RuntimeError("the front door has not been started")
        return self._url

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Listen; port 0 takes a free one."""
        # A connection per request: on a kept one a dead instance looks like a broken request.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            middlewares=(_sent_once,),
        )
        application = web.Application(client_max_size=210_000_000)
        application.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        address = self._runner.addresses[0]
        self._url = f"http://{address[0]}:{address[1]}"

    async def aclose(self) -> None:
        """Stop listening; requests under way have a second to end."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.requests_total += 1
        body = await request.read()
        for backend in self._order():
            try:
                return await self._forward(request, body, backend)
            except aiohttp.ClientConnectorError:
                self._refused_until[backend] = time.monotonic() + self._retry_after_s
            except TimeoutError:
                return web.Response(status=504)
            except aiohttp.ClientError as err:
                logger.warning("%s broke the connection: %s", backend, type(err).__name__)
                return web.Response(status=502)
        return web.Response(status=503)

    def _order(self) -> list[str]:
        """Whom to ask, in turn; those that refused a moment ago come last."""
        backends = list(self.backends)
        if not backends:
            return []
        first = next(self._turns) % len(backends)
        turned = backends[first:] + backends[:first]
        now = time.monotonic()
        return sorted(turned, key=lambda backend: self._refused_until.get(backend, 0.0) > now)

    async def _forward(self, request: web.Request, body: bytes, backend: str) -> web.Response:
        if self._session is None:
            raise aiohttp.ClientError("the front door is closed")
        async with self._session.request(
            request.method,
            URL(backend.rstrip("/") + request.raw_path, encoded=True),
            headers=_passed_on(request.headers),
            data=_same_framing(request, body),
            allow_redirects=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as answer:
            content = await answer.read()
            headers = _passed_on(answer.headers)
            headers.popall("Content-Length", None)
            return web.Response(status=answer.status, headers=headers, body=content)


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET again when its connection breaks."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as err:
        raise ConnectionBrokenError(str(err)) from err


def _passed_on(headers: "aiohttp.typedefs.LooseHeaders") -> CIMultiDict[str]:
    """The headers without those of one hop."""
    kept = CIMultiDict(headers)
    for name in _HOP_HEADERS:
        kept.popall(name, None)
    return kept


def _same_framing(request: web.Request, body: bytes) -> bytes | AsyncIterator[bytes] | None:
    """A chunked body stays chunked, for an instance treats it otherwise."""
    if request.content_length is not None:
        return body
    return _chunks(body) if request.body_exists else None


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body
