"""Small JSON documents from the web."""

import json

import aiohttp

from shared.errors import UpstreamError
from shared.types import Json

_MAX_BYTES = 1_000_000


async def fetch_json(url: str) -> Json:
    """Read the JSON object at *url*.

    There is no deadline in here: the caller has one. Each call makes its own connection, because
    hours pass between two of them.

    Raises:
        UpstreamError: There was no answer, or another one than a JSON object of up to 1 MB.
    """
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
            session.get(url, allow_redirects=False) as response,
        ):
            if response.status != 200:
                raise UpstreamError("the document could not be fetched")
            document = json.loads(await _read(response.content))
    except (aiohttp.ClientError, ValueError) as err:
        raise UpstreamError("the document could not be fetched") from err
    if not isinstance(document, dict):
        raise UpstreamError("the document is not a JSON object")
    return document


async def _read(content: aiohttp.StreamReader) -> bytes:
    body = b""
    async for chunk in content.iter_chunked(65_536):
        body += chunk
        if len(body) > _MAX_BYTES:
            raise UpstreamError("the document is too long")
    return body
