"""Serves the files of recordings, to whoever signs like the SDK."""

from aiohttp import web

from simulator.acs import signing
from simulator.acs.errors import Reply, ServiceError
from simulator.acs.recordings import FILES_PATH, Recorder, RecordingFile


class RecordingFiles:
    """Content, metadata and deletion."""

    def __init__(self, recorder: Recorder, access_key: str) -> None:
        self._recorder = recorder
        self._access_key = access_key

    def routes(self) -> list[web.RouteDef]:
        """What to add to the server."""
        return [
            web.get(FILES_PATH + "/{document}/content/audio", self._content),
            web.get(FILES_PATH + "/{document}/content/acsmetadata", self._metadata),
            web.delete(FILES_PATH + "/{document}", self._delete),
        ]

    async def _content(self, request: web.Request) -> web.Response:
        try:
            wav = self._file(request).wav
            part = wav[request.http_range]
        except ServiceError as refusal:
            return _json(refusal.reply)
        except ValueError:
            return web.Response(status=416)
        is_part = "Range" in request.headers
        return web.Response(status=206 if is_part else 200, body=part, content_type="audio/wav")

    async def _metadata(self, request: web.Request) -> web.Response:
        try:
            return web.json_response(self._file(request).metadata)
        except ServiceError as refusal:
            return _json(refusal.reply)

    async def _delete(self, request: web.Request) -> web.Response:
        try:
            self._file(request)
        except ServiceError as refusal:
            return _json(refusal.reply)
        del self._recorder.files[request.match_info["document"]]
        return web.Response(status=200)

    def _file(self, request: web.Request) -> RecordingFile:
        signing.verify(
            self._access_key,
            method=request.method,
            path=request.raw_path,
            headers=request.headers,
            body=b"",
        )
        file = self._recorder.files.get(request.match_info["document"])
        if file is None:
            raise ServiceError(404, "8522", "Recording not found.")
        return file


def _json(reply: Reply) -> web.Response:
    return web.json_response(reply.body, status=reply.status)
