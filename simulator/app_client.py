"""The app as a client sees it: its HTTP API, with the function key."""

from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp

from simulator.stack import Stack

TIMEOUT_S = 30.0


class AppClient:
    """Calls the app through the front door."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            headers={"x-functions-key": self._stack.function_key},
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._session is not None:
            await self._session.close()

    async def request(
        self, method: str, path: str, json: Any = None, **headers: str
    ) -> tuple[int, Any]:
        """Status and decoded body of a request; underscores in header names become dashes."""
        assert self._session is not None, "use it as a context manager"
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        url = self._stack.front_door.url + path
        async with self._session.request(method, url, json=json, headers=named) as response:
            is_json = "json" in response.content_type
            return response.status, await response.json() if is_json else await response.text()

    async def get(self, path: str) -> Any:
        """The body of a GET that must succeed."""
        status, body = await self.request("GET", path)
        if status != 200:
            raise RuntimeError(f"GET {path} answered {status}")
        return body

    def session_of(self, call_connection_id: str) -> str:
        """The session of a call: it is in the callback URL that the app gave to ACS."""
        callback_uri = self._stack.acs.calls[call_connection_id].callback_uri
        return urlsplit(callback_uri).path.rpartition("/")[2]
