"""What becomes of a delivery: its headers, when it is tried again, when it is given up."""

import uuid
from dataclasses import dataclass
from http import HTTPStatus

from simulator.event_grid.subscriptions import Event, Kind, Subscription

RETRY_AFTER_S = (10, 30, 60, 300, 600, 1800, 3600, 10800, 21600)
"""How long after each failed attempt the next one follows; later every 12 hours."""
RETRY_LATER_S = 43200
DEAD_LETTER_AFTER_S = 300
NEVER_RETRIED: dict[Kind, frozenset[int]] = {
    "function": frozenset({400, 403, 413}),
    "webhook": frozenset({400, 401, 403, 413}),
}
_LEAST_WAIT_S = {408: 120, 503: 30}


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery that was tried."""

    subscription: str
    event_id: str
    delivery_count: int
    status: int | None
    """None: no answer."""
    outcome: str

    @property
    def is_success(self) -> bool:
        """Whether Event Grid takes the event for delivered: 200 to 204."""
        return self.status is not None and 200 <= self.status <= 204


def headers_for(subscription: Subscription, event: Event, count: int) -> dict[str, str]:
    """The headers of one delivery; *count* is 0 for the first attempt."""
    is_event_grid = subscription.schema == "eventgrid"
    content = "application/json" if is_event_grid else "application/cloudevents+json"
    return {
        "aeg-event-type": "Notification",
        "aeg-subscription-name": subscription.name.upper(),
        "aeg-delivery-count": str(count),
        "aeg-metadata-version": "1" if is_event_grid else "",
        "aeg-data-version": str(event["dataVersion"]) if is_event_grid else "",
        "aeg-output-event-id": str(uuid.uuid4()),
        "Content-Type": f"{content}; charset=utf-8",
    }


def wait_s(failures: int, status: int | None) -> float:
    """How long to wait after so many failed attempts, before chance and speed."""
    planned = RETRY_AFTER_S[failures - 1] if failures <= len(RETRY_AFTER_S) else RETRY_LATER_S
    return max(planned, _LEAST_WAIT_S.get(status or 0, 10))


def final_reason(subscription: Subscription, attempt: Attempt, next_age_s: float) -> str | None:
    """Why there is no further attempt, or None if there is one."""
    if attempt.status in NEVER_RETRIED[subscription.kind]:
        return f"UndeliverableDueToHttp{attempt.outcome}"
    if attempt.delivery_count + 1 >= subscription.max_attempts:
        return "MaxDeliveryAttemptsExceeded"
    if next_age_s > subscription.ttl_s:
        return "TimeToLiveExceeded"
    return None


def dead_letter_facts(reason: str, attempt: Attempt, published_at: str, last_at: str) -> Event:
    """What Event Grid adds to a dead letter."""
    return {
        "deadLetterReason": reason,
        "deliveryAttempts": attempt.delivery_count + 1,
        "lastDeliveryOutcome": attempt.outcome,
        "publishTime": published_at,
        "lastDeliveryAttemptTime": last_at,
    }


def outcome_of(status: int) -> str:
    """The name of an answer, as dead letters give it."""
    if 200 <= status <= 204:
        return "Success"
    if status == HTTPStatus.REQUEST_TIMEOUT:
        return "TimedOut"
    try:
        return HTTPStatus(status).phrase.title().replace(" ", "").replace("-", "")
    except ValueError:
        return "GenericError"
