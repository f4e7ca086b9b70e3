"""Who gets which events, in which form, and the handshake that comes first."""

import asyncio
import contextlib
import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import aiohttp

Kind = Literal["function", "webhook"]
Schema = Literal["eventgrid", "cloudevents"]
Event = dict[str, Any]

ORIGIN = "eventgrid.azure.net"
TOPIC = (
    "/subscriptions/00000000-0000-0000-0000-000000000000/resourcegroups/local"
    "/providers/microsoft.communication/communicationservices/simulator"
)


class HandshakeError(Exception):
    """The endpoint did not prove that it wants the events; *status* None: no answer at all."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


@dataclass(slots=True, kw_only=True)
class Subscription:
    """Who gets which events; ``dead_letters`` is where the lost ones go, None drops them."""

    name: str
    endpoint: str
    kind: Kind
    schema: Schema
    filter_types: frozenset[str]
    max_attempts: int
    ttl_s: float
    dead_letters: list[Event] | None
    held: list[asyncio.Event] = field(default_factory=list)

    def wants(self, event: Event) -> bool:
        """Whether the filter lets *event* through; an empty one lets everything."""
        return not self.filter_types or event["eventType"] in self.filter_types

    def render(self, event: Event) -> Event:
        """The event in the schema of this subscription."""
        if self.schema == "eventgrid":
            return {"topic": TOPIC, "metadataVersion": "1", **event}
        return {
            "id": event["id"],
            "source": event.get("topic", TOPIC),
            "subject": event["subject"],
            "type": event["eventType"],
            "specversion": "1.0",
            "time": event["eventTime"],
            "data": event["data"],
        }


async def shake_hands(
    http: aiohttp.ClientSession, subscription: Subscription, timeout_s: float
) -> None:
    """Ask the endpoint whether it wants the events.

    Raises:
        HandshakeError: It did not answer as the schema asks, or not in time.
    """
    try:
        async with asyncio.timeout(timeout_s):
            if subscription.schema == "eventgrid":
                await _validate(http, subscription)
            else:
                await _ask_origin(http, subscription)
    except (aiohttp.ClientError, TimeoutError) as err:
        raise HandshakeError(f"the endpoint of {subscription.name} did not answer") from err


def now() -> str:
    """This instant as Event Grid writes it."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


async def _validate(http: aiohttp.ClientSession, subscription: Subscription) -> None:
    code = str(uuid.uuid4())
    event = {
        "id": str(uuid.uuid4()),
        "topic": TOPIC,
        "subject": "",
        # Nobody serves this address: the handshake by hand is not simulated.
        "data": {"validationCode": code, "validationUrl": f"https://{ORIGIN}.invalid/validate"},
        "eventType": "Microsoft.EventGrid.SubscriptionValidationEvent",
        "eventTime": now(),
        "metadataVersion": "1",
        "dataVersion": "1",
    }
    headers = {
        "aeg-event-type": "SubscriptionValidation",
        "aeg-subscription-name": subscription.name.upper(),
    }
    async with http.post(
        subscription.endpoint, json=[event], headers=headers, allow_redirects=False
    ) as answer:
        text = await answer.text()
        with contextlib.suppress(ValueError, AttributeError):
            if answer.status == 200 and json.loads(text).get("validationResponse") == code:
                return
        raise HandshakeError(
            f"{subscription.name}: status {answer.status}, code not echoed", status=answer.status
        )


async def _ask_origin(http: aiohttp.ClientSession, subscription: Subscription) -> None:
    headers = {"WebHook-Request-Origin": ORIGIN}
    async with http.options(
        subscription.endpoint, headers=headers, allow_redirects=False
    ) as answer:
        allowed = answer.headers.get("WebHook-Allowed-Origin")
        if answer.status != 200 or allowed not in {ORIGIN, "*"}:
            raise HandshakeError(
                f"{subscription.name}: status {answer.status}, not allowed", status=answer.status
            )
