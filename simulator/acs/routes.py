"""Which request means which operation."""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

from simulator.acs.errors import Json

API_VERSIONS = frozenset(
    {
        "2023-03-06",
        "2023-10-15",
        "2024-04-15",
        "2024-09-15",
        "2025-05-15",
        "2025-06-15",
        "2026-03-12",
    }
)


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and what its address names."""

    operation: str
    call_connection_id: str | None = None
    participant: str | None = None
    recording_id: str | None = None


@dataclass(frozen=True, slots=True)
class RestRequest:
    """A request that has been authenticated and understood so far."""

    route: Route
    body: Json
    api_version: str = field(default="")


_CALLS = "/calling/callConnections"
_ID = r"(?P<call>[^/:?]+)"
_RECORDINGS = "/calling/recordings"
_RECORDING = f"{_RECORDINGS}/(?P<recording>[^/:?]+)"
_NEW_CALL = {"": "createCall", ":answer": "answer", ":redirect": "redirect", ":reject": "reject"}
_ON_CALL = {
    ":terminate": "terminate",
    ":transferToParticipant": "transferToParticipant",
    "/participants:add": "addParticipant",
    "/participants:cancelAddParticipant": "cancelAddParticipant",
    "/participants:remove": "removeParticipant",
    "/participants:mute": "muteParticipant",
    ":play": "play",
    ":recognize": "recognize",
    ":cancelAllMediaOperations": "cancelAllMediaOperations",
    ":sendDtmfTones": "sendDtmfTones",
    ":startContinuousDtmfRecognition": "startContinuousDtmfRecognition",
    ":stopContinuousDtmfRecognition": "stopContinuousDtmfRecognition",
    ":hold": "hold",
    ":unhold": "unhold",
}
_PATTERNS: list[tuple[str, re.Pattern[str], str]] = [
    *(("POST", re.compile(re.escape(_CALLS + end)), name) for end, name in _NEW_CALL.items()),
    *(
        ("POST", re.compile(f"{_CALLS}/{_ID}{re.escape(end)}"), name)
        for end, name in _ON_CALL.items()
    ),
    ("GET", re.compile(f"{_CALLS}/{_ID}"), "getCallProperties"),
    ("DELETE", re.compile(f"{_CALLS}/{_ID}"), "hangUp"),
    ("GET", re.compile(f"{_CALLS}/{_ID}/participants"), "listParticipants"),
    ("GET", re.compile(f"{_CALLS}/{_ID}/participants/(?P<participant>[^/]+)"), "getParticipant"),
    ("POST", re.compile(_RECORDINGS), "startRecording"),
    ("GET", re.compile(_RECORDING), "getRecordingProperties"),
    ("DELETE", re.compile(_RECORDING), "stopRecording"),
    ("POST", re.compile(f"{_RECORDING}:pause"), "pauseRecording"),
    ("POST", re.compile(f"{_RECORDING}:resume"), "resumeRecording"),
]
REPEATABLE = frozenset(
    {
        "createCall",
        "answer",
        "redirect",
        "reject",
        "terminate",
        "transferToParticipant",
        "addParticipant",
        "cancelAddParticipant",
        "removeParticipant",
        "muteParticipant",
        "sendDtmfTones",
        "startRecording",
    }
)
"""Operations that honour ``Repeatability-Request-ID``."""


def find_route(method: str, path: str) -> Route | None:
    """The operation of a request; *path* is raw, without the query. None if there is none."""
    for verb, pattern, operation in _PATTERNS:
        if verb == method and (match := pattern.fullmatch(path)):
            names = match.groupdict()
            participant, recording = names.get("participant"), names.get("recording")
            return Route(
                operation,
                names.get("call"),
                participant and unquote(participant),
                recording and unquote(recording),
            )
    return None
