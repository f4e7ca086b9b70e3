"""Recordings of calls: when they run, and the files they become."""

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal
from uuid import uuid4

from simulator.acs.audio import wav_of
from simulator.acs.callbacks import event_grid_time, recording_event, recording_file_event
from simulator.acs.calls import SimCall
from simulator.acs.errors import Json
from simulator.acs.player import Studio
from simulator.acs.tape import Piece, Span, duration_s, joined

RecordingState = Literal["active", "inactive"]
FILES_PATH = "/v1/objects"
STORAGE_URL = "https://storage.asm.skype.com"
"""What announcements name; the SDK fetches from hosts like this only. The stand-in serves the paths
itself: an app is told to go there instead."""


def _new_id() -> str:
    names = {"PlatformEndpointId": str(uuid4()), "ResourceSpecificId": str(uuid4())}
    return base64.b64encode(json.dumps(names, separators=(",", ":")).encode()).decode()


@dataclass(eq=False, slots=True)
class Recording:
    """One recording of one call."""

    call: SimCall
    callback_uri: str | None
    recording_id: str = field(default_factory=_new_id)
    state: RecordingState = "inactive"
    is_over: bool = False
    spans: list[Span] = field(default_factory=list)
    """When it ran."""
    running_since: float | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def as_json(self) -> Json:
        """``RecordingStateResponse``."""
        return {
            "recordingId": self.recording_id,
            "recordingState": self.state,
            "recordingKind": "azureCommunicationServices",
        }


@dataclass(frozen=True, slots=True)
class RecordingFile:
    """What can be fetched of a recording."""

    wav: bytes
    metadata: Json


class Recorder:
    """All recordings and their files."""

    def __init__(self, *, studio: Studio, publish: Callable[[list[Json]], Awaitable[None]]) -> None:
        self.recordings: dict[str, Recording] = {}
        self.files: dict[str, RecordingFile] = {}
        """By document id."""
        self._studio = studio
        self._publish = publish

    def start(self, call: SimCall, *, callback_uri: str | None, is_paused: bool) -> Recording:
        """Record *call* from now on, or from the first `resume`."""
        recording = Recording(call, callback_uri)
        self.recordings[recording.recording_id] = recording
        if not is_paused:
            self._run(recording)
        self._tell(recording)
        return recording

    def running(self, call: SimCall) -> Recording | None:
        """The recording of *call* that is not over, paused or not."""
        return next(
            (one for one in self.recordings.values() if one.call is call and not one.is_over), None
        )

    def pause(self, recording: Recording) -> None:
        """Leave out what comes; the second time nothing happens."""
        if recording.state == "active":
            self._halt(recording)
            self._tell(recording)

    def resume(self, recording: Recording) -> None:
        """Record again; nothing happens where it runs."""
        if recording.state == "inactive":
            self._run(recording)
            self._tell(recording)

    def stop(self, recording: Recording) -> None:
        """End it; its file is ready a moment later. The second time nothing happens."""
        if recording.is_over:
            return
        recording.is_over = True
        self._halt(recording)
        self._tell(recording)
        pieces = list(recording.call.phone.tape.pieces)
        self._studio.tasks.spawn(self._hand_over(recording, pieces))

    def stop_all(self, call: SimCall) -> None:
        """The call ends."""
        if recording := self.running(call):
            self.stop(recording)

    def _run(self, recording: Recording) -> None:
        recording.state, recording.running_since = "active", time.monotonic()

    def _halt(self, recording: Recording) -> None:
        if recording.running_since is not None:
            recording.spans.append((recording.running_since, time.monotonic()))
        recording.state, recording.running_since = "inactive", None

    def _tell(self, recording: Recording) -> None:
        event = recording_event(
            recording.call, recording.recording_id, recording.state, recording.started_at
        )
        self._studio.courier.send(recording.call, event, recording.callback_uri)

    async def _hand_over(self, recording: Recording, pieces: list[Piece]) -> None:
        pace = self._studio.pace
        await asyncio.sleep(pace.scaled_s(pace.file_ready_ms / 1000))
        pcm = await joined(pieces, recording.spans)
        document_id = f"0-sim-d1-{uuid4().hex}"
        duration_ms = round(duration_s(pcm) * 1000)
        metadata = _metadata(recording, document_id, duration_ms)
        self.files[document_id] = RecordingFile(wav_of(pcm), metadata)
        location = f"{STORAGE_URL}{FILES_PATH}/{document_id}"
        chunk = {
            "documentId": document_id,
            "index": 0,
            "endReason": "SessionEnded",
            "contentLocation": f"{location}/content/audio",
            "metadataLocation": f"{location}/content/acsmetadata",
            "deleteLocation": location,
        }
        data = {
            "recordingStorageInfo": {"recordingChunks": [chunk]},
            "recordingStartTime": event_grid_time(recording.started_at),
            "recordingDurationMs": duration_ms,
            "sessionEndReason": "CallEnded",
        }
        event = recording_file_event(recording.call, recording.recording_id, data)
        await self._publish([event])


def _metadata(recording: Recording, document_id: str, duration_ms: int) -> Json:
    call = recording.call
    return {
        "callId": call.call_connection_id,
        "chunkDocumentId": document_id,
        "chunkIndex": 0,
        "chunkStartTime": event_grid_time(recording.started_at),
        "chunkDuration": duration_ms,
        "pauseResumeIntervals": [],
        "recordingInfo": {
            "contentType": "audio",
            "channelType": "mixed",
            "format": "wav",
            "audioConfiguration": {"sampleRate": 16000, "bitRate": 256000, "channels": 1},
        },
        "participants": [
            {"participantId": call.caller},
            {"participantId": call.callee if call.is_outbound else call.bot},
        ],
    }
