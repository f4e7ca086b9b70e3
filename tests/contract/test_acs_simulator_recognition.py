"""Listening behaves as the service does it, seen through the real client."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from azure.communication.callautomation import (
    DtmfTone,
    RecognitionChoice,
    RecognizeInputType,
)
from azure.core.exceptions import HttpResponseError

from simulator.acs import (
    EndReason,
    HangUp,
    Heard,
    Mumble,
    Pace,
    Press,
    Say,
    SilentFor,
    Stay,
    Step,
)
from tests.contract.acs_simulator_stage import (
    build_stage,
    caller,
    listen,
    result_of,
    text,
)

MENU = [
    RecognitionChoice(label="Support", phrases=["customer help", "support"], tone=DtmfTone.ONE),
    RecognitionChoice(label="Sales", phrases=["sales"], tone=DtmfTone.TWO),
]


async def test_speech_is_recognized_after_the_prompt() -> None:
    """The prompt of a recognition is announced under the recognition's context."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([Say("Check my order.")])
        await listen(connection, "How can I help?", "r1", input_type=RecognizeInputType.SPEECH)
        done = await stage.app.wait_for("RecognizeCompleted", "r1")
        await stage.app.wait_for("PlayStarted", "r1")
        assert done["data"]["recognitionType"] == "speech"
        assert done["data"]["speechResult"]["speech"] == "Check my order."
        assert result_of(done) == (200, 8569)
        assert stage.app.of("PlayCompleted") == []
        assert phone.heard[0].interrupted is False


@pytest.mark.parametrize("may_interrupt", [True, False])
async def test_barge_in_needs_permission(may_interrupt: bool) -> None:
    """Only a prompt that may be interrupted is cut short; otherwise the caller waits."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([Say("Stop", interrupts=True)])
        await listen(connection, "A long prompt.", "r1", interrupt_prompt=may_interrupt)
        await stage.app.wait_for("RecognizeCompleted", "r1")
        assert phone.heard[0].interrupted is may_interrupt


async def test_hanging_up_in_the_middle_of_a_prompt_ends_everything() -> None:
    """The operation that was running is never heard of again."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([HangUp(interrupts=True)])
        await listen(connection, "A long prompt.", "r1", interrupt_prompt=False)
        assert (await phone.ended(5)).reason == EndReason.CALLER_HUNG_UP
        await stage.app.wait_for("CallDisconnected")
        assert phone.heard[0].interrupted is True
        assert [e for e in stage.sim.events if "Recognize" in e["type"]] == []


async def test_end_of_the_script_hangs_up_after_the_prompt() -> None:
    """A caller who has nothing to say hears the agent out."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([])
        await listen(connection, "Anything else?", "r1")
        assert (await phone.ended(5)).reason == EndReason.CALLER_HUNG_UP
        assert phone.heard[0].interrupted is False


SPEECH, DTMF = RecognizeInputType.SPEECH, RecognizeInputType.DTMF


CHOICES, BOTH = RecognizeInputType.CHOICES, RecognizeInputType.SPEECH_OR_DTMF


OUTCOMES: list[tuple[RecognizeInputType, Step, dict[str, Any], int, dict[str, Any]]] = [
    (BOTH, Press("1234"), {}, 8531, {"tones": ["one", "two", "three", "four"]}),
    (BOTH, Press("12#"), {"dtmf_stop_tones": [DtmfTone.POUND]}, 8514, {"tones": ["one", "two"]}),
    (DTMF, Press("*A#9"), {}, 8531, {"tones": ["asterisk", "a", "pound", "nine"]}),
    (DTMF, Press("12"), {}, 8532, {}),
    (DTMF, Say("twelve"), {}, 8510, {}),
    (DTMF, Mumble(), {}, 8510, {}),
    (SPEECH, Press("1"), {}, 8510, {}),
    (SPEECH, Stay(), {}, 8510, {}),
    (SPEECH, Mumble(), {}, 8563, {}),
    (BOTH, Say("..."), {}, 8563, {}),
    (CHOICES, Say("Support, please!"), {"choices": MENU}, 8545, {"label": "Support"}),
    (CHOICES, Say("Nothing"), {"choices": MENU}, 8547, {}),
    (CHOICES, Press("2"), {"choices": MENU}, 8533, {"label": "Sales"}),
    (CHOICES, Press("9"), {"choices": MENU}, 8534, {}),
]


@pytest.mark.parametrize(("kind", "step", "options", "sub_code", "found"), OUTCOMES)
async def test_recognition_ends_in_the_documented_way(
    kind: RecognizeInputType,
    step: Step,
    options: dict[str, Any],
    sub_code: int,
    found: dict[str, Any],
) -> None:
    """The app decides by the subcode what to say next."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([step, Stay()])
        await listen(connection, "Well?", "r1", input_type=kind, **options)
        name = "RecognizeCompleted" if found else "RecognizeFailed"
        event = await stage.app.wait_for(name, "r1")
        assert event["data"]["resultInformation"]["subCode"] == sub_code
        result = event["data"].get("dtmfResult") or event["data"].get("choiceResult") or {}
        assert found.items() <= result.items()
        if sub_code == 8510:
            assert isinstance(phone.transcript[-1], SilentFor)


async def test_words_pass_by_where_only_keys_count() -> None:
    """A caller leaves a message of as many sentences as they like; the key ends it."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([Say("one"), Mumble(), Say("two"), Press("#")])
        keys = {"interrupt_prompt": False, "dtmf_stop_tones": [DtmfTone.POUND]}
        await listen(connection, "Go on.", "r1", input_type=DTMF, **keys)
        done = await stage.app.wait_for("RecognizeCompleted", "r1")
    assert done["data"]["resultInformation"]["subCode"] == 8514
    assert [one.text for one in phone.said] == ["one", "two"]


async def test_canceled_recognition_keeps_the_step_for_the_next() -> None:
    """A step is used up by being carried out, not by being planned."""
    async with build_stage(pace=Pace(speed=50, ring_s=500, reaction_ms=0)) as stage:
        _, connection = await stage.answer([Say("still here")])
        await listen(connection, "x" * 2_000, "r1", interrupt_prompt=False)
        await stage.app.wait_for("PlayStarted", "r1")
        await connection.cancel_all_media_operations()
        await stage.app.wait_for("RecognizeCanceled", "r1")
        await listen(connection, None, "r2")
        done = await stage.app.wait_for("RecognizeCompleted", "r2")
        assert done["data"]["speechResult"]["speech"] == "still here"


async def test_responder_decides_from_what_it_heard() -> None:
    """A person at a terminal answers what the agent has just said."""
    heard_before: list[list[str]] = []

    async def repeat(heard: Sequence[Heard]) -> Step:
        heard_before.append([entry.text for entry in heard])
        return Say(heard[-1].text) if len(heard_before) < 3 else HangUp()

    async with build_stage() as stage:
        phone, connection = await stage.answer(repeat)
        await connection.play_media(text("Welcome."))
        for number in range(3):
            await listen(connection, f"Prompt {number}.", f"r{number}")
        await phone.ended(5)
        assert [entry.text for entry in phone.said] == ["Prompt 0.", "Prompt 1."]
        assert heard_before == [["Welcome.", "Prompt 0."], ["Prompt 1."], ["Prompt 2."]]


async def test_broken_responder_hangs_up() -> None:
    """A bug of the caller's must end the call, not leave everybody waiting."""

    async def stumble(heard: Sequence[Heard]) -> Step:
        raise LookupError(len(heard))

    async with build_stage() as stage:
        phone, connection = await stage.answer(stumble)
        await listen(connection, "Well?", "r1")
        assert (await phone.ended(5)).reason == EndReason.CALLER_HUNG_UP


async def test_slow_responder_is_silence_and_then_speaks() -> None:
    """Who thinks longer than the app waits is asked again, and their answer is not lost."""
    made_up = asyncio.Event()

    async def think(heard: Sequence[Heard]) -> Step:
        await made_up.wait()
        return Say("Now I know")

    async with build_stage() as stage:
        _, connection = await stage.answer(think)
        await listen(connection, "Well?", "r1", initial_silence_timeout=1)
        assert result_of(await stage.app.wait_for("RecognizeFailed", "r1")) == (400, 8510)
        made_up.set()
        await listen(connection, "Still there?", "r2")
        done = await stage.app.wait_for("RecognizeCompleted", "r2")
        assert done["data"]["speechResult"]["speech"] == "Now I know"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (SPEECH, {"initial_silence_timeout": 21}),
        (DTMF, {"initial_silence_timeout": 301}),
        (DTMF, {"dtmf_inter_tone_timeout": 61}),
        (CHOICES, {}),
    ],
)
async def test_bad_recognitions_are_refused(
    kind: RecognizeInputType, options: dict[str, Any]
) -> None:
    """Limits of the service are errors of the app; they must show in a test."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        with pytest.raises(HttpResponseError) as refused:
            await listen(connection, "Well?", "r1", input_type=kind, **options)
        assert refused.value.error is not None
        assert refused.value.error.code == "8523"


async def test_continuous_tones_arrive_one_by_one_until_stopped() -> None:
    """Every key is an event of its own, numbered, besides what the recognition collects."""
    async with build_stage() as stage:
        _, connection = await stage.answer([Press("8#"), Press("8")])
        await connection.start_continuous_dtmf_recognition(caller(), operation_context="d1")
        await listen(connection, None, "r1", dtmf_max_tones_to_collect=2)
        await stage.app.wait_for("RecognizeCompleted", "r1")
        await stage.app.wait_for("ContinuousDtmfRecognitionToneReceived", "d1", count=2)
        tones = {
            event["data"]["sequenceId"]: event["data"]["tone"]
            for event in stage.app.of("ContinuousDtmfRecognitionToneReceived", "d1")
        }
        assert tones == {1: "eight", 2: "pound"}
        await connection.stop_continuous_dtmf_recognition(caller(), operation_context="d2")
        await stage.app.wait_for("ContinuousDtmfRecognitionStopped", "d2")
        await listen(connection, None, "r2", dtmf_max_tones_to_collect=1)
        await stage.app.wait_for("RecognizeCompleted", "r2")
        assert len(stage.app.of("ContinuousDtmfRecognitionToneReceived")) == 2
