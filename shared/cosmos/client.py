"""The SDK's client of Cosmos DB, made so that no write is repeated behind our back."""

import math

import aiohttp
from azure.core.credentials_async import AsyncTokenCredential
from azure.core.pipeline.transport import AioHttpTransport
from azure.cosmos.aio import CosmosClient

_CONNECT_S = 2.0
_RETRIES = 2
_BACKOFF_S = 0.05
_THROTTLE_RETRIES = 9
_KEEPALIVE_S = 60.0
_CONNECTIONS = 50


class ConnectionBrokenError(aiohttp.ClientResponseError):
    """The connection broke after a request was sent: nobody knows what became of it.

    The SDK takes `aiohttp.ClientError` for a request that was never sent, and sends it again; but
    not this kind of it.
    """


def connect_client(
    endpoint: str, credential: str | AsyncTokenCredential, *, timeout_s: float
) -> CosmosClient:
    """A client that has not sent anything yet, for the event loop that is running.

    It repeats what is throttled, as often as the service allows within the caller's deadline, and
    what was never sent; reads also when the connection breaks.

    Args:
        endpoint: Of the account; plain ``http`` works with a key only.
        credential: The account's key (base64), or a credential for Entra tokens.
        timeout_s: For one request. The SDK's own timeouts do not end every wait: callers need
            `asyncio.timeout` around each call.
    """
    return CosmosClient(
        endpoint,
        credential,
        transport=AioHttpTransport(session=_one_shot_session()),
        connection_timeout=min(_CONNECT_S, timeout_s),
        read_timeout=timeout_s,
        retry_total=_RETRIES,
        retry_backoff_factor=_BACKOFF_S,
        retry_throttle_total=_THROTTLE_RETRIES,
        retry_throttle_backoff_max=math.ceil(timeout_s),
    )


def _one_shot_session() -> aiohttp.ClientSession:
    """Sends every write once.

    aiohttp sends a PUT or DELETE again when a kept connection breaks, and the SDK sends anything
    again then. A write that was done already would lose the race against itself, and its caller
    would do it once more.
    """
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=_CONNECTIONS, keepalive_timeout=_KEEPALIVE_S),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=True,
        middlewares=(_sent_once,),
    )


async def _sent_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    try:
        response = await handler(request)
        await response.read()  # kept; later, its failure would be beyond our reach
    except aiohttp.ClientConnectorError:
        raise  # never sent
    except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as err:
        raise ConnectionBrokenError(request.request_info, ()) from err
    return response
