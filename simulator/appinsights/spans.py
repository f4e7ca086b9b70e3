"""Spans as they can be read from what an exporter has sent: requests and dependencies."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from simulator.appinsights.wire import Json

_DURATION = re.compile(r"(?:(\d+)\.)?(\d+):(\d+):(\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One unit of work."""

    name: str
    id: str
    parent_id: str
    """Empty for the first of its trace."""
    trace_id: str
    started_at: datetime
    duration_ms: float
    kind: str
    """``request``, or the type of the dependency: ``InProc``, ``redis`` …"""
    target: str
    is_success: bool
    properties: Mapping[str, str]
    links: tuple[tuple[str, str], ...]
    """Of each: the trace and the span in it."""

    @property
    def session_id(self) -> str:
        """Whose it is; empty if nobody's."""
        return self.properties.get("session.id", "")


def spans_of(items: Iterable[Json]) -> list[Span]:
    """The spans among *items*, by the time at which they began."""
    spans = [
        _span(item)
        for item in items
        if item["data"]["baseType"] in ("RequestData", "RemoteDependencyData")
    ]
    return sorted(spans, key=lambda one: one.started_at)


def _span(item: Json) -> Span:
    data, tags = item["data"]["baseData"], item.get("tags", {})
    properties: Mapping[str, str] = data.get("properties") or {}
    links = json.loads(properties.get("_MS.links", "[]"))
    is_request = item["data"]["baseType"] == "RequestData"
    return Span(
        name=data["name"],
        id=data["id"],
        parent_id=tags.get("ai.operation.parentId", ""),
        trace_id=tags["ai.operation.id"],
        started_at=datetime.fromisoformat(item["time"]),
        duration_ms=_milliseconds(data["duration"]),
        kind="request" if is_request else data.get("type", ""),
        target=data.get("target") or "",
        is_success=bool(data.get("success")),
        properties=properties,
        links=tuple((one["operation_Id"], one["id"]) for one in links),
    )


def _milliseconds(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"not a duration: {text!r}")
    days, hours, minutes, seconds = found.groups(default="0")
    return 1000 * (((int(days) * 24 + int(hours)) * 60 + int(minutes)) * 60 + float(seconds))
