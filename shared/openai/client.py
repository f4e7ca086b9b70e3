"""The connection to Azure OpenAI's v1 API, the same for chat and for embeddings."""

from collections.abc import Awaitable, Callable

import httpx2
import openai

CONNECT_TIMEOUT_S = 2.0
KEEPALIVE_S = 120.0
"""The SDK's own 5 s would cost a TLS handshake in nearly every turn."""
KEEPALIVE_CONNECTIONS = 20

ApiKey = str | Callable[[], Awaitable[str]]
"""A key, or a function that gives a bearer token. It is called for every request; what it raises
reaches the caller as it is."""


def base_url_of(endpoint: str) -> str:
    """Where the v1 API of a resource is."""
    return f"{endpoint.rstrip('/')}/openai/v1/"


def connect_client(
    *, base_url: str, api_key: ApiKey, timeout_s: float, max_connections: int
) -> openai.AsyncOpenAI:
    """A client with kept-alive connections, none of them opened yet; it retries nothing.

    Args:
        base_url: Ends in ``/openai/v1/``.
        api_key: See `ApiKey`.
        timeout_s: How long the service may be silent, before the answer and within it.
        max_connections: How many requests may be on their way at once.
    """
    timeout = httpx2.Timeout(timeout_s, connect=min(CONNECT_TIMEOUT_S, timeout_s))
    return openai.AsyncOpenAI(
        base_url=base_url,
        api_key=api_key,
        timeout=timeout,
        max_retries=0,  # retried by the callers, who know the deadline
        http_client=openai.DefaultAsyncHttpx2Client(
            timeout=timeout,
            limits=httpx2.Limits(
                max_connections=max_connections,
                max_keepalive_connections=min(KEEPALIVE_CONNECTIONS, max_connections),
                keepalive_expiry=KEEPALIVE_S,
            ),
        ),
    )
