"""Hosts, a client and events for the tests of the Functions host."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp

from simulator.functions_host import FunctionsHost
from simulator.functions_host.configuration import Keys

SAMPLE = Path(__file__).parent / "sample_app"
KEYS = Keys(function="f-key", system="s-key", master="m-key")
WEBHOOK = "/runtime/webhooks/EventGrid?functionName=on_event&code=s-key"
NEVER = "0 0 3 1 1 *"
StartHost = Callable[..., Awaitable[FunctionsHost]]


def app_in(folder: Path, source: str, host_json: dict[str, object] | None = None) -> Path:
    """Write an app into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "function_app.py").write_text(source, encoding="utf-8")
    (folder / "host.json").write_text(json.dumps(host_json or {}), encoding="utf-8")
    return folder


def event(event_id: str, **data: object) -> dict[str, object]:
    """An event in the Event Grid schema."""
    return {
        "id": event_id,
        "topic": "/subscriptions/s",
        "subject": "x",
        "data": data,
        "eventType": "Sample.Event",
        "dataVersion": "1.0",
        "metadataVersion": "1",
        "eventTime": "2026-11-22T07:32:00.3416931Z",
    }


async def deliver(
    http: aiohttp.ClientSession, host: FunctionsHost, body: object, path: str = WEBHOOK
) -> tuple[int, str]:
    """POST *body* as Event Grid does."""
    async with http.post(
        host.url + path, json=body, headers={"aeg-event-type": "Notification"}
    ) as answer:
        return answer.status, await answer.text()
