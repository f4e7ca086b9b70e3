"""Recordings: started and stopped through the real client, announced, fetched and deleted."""

import asyncio
import base64
import json
from typing import Any

import pytest
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.rest import HttpRequest

from simulator.acs import Say
from simulator.acs.audio import pcm_of
from simulator.acs.recordings import STORAGE_URL
from simulator.event_grid import EventGrid, HandshakeError
from tests.contract.acs_simulator_stage import (
    ACCESS_KEY,
    WAIT_S,
    Json,
    Stage,
    build_stage,
    listen,
    text,
)

WAV: Json = {
    "recording_content_type": "audio",
    "recording_channel_type": "mixed",
    "recording_format_type": "wav",
}
FILE_EVENT = "Microsoft.Communication.RecordingFileStatusUpdated"


async def start(stage: Stage, call_id: str, **options: Any) -> str:
    """Record a call; returns the recording id."""
    server_call_id = stage.sim.calls[call_id].server_call_id
    properties = await stage.client.start_recording(
        server_call_id=server_call_id, **{**WAV, **options}
    )
    return str(properties.recording_id)


async def file_event(stage: Stage) -> Json:
    """Wait for the event that the file is there."""
    async with asyncio.timeout(WAIT_S), stage.app.changed:
        await stage.app.changed.wait_for(
            lambda: any(one["eventType"] == FILE_EVENT for one in stage.app.offers)
        )
    return next(one for one in stage.app.offers if one["eventType"] == FILE_EVENT)


def chunk_of(event: Json) -> Json:
    """The only part of a recording."""
    (chunk,) = event["data"]["recordingStorageInfo"]["recordingChunks"]
    return dict(chunk)


async def fetch(
    client: CallAutomationClient, url: str, method: str = "GET", **headers: str
) -> tuple[int, bytes]:
    """Send through the client's own pipeline, which signs; its downloader refuses this machine."""
    recordings = client._call_recording_client
    assert url.startswith(STORAGE_URL)
    here = url.replace(STORAGE_URL, recordings._config.endpoint)
    request = HttpRequest(method, here, headers=headers)
    answer = await recordings._client._pipeline.run(request, stream=True)
    return answer.http_response.status_code, await answer.http_response.read()


def states(stage: Stage) -> list[str]:
    """The states that were announced, in order of arrival."""
    return [one["data"]["state"] for one in stage.app.of("RecordingStateChanged")]


async def test_recording_runs_from_start_to_the_end_of_the_call() -> None:
    """Active, inactive before CallDisconnected, then a file with both sides of the call."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([Say("balance")])
        call = stage.sim.calls[str(phone.call_connection_id)]
        recording_id = await start(stage, call.call_connection_id)
        event = await stage.app.wait_for("RecordingStateChanged")
        data = event["data"]
        path = f"calling/recordings/{call.server_call_id}/{recording_id}/RecordingStateChanged"
        assert (event["source"], event["subject"], data["eventSource"]) == (path, path, path)
        assert (data["recordingId"], data["state"]) == (recording_id, "active")
        assert data["correlationId"] == call.correlation_id
        assert json.loads(base64.b64decode(recording_id)).keys() == {
            "PlatformEndpointId",
            "ResourceSpecificId",
        }
        await listen(connection, "How can I help you?", "l1")
        await stage.app.wait_for("RecognizeCompleted", "l1")
        await connection.hang_up(is_for_everyone=True)
        ready = await file_event(stage)
        await stage.sim.idle(WAIT_S)
        assert states(stage) == ["active", "inactive"]
        names = [one["type"].rpartition(".")[2] for one in stage.sim.events]
        assert names[-2:] == ["RecordingStateChanged", "CallDisconnected"]
        assert ready["subject"] == (
            f"/recording/call/{call.server_call_id}/recordingId/{recording_id}"
        )
        assert ready["data"]["sessionEndReason"] == "CallEnded"
        status, wav = await fetch(stage.client, chunk_of(ready)["contentLocation"])
        assert status == 200
        pcm = pcm_of(wav)
        assert isinstance(pcm, bytes)
        assert ready["data"]["recordingDurationMs"] == round(len(pcm) / 32)
        # Text mode: a tone of 60 ms for each character that anybody said, at natural speed.
        assert len(pcm) / 32 >= 60 * len("How can I help you?balance")
        assert any(pcm)


async def test_recording_leaves_out_what_is_said_while_it_is_paused() -> None:
    """A card number spoken in a pause is not in the file."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        call_id = str(phone.call_connection_id)
        recording_id = await start(stage, call_id, pause_on_start=True)
        properties = await stage.client.get_recording_properties(recording_id)
        assert properties.recording_state == "inactive"
        await stage.client.pause_recording(recording_id)  # paused already: nothing happens
        await connection.play_media(text("A secret of many, many words."), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        for _ in range(2):
            await stage.client.resume_recording(recording_id)
        assert (
            await stage.client.get_recording_properties(recording_id)
        ).recording_state == "active"
        await connection.play_media(text("Hello."), operation_context="p2")
        await stage.app.wait_for("PlayCompleted", "p2")
        await stage.client.pause_recording(recording_id)
        await stage.client.stop_recording(recording_id)
        ready = await file_event(stage)
        await stage.sim.idle(WAIT_S)
        assert states(stage) == ["inactive", "active", "inactive", "inactive"]
        _, wav = await fetch(stage.client, chunk_of(ready)["contentLocation"])
        spoken_ms = sum(1 for at in range(44, len(wav), 320) if any(wav[at : at + 320])) * 10
        assert spoken_ms == pytest.approx(60 * len("Hello."), abs=30)


async def test_recording_that_was_stopped_is_gone() -> None:
    """Stopping ends it for good, and a call that ends later announces no second file."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        recording_id = await start(stage, str(phone.call_connection_id))
        await stage.client.stop_recording(recording_id)
        await file_event(stage)
        for again in (
            stage.client.stop_recording,
            stage.client.pause_recording,
            stage.client.resume_recording,
            stage.client.get_recording_properties,
        ):
            with pytest.raises(ResourceNotFoundError):
                await again(recording_id)
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        await stage.sim.idle(WAIT_S)
        assert states(stage) == ["active", "inactive"]
        assert sum(1 for one in stage.app.offers if one["eventType"] == FILE_EVENT) == 1
        assert [one.is_over for one in stage.sim.recordings] == [True]


async def test_recording_events_go_to_their_own_address() -> None:
    """An app may keep them apart from those of the call."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        elsewhere = stage.app.url + "?recording=1"
        await start(stage, str(phone.call_connection_id), recording_state_callback_url=elsewhere)
        await stage.app.wait_for("RecordingStateChanged")
        (recording,) = stage.sim.recordings
        assert recording.callback_uri == elsewhere


async def test_recording_is_started_by_connection_too() -> None:
    """The other way to name a call answers 202, and the client takes that."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        properties = await stage.client.start_recording(
            call_connection_id=str(phone.call_connection_id), **WAV
        )
        assert properties.recording_state == "active"
        (request,) = [one for one in stage.sim.requests if one.operation == "startRecording"]
        assert request.status == 202


@pytest.mark.parametrize(
    ("locator", "options", "status", "code"),
    [
        ("nobody", WAV, 404, "8522"),
        (None, {}, 400, "8523"),
        (None, {**WAV, "recording_format_type": "mp3"}, 400, "8523"),
        (None, {**WAV, "recording_channel_type": "unmixed"}, 400, "8523"),
    ],
)
async def test_recording_is_refused(
    locator: str | None, options: Json, status: int, code: str
) -> None:
    """A call nobody knows, and formats that are not made here: told, never something else."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        call = stage.sim.calls[str(phone.call_connection_id)]
        with pytest.raises(HttpResponseError) as refused:
            await stage.client.start_recording(
                server_call_id=locator or call.server_call_id, **options
            )
        assert refused.value.status_code == status
        assert refused.value.error is not None
        assert refused.value.error.code == code


async def test_recording_of_a_call_runs_once() -> None:
    """A second start is refused while one runs, and allowed after it."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        call_id = str(phone.call_connection_id)
        first = await start(stage, call_id)
        with pytest.raises(HttpResponseError) as refused:
            await start(stage, call_id)
        assert refused.value.error is not None
        assert refused.value.error.code == "8553"
        await stage.client.stop_recording(first)
        assert await start(stage, call_id) != first


async def test_recording_start_that_is_repeated_is_answered_from_memory() -> None:
    """A retry after a lost answer gets the same recording and not a refusal."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        again = {
            "Repeatability-Request-ID": "5ec0ffee-0000-4000-8000-000000000001",
            "Repeatability-First-Sent": "Sun, 22 Nov 2026 07:32:00 GMT",
        }
        call_id = str(phone.call_connection_id)
        ids = {await start(stage, call_id, headers=again) for _ in range(2)}
        assert len(ids) == len(stage.sim.recordings) == 1


async def test_recording_of_a_call_that_is_over_is_refused() -> None:
    """Whoever comes too late is told that there is no call."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        with pytest.raises(ResourceNotFoundError):
            await start(stage, str(phone.call_connection_id))


async def test_recording_file_is_given_in_parts_and_deleted() -> None:
    """Ranges and metadata as the client asks for them; once deleted it is gone."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        recording_id = await start(stage, str(phone.call_connection_id))
        await connection.play_media(text("Hello."), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        await stage.client.stop_recording(recording_id)
        chunk = chunk_of(await file_event(stage))
        _, whole = await fetch(stage.client, chunk["contentLocation"])
        part = await fetch(stage.client, chunk["contentLocation"], Range="bytes=4-43")
        assert part == (206, whole[4:44])
        bad = await fetch(stage.client, chunk["contentLocation"], Range="lines=1-2")
        assert bad[0] == 416
        status, metadata = await fetch(stage.client, chunk["metadataLocation"])
        assert status == 200
        assert json.loads(metadata)["chunkDocumentId"] == chunk["documentId"]
        assert (await fetch(stage.client, chunk["deleteLocation"], "DELETE"))[0] == 200
        for method, place in (
            ("GET", "contentLocation"),
            ("GET", "metadataLocation"),
            ("DELETE", "deleteLocation"),
        ):
            assert (await fetch(stage.client, chunk[place], method))[0] == 404


async def test_recording_file_is_given_to_nobody_without_the_key() -> None:
    """What callers said is behind the same signature as everything else."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        recording_id = await start(stage, str(phone.call_connection_id))
        await stage.client.stop_recording(recording_id)
        chunk = chunk_of(await file_event(stage))
        wrong = base64.b64encode(b"some other key, not the right one").decode()
        assert wrong != ACCESS_KEY
        async with CallAutomationClient(stage.sim.endpoint, AzureKeyCredential(wrong)) as stranger:
            for method, place in (
                ("GET", "contentLocation"),
                ("GET", "metadataLocation"),
                ("DELETE", "deleteLocation"),
            ):
                assert (await fetch(stranger, chunk[place], method))[0] == 401
        assert (await fetch(stage.client, chunk["contentLocation"]))[0] == 200


async def test_handshake_tells_a_missing_function_from_a_broken_one() -> None:
    """The stack leaves a subscription out only where the app has no such function."""
    async with build_stage() as stage:
        grid = EventGrid()
        try:
            with pytest.raises(HandshakeError) as missing:
                await grid.subscribe(stage.app.url.replace("/callbacks", "/nowhere"))
            assert missing.value.status == 404
            with pytest.raises(HandshakeError) as other:
                await grid.subscribe(stage.app.url.replace("/callbacks", ""), schema="cloudevents")
            assert other.value.status == 404
            with pytest.raises(HandshakeError) as silent:
                await grid.subscribe("http://127.0.0.1:9/")
            assert silent.value.status is None
        finally:
            await grid.aclose()
