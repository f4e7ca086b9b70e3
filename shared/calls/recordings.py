"""Recordings of calls: fetched from ACS when they are ready, transcribed, kept with the session."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import cast

from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.core.rest import AsyncHttpResponse

from shared.calls.codec import trace_parent_of
from shared.calls.recording_events import RecordingReady
from shared.calls.reports import Reports
from shared.errors import InvalidRequestError, NotFoundError, SessionNotFoundError, UpstreamError
from shared.speech.desk import Transcript
from shared.speech.sound import Sound, SoundFormat
from shared.state.memo import MemoManager
from shared.state.store import SessionStore
from shared.telemetry import names
from shared.telemetry.context import log_facts
from shared.telemetry.logs import get_logger
from shared.telemetry.tracing import span
from shared.types import Json

logger = get_logger(__name__)

FETCH_S = 30.0
MAX_SOUND_S = 360
"""Of one recording. The service listens twice as fast as people speak, and an invocation ends after
five minutes; what comes later is in the file, which ACS keeps for a day."""
_MAX_BYTES = MAX_SOUND_S * SoundFormat.PCM_24KHZ.bytes_per_s
"""Of one part; more than that is never listened to."""


class RecordingFiles:
    """Fetches what ACS has recorded."""

    def __init__(self, client: CallAutomationClient) -> None:
        """Use *client*: it signs, and sends its signature to the storage hosts of ACS only."""
        self._client = client

    async def fetch(self, location: str) -> bytes:
        """The file at *location*, or as much of its beginning as is of use.

        Raises:
            InvalidRequestError: The location is not one of ACS.
            NotFoundError: The file is gone; ACS keeps it for a day.
            UpstreamError: ACS failed; the same call may be made again.
        """
        try:
            async with asyncio.timeout(FETCH_S):
                # Typed as an iterable of bytes, but it is the response itself.
                stream = cast(AsyncHttpResponse, await self._client.download_recording(location))
                async with stream:
                    return await _beginning_of(stream)
        except ValueError as err:
            raise InvalidRequestError("contentLocation: not a storage host of ACS") from err
        except ResourceNotFoundError as err:
            raise NotFoundError("the recording is gone") from err
        except (AzureError, TimeoutError) as err:
            raise UpstreamError("the recording cannot be fetched") from err

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()


class CallRecordings:
    """Turns recordings into what the session knows of them."""

    def __init__(
        self,
        files: RecordingFiles,
        store: SessionStore,
        transcribe: Callable[[Sound], Awaitable[Transcript]],
        reports: Reports,
    ) -> None:
        self._files = files
        self._store = store
        self._transcribe = transcribe
        self._reports = reports

    async def aclose(self) -> None:
        """Close the connections."""
        await self._files.aclose()

    async def keep(self, ready: RecordingReady) -> None:
        """Transcribe a recording and keep the text as ``recording:<id>`` with the session.

        Again changes nothing. Delivered again while it is under way, it is transcribed again, with
        the same result under the same name.

        Raises:
            SessionNotFoundError: No session that still exists had this call.
            InvalidRequestError: The file cannot be read, or is not where ACS keeps its files.
            PoolExhaustedError, UpstreamError: The event may be delivered again.
        """
        session_id = await self._store.session_for_server_call(ready.server_call_id)
        if session_id is None:
            raise SessionNotFoundError("there is no such session, or it has expired")
        loaded = await self._store.load(session_id)
        with log_facts(session_id=session_id), span(names.SPAN_RECORDING) as keeping:
            keeping.link(trace_parent_of(loaded.call))
            if loaded.memo.get_context(recording_key(ready.recording_id)) is None:
                transcript = await self._keep(ready, loaded.memo)
                logger.info("recording kept", extra={"phrases": len(transcript.phrases)})
            # The call is over, and its report may have been kept without this.
            await self._reports.keep(session_id)

    async def _keep(self, ready: RecordingReady, memo: MemoManager) -> Transcript:
        sounds = [Sound.from_wav(await self._files.fetch(one)) for one in ready.locations]
        heard = _beginning(sounds)
        transcript = await self._transcribe(heard)
        key = recording_key(ready.recording_id)
        memo.set_context(key, _as_json(transcript, ready.duration_ms))
        await memo.persist()
        return transcript


def recording_key(recording_id: str) -> str:
    """The context key under which a recording's text is kept."""
    return f"recording:{recording_id}"


def _beginning(sounds: list[Sound]) -> Sound:
    """As much of the parts as there is time to listen to."""
    kinds = {sound.format for sound in sounds}
    if len(kinds) != 1:
        raise InvalidRequestError("the parts of the recording differ in their format")
    kind: SoundFormat = kinds.pop()
    data = b"".join(sound.data for sound in sounds)
    return Sound(data[: MAX_SOUND_S * kind.bytes_per_s], kind)


async def _beginning_of(stream: AsyncHttpResponse) -> bytes:
    data = bytearray()
    async for part in stream.iter_bytes():
        data += part
        if len(data) >= _MAX_BYTES:
            break
    return bytes(data[:_MAX_BYTES])


def _as_json(transcript: Transcript, duration_ms: int | None) -> Json:
    return {
        "text": transcript.text,
        "phrases": [
            {
                "text": phrase.text,
                "offset_ms": round(phrase.offset_ms),
                "duration_ms": round(phrase.duration_ms),
                "confidence": phrase.confidence,
            }
            for phrase in transcript.phrases
        ],
        "duration_ms": duration_ms,
        "transcribed_ms": round(transcript.duration_ms),
        "speech": transcript.allocation.as_json(),
    }
