"""Is what has been deployed alive, shut, and able to take a call?

``make smoke URL=https://…`` asks what needs no key; with the app's name it reads the keys as well.
The call is synthetic: an IncomingCall as Event Grid delivers it, with a context that ACS cannot
know. The app must take it, try to answer, be refused, and say so in the session; that takes the
whole way through Event Grid's entrance, Redis and ACS but no telephone.
"""

import argparse
import asyncio
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp

from infra.preflight.live import Az, AzError, run_az
from shared.state.session_ids import session_id_for

TIMEOUT_S = 60.0
"""Of one request; the first one may start an instance."""
READY_S = 60.0
CALL_S = 60.0
POLL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What opens the app to clients and to Event Grid."""

    function: str
    event_grid: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What one check came to."""

    name: str
    is_well: bool
    found: str


def read_keys(group: str, app: str, az: Az = run_az) -> Keys:
    """The app's keys, through the Azure command line.

    Raises:
        AzError: It is missing, not logged in, or the functions are not there.
    """
    found = az(["functionapp", "keys", "list", "--resource-group", group, "--name", app])
    function = (found.get("functionKeys") or {}).get("default")
    event_grid = (found.get("systemKeys") or {}).get("eventgrid_extension")
    if not function or not event_grid:
        raise AzError("the app has no default key, or none for Event Grid: is it deployed?")
    return Keys(function=function, event_grid=event_grid)


class Smoke:
    """The checks, against one app."""

    def __init__(self, url: str, http: aiohttp.ClientSession, keys: Keys | None = None) -> None:
        self._url = url.rstrip("/")
        self._http = http
        self._keys = keys

    async def run(self) -> list[Outcome]:
        """Every check, in order; those that need keys only with keys."""
        checks = [
            ("alive", self._answers("GET", "/api/health/live", 200)),
            ("every part answers", self._ready),
            ("no tools without a key", self._answers("GET", "/api/tools", 401)),
            ("no calls without a key", self._answers("POST", "/api/calls", 401)),
            ("no callback without a signature", self._refuses_callback),
            ("no event without a key", self._refuses_event),
        ]
        if self._keys is not None:
            checks.append(("what the instance holds", self._pools))
            checks.append(("a synthetic call", self._call))
        return [await self._outcome(name, check) for name, check in checks]

    async def _outcome(self, name: str, check: Callable[[], Awaitable[str]]) -> Outcome:
        try:
            return Outcome(name=name, is_well=True, found=await check())
        except (SmokeError, aiohttp.ClientError, TimeoutError) as err:
            return Outcome(name=name, is_well=False, found=str(err) or type(err).__name__)

    def _answers(self, method: str, path: str, wanted: int) -> Callable[[], Awaitable[str]]:
        async def check() -> str:
            status, body = await self._request(method, path)
            return _expect(status, wanted, body)

        return check

    async def _ready(self) -> str:
        """Parts that are slow to be built the first time are given time; they go on being built."""
        give_up_at = time.monotonic() + READY_S
        while True:
            status, body = await self._request("GET", "/api/health/ready")
            if status == 200 or time.monotonic() > give_up_at:
                return _expect(status, 200, body)
            await asyncio.sleep(POLL_S)

    async def _refuses_callback(self) -> str:
        path = f"/api/callbacks/{uuid.uuid4()}?sig=none"
        status, body = await self._request("POST", path, json=[])
        return _expect(status, 401, body)

    async def _refuses_event(self) -> str:
        status, body = await self._deliver(_incoming_call("x"), key="")
        return _expect(status, 401, body)

    async def _pools(self) -> str:
        status, body = await self._request("GET", "/api/pools", key=True)
        _expect(status, 200, body)
        return f"built: {', '.join(body['built_ms'])}"

    async def _call(self) -> str:
        """Deliver the event, then watch the session until the app knows that the call is over."""
        assert self._keys is not None
        correlation_id = str(uuid.uuid4())
        event = _incoming_call(correlation_id)
        status, body = await self._deliver(event, key=self._keys.event_grid)
        _expect(status, 202, body)
        at = datetime.fromisoformat(event["eventTime"])
        path = f"/api/sessions/{session_id_for(correlation_id, at=at)}"
        async with asyncio.timeout(CALL_S):
            while True:
                status, body = await self._request("GET", path, key=True)
                _expect(status, 200, body)
                if body["outcome"]:
                    return f"taken, tried to answer, over: {body['outcome']}"
                await asyncio.sleep(POLL_S)

    async def _deliver(self, event: dict[str, Any], *, key: str) -> tuple[int, Any]:
        code = f"&code={key}" if key else ""
        path = f"/runtime/webhooks/EventGrid?functionName=on_incoming_call{code}"
        headers = {"aeg-event-type": "Notification"}
        return await self._request("POST", path, json=[event], headers=headers)

    async def _request(
        self, method: str, path: str, *, key: bool = False, **rest: Any
    ) -> tuple[int, Any]:
        if key and self._keys is not None:
            rest["headers"] = {"x-functions-key": self._keys.function}
        async with self._http.request(method, self._url + path, **rest) as answer:
            is_json = "json" in answer.content_type
            return answer.status, await answer.json() if is_json else await answer.text()


class SmokeError(Exception):
    """The app answers otherwise than it should."""


def _expect(status: int, wanted: int, body: Any) -> str:
    if status != wanted:
        # The names of parts that fail are worth reading; nothing else of an answer is.
        failing = f": {', '.join(body['failing'])}" if _has(body, "failing") else ""
        raise SmokeError(f"{status} instead of {wanted}{failing}")
    return str(status)


def _has(body: Any, name: str) -> bool:
    return isinstance(body, dict) and bool(body.get(name))


def _incoming_call(correlation_id: str) -> dict[str, Any]:
    """As Event Grid has it; the numbers are reserved for fiction."""
    caller, callee = "+15550100000", "+15550100001"
    return {
        "id": str(uuid.uuid4()),
        "topic": "smoke",
        "subject": f"/phoneCall/caller/{caller}/recipient/{callee}",
        "eventType": "Microsoft.Communication.IncomingCall",
        "eventTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "data": {
            "to": _number(callee),
            "from": _number(caller),
            "serverCallId": "smoke",
            "callerDisplayName": "",
            "incomingCallContext": "smoke",
            "correlationId": correlation_id,
        },
    }


def _number(number: str) -> dict[str, Any]:
    return {"kind": "phoneNumber", "rawId": f"4:{number}", "phoneNumber": {"value": number}}


async def smoke(url: str, keys: Keys | None) -> list[Outcome]:
    """Run all checks against the app at *url*."""
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    async with aiohttp.ClientSession(timeout=timeout) as http:
        return await Smoke(url, http, keys).run()


def main(arguments: list[str] | None = None, az: Az = run_az) -> int:
    """Print what came of each check; 1 if one failed or could not be made."""
    parser = argparse.ArgumentParser(prog="python -m infra.smoke", description=__doc__)
    parser.add_argument("url", help="of the app: PUBLIC_BASE_URL of the azd environment")
    parser.add_argument("--group", help="its resource group; with --app, keys are read with az")
    parser.add_argument("--app", help="its name")
    given = parser.parse_args(arguments)
    keys = None
    if given.group and given.app:
        try:
            keys = read_keys(given.group, given.app, az)
        except AzError as err:
            print(f"FAILED  keys: {err}")
            return 1
    outcomes = asyncio.run(smoke(given.url, keys))
    for one in outcomes:
        print(f"{'ok    ' if one.is_well else 'FAILED'}  {one.name}: {one.found}")
    if keys is None:
        print("left out: everything that needs keys (--group and --app)")
    return 0 if all(one.is_well for one in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
