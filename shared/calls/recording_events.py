"""Read what Event Grid says of recordings."""

import re
from dataclasses import dataclass

from shared.errors import InvalidRequestError
from shared.types import Json

_SUBJECT = re.compile(r"/recording/call/(?P<call>.+)/recordingId/(?P<recording>.+)")


@dataclass(frozen=True, slots=True)
class RecordingReady:
    """ACS has written the sound of a call."""

    recording_id: str
    server_call_id: str
    locations: tuple[str, ...]
    """Where the parts are, in order."""
    duration_ms: int | None = None
    """Of all parts, as ACS says."""


def parse_recording_ready(subject: str, data: Json) -> RecordingReady:
    """Read an Event Grid ``RecordingFileStatusUpdated`` event.

    Raises:
        InvalidRequestError: Names the field without which the recording cannot be found.
    """
    names = _SUBJECT.fullmatch(subject or "")
    if names is None:
        raise InvalidRequestError("subject: names no recording")
    match data:
        case {"recordingStorageInfo": {"recordingChunks": [*chunks]}} if chunks:
            ordered = sorted(chunks, key=_index_of)
        case _:
            raise InvalidRequestError("data.recordingStorageInfo.recordingChunks is missing")
    locations = tuple(_location_of(chunk) for chunk in ordered)
    duration = data.get("recordingDurationMs")
    duration_ms = duration if isinstance(duration, int) else None
    return RecordingReady(names["recording"], names["call"], locations, duration_ms)


def _index_of(chunk: object) -> int:
    index = chunk.get("index") if isinstance(chunk, dict) else None
    return index if isinstance(index, int) else 0


def _location_of(chunk: object) -> str:
    location = chunk.get("contentLocation") if isinstance(chunk, dict) else None
    if not isinstance(location, str) or not location:
        raise InvalidRequestError("data.recordingStorageInfo.recordingChunks.contentLocation")
    return location
