"""Speaking, tones and failing requests behave as with the service, through the real client."""

import io
import wave
from typing import Any

import pytest
from azure.communication.callautomation import (
    DtmfTone,
    FileSource,
    SsmlSource,
    TextSource,
)
from azure.core.exceptions import HttpResponseError, ServiceRequestError, ServiceResponseError
from hypothesis import given
from hypothesis import strategies as st

from simulator.acs import (
    Pace,
    Press,
    RestFault,
    Say,
)
from simulator.acs.media import MediaQueue, Operation, Origin, Play
from tests.contract.acs_simulator_stage import (
    build_stage,
    caller,
    listen,
    result_of,
    text,
)

SLOW = Pace(speed=1, ms_per_char=10_000, ring_s=500, connect_ms=1)
"""A prompt takes minutes: nothing ends by itself while a test looks at it."""


def wav(seconds: float, rate_hz: int = 16_000) -> bytes:
    """A silent WAV file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(bytes(int(seconds * rate_hz) * 2))
    return buffer.getvalue()


async def test_play_starts_and_completes() -> None:
    """Both events carry the context of the play."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        await connection.play_media(text("Hello."), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        assert len(stage.app.of("PlayStarted", "p1")) == 1
        assert [(h.text, h.operation_context, h.interrupted) for h in phone.heard] == [
            ("Hello.", "p1", False)
        ]


async def test_plays_queue_in_order() -> None:
    """Sentences sent one after the other are heard one after the other."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        for number in range(4):
            await connection.play_media(text(f"Sentence {number}."), operation_context=f"p{number}")
        await stage.app.wait_for("PlayCompleted", "p3")
        assert [h.text for h in phone.heard] == [f"Sentence {n}." for n in range(4)]
        names = [
            (event["type"].rpartition(".")[2], event["data"]["operationContext"])
            for event in stage.sim.events
            if "Play" in event["type"]
        ]
        assert names == [
            (f"Play{end}", f"p{n}") for n in range(4) for end in ("Started", "Completed")
        ]


async def test_cancel_all_calls_off_what_runs_and_what_waits() -> None:
    """Every operation hears of its end, each by its own kind of event."""
    async with build_stage(pace=SLOW) as stage:
        phone, connection = await stage.answer([Say("never")])
        await connection.play_media(text("Long."), operation_context="p1")
        await connection.play_media(text("Waiting."), operation_context="p2")
        await listen(connection, "Waiting too.", "r3")
        await stage.app.wait_for("PlayStarted", "p1")
        await connection.cancel_all_media_operations()
        for name, context in (
            ("PlayCanceled", "p1"),
            ("PlayCanceled", "p2"),
            ("RecognizeCanceled", "r3"),
        ):
            assert result_of(await stage.app.wait_for(name, context)) == (400, 8508)
        assert [(h.text, h.interrupted) for h in phone.heard] == [("Long.", True)]


async def test_interrupting_play_pushes_the_rest_aside() -> None:
    """What is canceled is told so, and the new prompt starts at once."""
    async with build_stage(pace=SLOW) as stage:
        phone, connection = await stage.answer()
        await connection.play_media(text("Long."), loop=True, operation_context="p1")
        await stage.app.wait_for("PlayStarted", "p1")
        await connection.play_media(
            text("Now."), interrupt_call_media_operation=True, operation_context="p2"
        )
        await stage.app.wait_for("PlayCanceled", "p1")
        await stage.app.wait_for("PlayStarted", "p2")
        assert [(h.text, h.interrupted) for h in phone.heard] == [("Long.", True), ("Now.", False)]


async def test_loop_starts_once_and_never_completes() -> None:
    """Hold music ends only when it is called off."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        await connection.play_media(text("Music"), loop=True, operation_context="p1")
        await stage.app.wait_for("PlayStarted", "p1")
        # A play in another call takes longer than several rounds of the loop.
        _, other = await stage.answer()
        await other.play_media(text("x" * 200), operation_context="p2")
        await stage.app.wait_for("PlayCompleted", "p2")
        await connection.cancel_all_media_operations()
        await stage.app.wait_for("PlayCanceled", "p1")
        assert len(stage.app.of("PlayStarted", "p1")) == 1
        assert stage.app.of("PlayCompleted", "p1") == []


async def test_file_is_played_for_its_length() -> None:
    """Sound files are fetched from the app, each time their own length."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        stage.app.files["a.wav"] = wav(10)
        url = stage.app.url.replace("/callbacks", "/files/a.wav")
        await connection.play_media(FileSource(url=url), operation_context="p1")
        await connection.play_media(text("Next."), operation_context="p2")
        await stage.app.wait_for("PlayStarted", "p2")
        first, second = phone.heard
        assert second.at_s - first.at_s >= 10 / 50


@pytest.mark.parametrize(
    ("source", "result"),
    [
        ("missing.wav", (400, 8536)),
        (FileSource(url="http://127.0.0.1:9/refused.wav"), (400, 8536)),
        ("broken.wav", (400, 8535)),
        ("telephone.wav", (400, 8535)),
        (TextSource(text="No voice"), (401, 8565)),
        (TextSource(text="Blank voice", voice_name=""), (401, 8565)),
        (text("  "), (400, 8582)),
        (SsmlSource(ssml_text="<speak></speak>"), (400, 8582)),
    ],
)
async def test_prompt_that_cannot_be_played_fails(source: Any, result: tuple[int, int]) -> None:
    """The app must learn which source failed; for a recognition it is a failed prompt."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        stage.app.files["broken.wav"] = b"not a sound file"
        stage.app.files["telephone.wav"] = wav(1, rate_hz=8_000)
        if isinstance(source, str):
            source = FileSource(url=stage.app.url.replace("/callbacks", f"/files/{source}"))
        await connection.play_media([text("Fine."), source], operation_context="p1")
        failed = await stage.app.wait_for("PlayFailed", "p1")
        assert result_of(failed) == result
        assert failed["data"]["failedPlaySourceIndex"] == 1
        await connection.start_recognizing_media(
            "speech", caller(), play_prompt=source, operation_context="r1"
        )
        assert result_of(await stage.app.wait_for("RecognizeFailed", "r1")) == (500, 8511)


async def test_ssml_is_heard_as_its_words() -> None:
    """A transcript is for people."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        ssml = '<speak><voice name="v">Fish &amp; <break/> chips</voice></speak>'
        await connection.play_media(SsmlSource(ssml_text=ssml), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        assert phone.heard[0].text == "Fish & chips"


async def test_speech_needs_a_linked_resource() -> None:
    """Without a cognitive services endpoint at answer time only files and keys work."""
    async with build_stage() as stage:
        _, connection = await stage.answer([Press("1")], speech=False)
        for refused in (
            connection.play_media(text("Hello")),
            connection.start_recognizing_media("speech", caller()),
        ):
            with pytest.raises(HttpResponseError) as error:
                await refused
            assert error.value.status_code == 405
            assert error.value.error is not None
            assert error.value.error.code == "8522"
        await connection.start_recognizing_media(
            "dtmf", caller(), dtmf_max_tones_to_collect=1, operation_context="r1"
        )
        await stage.app.wait_for("RecognizeCompleted", "r1")


async def test_tones_can_be_sent_up_to_eighteen() -> None:
    """More than that is refused; while tones are sent another sender must wait."""
    async with build_stage(pace=Pace(speed=5, ring_s=50)) as stage:
        _, connection = await stage.answer()
        with pytest.raises(HttpResponseError):
            await connection.send_dtmf_tones([DtmfTone.ONE] * 19, caller())
        await connection.send_dtmf_tones([DtmfTone.ONE] * 18, caller(), operation_context="s1")
        with pytest.raises(HttpResponseError) as clash:
            await connection.send_dtmf_tones([DtmfTone.ONE], caller())
        assert clash.value.status_code == 412
        assert result_of(await stage.app.wait_for("SendDtmfTonesCompleted", "s1")) == (200, 0)


async def test_plays_to_one_participant_exclude_each_other() -> None:
    """Operations on one leg do not queue; the second one is refused."""
    async with build_stage(pace=SLOW) as stage:
        _, connection = await stage.answer()
        await connection.play_media(text("Only you."), [caller()], operation_context="p1")
        with pytest.raises(HttpResponseError) as clash:
            await connection.play_media(text("Only you."), [caller()])
        assert clash.value.status_code == 412
        await connection.play_media(text("Everybody."), operation_context="p2")


async def test_events_of_an_operation_go_where_it_wants() -> None:
    """A callback address of one operation does not change that of the call."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        elsewhere = stage.app.url + "?operation=1"
        await connection.play_media(
            text("Hello."), operation_context="p1", operation_callback_url=elsewhere
        )
        await stage.app.wait_for("PlayCompleted", "p1")
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        asked = next(r for r in stage.sim.requests if r.operation == "play")
        assert asked.body["operationCallbackUri"] == elsewhere
        assert asked.operation_context == "p1"


async def test_retried_play_plays_twice() -> None:
    """Play has no repeatability: a success that looks like a failure is done again."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        stage.sim.chaos.rest_faults.append(RestFault("play", 500, after_effect=True))
        await connection.play_media(text("Once?"), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1", count=2)
        assert [entry.text for entry in phone.heard] == ["Once?", "Once?"]


@pytest.mark.parametrize("after_effect", [True, False])
async def test_dropped_connection_hides_what_happened(after_effect: bool) -> None:
    """Without an answer the app cannot know; only the callbacks tell."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        stage.sim.chaos.rest_faults.append(RestFault("play", None, after_effect=after_effect))
        with pytest.raises((ServiceRequestError, ServiceResponseError)):
            await connection.play_media(text("Hello?"), operation_context="p1")
        await connection.play_media(text("Again."), operation_context="p2")
        await stage.app.wait_for("PlayCompleted", "p2")
        assert len(phone.heard) == (2 if after_effect else 1)
        assert [r.status for r in stage.sim.requests if r.operation == "play"] == [None, 202]


async def test_throttled_request_is_retried_by_the_client() -> None:
    """A Retry-After makes the client try again, whatever the status is."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        stage.sim.chaos.rest_faults.append(RestFault("play", 429, retry_after=0, times=2))
        await connection.play_media(text("Hello."), operation_context="p1")
        asked = [r.status for r in stage.sim.requests if r.operation == "play"]
        assert asked == [429, 429, 202]


def _play(number: int, interrupts: bool) -> Operation:
    return Play(sources=(), origin=Origin(str(number)), interrupts=interrupts)


@given(st.lists(st.sampled_from(["add", "interrupt", "finish", "cancel"]), max_size=40))
def test_queue_ends_every_operation_once_and_in_order(actions: list[str]) -> None:
    """Nothing is lost, nothing ends twice, and nobody overtakes in the queue."""
    queue, added, ended = MediaQueue(), list[Operation](), list[Operation]()
    for number, action in enumerate(actions):
        if action in {"add", "interrupt"}:
            operation = _play(number, interrupts=action == "interrupt")
            added.append(operation)
            ended.extend(queue.add(operation))
        elif action == "cancel":
            ended.extend(queue.cancel_all())
        elif queue.running is not None:
            running = queue.running
            assert queue.finish(running)
            assert not queue.finish(running)
            ended.append(running)
        queue.start_next()
        assert (queue.running is None) == (not queue.waiting and len(ended) == len(added))
    left = queue.cancel_all()
    assert ended + left == added
