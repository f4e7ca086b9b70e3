"""Requests about recordings: start, look, pause, resume, stop."""

from simulator.acs.calls import CallState, SimCall
from simulator.acs.errors import (
    Json,
    Reply,
    ServiceError,
    call_not_established,
    call_not_found,
    invalid,
)
from simulator.acs.operations import Handler
from simulator.acs.recordings import Recording
from simulator.acs.routes import RestRequest
from simulator.acs.switchboard import Switchboard


class RecordingOperations:
    """Operations on recordings. Only mixed audio in WAV is made here."""

    def __init__(self, board: Switchboard) -> None:
        self._board = board
        self._recorder = board.recorder
        self.handlers: dict[str, Handler] = {
            "startRecording": self._start,
            "getRecordingProperties": self._get,
            "pauseRecording": self._pause,
            "resumeRecording": self._resume,
            "stopRecording": self._stop,
        }

    def _start(self, request: RestRequest) -> Reply:
        body = request.body
        call, is_by_connection = self._call(body)
        if call.state not in {CallState.CONNECTED, CallState.TRANSFERRING}:
            raise call_not_established()
        _check_format(body)
        uri = body.get("recordingStateCallbackUri")
        if uri is not None and not isinstance(uri, str):
            raise invalid("The field RecordingStateCallbackUri is invalid.")
        if self._recorder.running(call) is not None:
            raise ServiceError(400, "8553", "Recording is already in progress.")
        recording = self._recorder.start(
            call, callback_uri=uri, is_paused=body.get("pauseOnStart") is True
        )
        return Reply(202 if is_by_connection else 200, recording.as_json())

    def _get(self, request: RestRequest) -> Reply:
        return Reply(200, self._known(request).as_json())

    def _pause(self, request: RestRequest) -> Reply:
        self._recorder.pause(self._known(request))
        return Reply(202)

    def _resume(self, request: RestRequest) -> Reply:
        self._recorder.resume(self._known(request))
        return Reply(202)

    def _stop(self, request: RestRequest) -> Reply:
        self._recorder.stop(self._known(request))
        return Reply(204)

    def _known(self, request: RestRequest) -> Recording:
        """The recording a request names, while it is not over."""
        recording = self._recorder.recordings.get(request.route.recording_id or "")
        if recording is None or recording.is_over:
            raise ServiceError(404, "8522", "Recording not found.")
        return recording

    def _call(self, body: Json) -> tuple[SimCall, bool]:
        """The call to record, and whether its connection was named: that answers later."""
        match body:
            case {"callConnectionId": str(call_connection_id)}:
                call = self._board.calls.get(call_connection_id)
                is_by_connection = True
            case {"callLocator": {"kind": "serverCallLocator", "serverCallId": str(server_id)}}:
                calls = self._board.calls.values()
                call = next((one for one in calls if one.server_call_id == server_id), None)
                is_by_connection = False
            case _:
                raise invalid("The field CallLocator is invalid.")
        if call is None or call.is_over:
            raise call_not_found()
        return call, is_by_connection


def _check_format(body: Json) -> None:
    """Refuse what would become another kind of file."""
    asked = (
        body.get("recordingContentType", "audioVideo"),
        body.get("recordingChannelType", "mixed"),
        body.get("recordingFormatType", "mp4"),
    )
    if asked != ("audio", "mixed", "wav"):
        raise invalid("The simulator records mixed audio as wav only; ask for exactly that.")
