"""From a recorded call to its text in the session: real clients, stand-ins of ACS and Speech."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import azure.functions as func
import pytest

from functions.events_calls import on_recording_ready
from shared.calls.acs_client import connect_client
from shared.calls.codec import encode
from shared.calls.commands import StartRecording
from shared.calls.recording_events import parse_recording_ready
from shared.calls.recordings import MAX_SOUND_S, CallRecordings, RecordingFiles, recording_key
from shared.calls.state import CallState, Phase
from shared.errors import UpstreamError
from shared.pools.allocation import AllocationTier
from shared.speech.desk import Transcript
from shared.speech.rendition import Allocation
from shared.speech.sound import Sound
from shared.state.commits import Commit
from shared.state.session_ids import new_session_id
from shared.types import AgentName, CallConnectionId, CommandId, Json, SessionId
from simulator.acs import Say
from simulator.acs.audio import wav_of
from simulator.acs.recordings import FILES_PATH, STORAGE_URL, RecordingFile
from simulator.speech import SpeechStandIn
from simulator.speech.faults import Fault
from tests.contract.acs_simulator_stage import ACCESS_KEY, WAIT_S, Stage, build_stage, listen
from tests.contract.speech_app_stage import SpeechApp, running_app
from tests.contract.speech_stage import running_stand_in
from tests.contract.test_acs_simulator_recordings import file_event

pytest_plugins = ("tests.contract.redis_fixture",)

SAID = "please block my card"


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """ACS and a phone."""
    async with build_stage() as built:
        yield built


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A speech service that understands everything as SAID."""
    async with running_stand_in() as running:
        running.hear(SAID)
        yield running


@pytest.fixture
async def app(server: SpeechStandIn, stage: Stage, redis_url: str) -> AsyncIterator[SpeechApp]:
    """The app, with both of them."""
    acs = {
        "ACS_ENDPOINT": stage.sim.endpoint,
        "ACS_ACCESS_KEY": ACCESS_KEY,
        "ACS_STORAGE_GATEWAY": stage.sim.endpoint,
        "RECORD_CALLS": "true",
    }
    async with running_app(server, redis_url, **acs) as running:
        yield running
        if (recordings := running.parts.recordings.built) is not None:
            await recordings.aclose()


async def recorded_call(stage: Stage, app: SpeechApp) -> tuple[SessionId, Json]:
    """A session whose call was recorded and is over, and the event that the file is ready."""
    phone, connection = await stage.answer([Say("balance")])
    call = stage.sim.calls[str(phone.call_connection_id)]
    telephony = await app.parts.telephony.get()
    command = StartRecording(CommandId("startrecording-1"))
    await telephony.start_recording(CallConnectionId(call.call_connection_id), command)
    await listen(connection, "How can I help you?", "l1")
    await stage.app.wait_for("RecognizeCompleted", "l1")
    await connection.hang_up(is_for_everyone=True)
    session_id = new_session_id()
    store = await app.parts.store.get()
    state = CallState(session_id=session_id, agent=AgentName("concierge"), phase=Phase.ENDED)
    await store.commit(
        Commit(session_id=session_id, call=encode(state), link_server_call=call.server_call_id)
    )
    return session_id, await file_event(stage)


async def deliver(event: Json, **changes: object) -> None:
    """Let Event Grid tell the app."""
    body = {**event, **changes}
    await on_recording_ready(
        func.EventGridEvent(
            id=body["id"],
            data=body["data"],
            topic="t",
            subject=body["subject"],
            event_type=body["eventType"],
            event_time=datetime.now(UTC),
            data_version="1.0",
        )
    )


async def kept(app: SpeechApp, session_id: SessionId, event: Json) -> Json | None:
    """What the session knows of the recording."""
    memo = (await (await app.parts.store.get()).load(session_id)).memo
    recording_id = event["subject"].rpartition("/")[2]
    found: Json | None = memo.get_context(recording_key(recording_id))
    return found


async def test_recording_is_transcribed_and_kept_once(
    app: SpeechApp, stage: Stage, server: SpeechStandIn
) -> None:
    """Text, times, confidence and lengths; a second delivery changes and fetches nothing."""
    session_id, event = await recorded_call(stage, app)
    await deliver(event)
    found = await kept(app, session_id, event)
    assert found is not None
    assert found["text"] == SAID
    assert [one["text"] for one in found["phrases"]] == [SAID]
    assert found["duration_ms"] == event["data"]["recordingDurationMs"]
    assert found["transcribed_ms"] == found["duration_ms"]
    assert found["speech"]["tier"] in ("warm", "cold")
    server.hear("something else")
    await deliver(event)
    assert await kept(app, session_id, event) == found


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "/recording/call/unknown/recordingId/r"),
        ("subject", "/something/else"),
        ("data", {}),
        ("data", {"recordingStorageInfo": {"recordingChunks": []}}),
        ("data", {"recordingStorageInfo": {"recordingChunks": [{"index": 0}]}}),
        (
            "data",
            {
                "recordingStorageInfo": {
                    "recordingChunks": [{"contentLocation": "https://x.test/a"}]
                }
            },
        ),
        (
            "data",
            {
                "recordingStorageInfo": {
                    "recordingChunks": [
                        {
                            "contentLocation": "https://storage.asm.skype.com/v1/objects/0/content/audio"
                        }
                    ]
                }
            },
        ),
    ],
)
async def test_recording_that_can_never_be_kept_is_acknowledged(
    app: SpeechApp, stage: Stage, field: str, value: object
) -> None:
    """Unknown calls, events without a place, strange hosts, files that are gone: no redelivery."""
    session_id, event = await recorded_call(stage, app)
    await deliver(event, **{field: value})
    assert await kept(app, session_id, event) is None


async def test_recording_is_delivered_again_while_speech_is_down(
    app: SpeechApp, stage: Stage, server: SpeechStandIn
) -> None:
    """The failure reaches Event Grid; the next delivery finds the service well and keeps all."""
    session_id, event = await recorded_call(stage, app)
    server.inject(*[Fault("refuse", "recognition")] * 50)
    with pytest.raises(UpstreamError):
        await deliver(event)
    assert await kept(app, session_id, event) is None
    server.studio.faults.clear()
    await deliver(event)
    found = await kept(app, session_id, event)
    assert found is not None
    assert found["text"] == SAID


async def test_recording_that_is_too_long_is_heard_from_its_beginning(
    app: SpeechApp, stage: Stage
) -> None:
    """There is no time for more within an invocation; what is kept says how far it goes."""
    session_id, event = await recorded_call(stage, app)
    location = event["data"]["recordingStorageInfo"]["recordingChunks"][0]["contentLocation"]
    document = location.removeprefix(f"{STORAGE_URL}{FILES_PATH}/").partition("/")[0]
    hour = RecordingFile(wav_of(bytes(3600 * 32_000)), {})
    stage.sim.recording_files[document] = hour
    given: list[Sound] = []

    async def listen_to(sound: Sound) -> Transcript:
        given.append(sound)
        return Transcript((), sound.duration_ms, Allocation(AllocationTier.WARM, 0.0))

    files = RecordingFiles(
        connect_client(
            stage.sim.endpoint, ACCESS_KEY, timeout_s=WAIT_S, storage_gateway=stage.sim.endpoint
        )
    )
    store, reports = await app.parts.store.get(), await app.parts.reports.get()
    recordings = CallRecordings(files, store, listen_to, reports)
    changed = {**event["data"], "recordingDurationMs": 3_600_000}
    await recordings.keep(parse_recording_ready(event["subject"], changed))
    await recordings.aclose()
    assert [sound.duration_ms for sound in given] == [MAX_SOUND_S * 1000]
    found = await kept(app, session_id, event)
    assert found is not None
    assert (found["duration_ms"], found["transcribed_ms"]) == (3_600_000, MAX_SOUND_S * 1000)
