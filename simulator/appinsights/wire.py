"""What exporters post, a JSON array or JSON lines, perhaps compressed; what they are answered."""

import gzip
import json
import zlib
from typing import Any

Json = dict[str, Any]

BASE_TYPES = (
    *("RequestData", "RemoteDependencyData", "MessageData", "ExceptionData", "MetricData"),
    *("EventData", "PageViewData", "AvailabilityData"),
)
MAX_ITEM_BYTES = 64 * 1024


class UnreadableError(Exception):
    """The body is not telemetry at all."""


def read_items(body: bytes, encoding: str) -> list[Json]:
    """The items of a request.

    Raises:
        UnreadableError: It cannot be decompressed or is not JSON.
    """
    try:
        text = (gzip.decompress(body) if encoding == "gzip" else body).decode()
        stripped = text.strip()
        if stripped.startswith("["):
            items = json.loads(stripped)
        else:
            items = [json.loads(line) for line in stripped.splitlines() if line.strip()]
    except (OSError, EOFError, zlib.error, ValueError) as err:
        raise UnreadableError(type(err).__name__) from err
    if not items or not all(isinstance(one, dict) for one in items):
        raise UnreadableError("no items")
    return list(items)


def problem_of(item: Json, instrumentation_key: str) -> str | None:
    """Why the service refuses an item; None if it does not."""
    if item.get("iKey") != instrumentation_key:
        return "Invalid instrumentation key"
    if not all(isinstance(item.get(name), str) and item[name] for name in ("name", "time")):
        return "Field 'name' or 'time' on type 'Envelope' is required"
    data = item.get("data")
    if not isinstance(data, dict) or data.get("baseType") not in BASE_TYPES:
        return "Field 'baseType' on type 'Data' is not known"
    if not isinstance(data.get("baseData"), dict):
        return "Field 'baseData' on type 'Data' is required"
    if len(json.dumps(item)) > MAX_ITEM_BYTES:
        return "Telemetry item is too large"
    return None


def answer_of(count: int, errors: dict[int, tuple[int, str]]) -> tuple[int, Json]:
    """Status and body for *count* items of which some failed, by index."""
    listed = [
        {"index": index, "statusCode": status, "message": message}
        for index, (status, message) in sorted(errors.items())
    ]
    body = {"itemsReceived": count, "itemsAccepted": count - len(listed), "errors": listed}
    if not listed:
        return 200, body
    statuses = {status for status, _ in errors.values()}
    all_failed = len(listed) == count and len(statuses) == 1
    return (statuses.pop() if all_failed else 206), body
