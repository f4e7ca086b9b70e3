"""Callers with voices: what is recognized counts, and what was heard can be played again."""

import asyncio
from array import array
from dataclasses import dataclass, field

import pytest
from azure.communication.callautomation import FileSource, PhoneNumberIdentifier

from simulator.acs import (
    EndReason,
    Heard,
    Pace,
    Recognized,
    Said,
    Say,
    Utterance,
)
from simulator.acs.audio import wav_of
from simulator.acs.tape import joined
from simulator.speech import EarError, EspeakError, SpeechStandIn, ToneVoice, phrases_of
from simulator.speech import Heard as SpeechHeard
from simulator.speech.voice import Take
from simulator.spoken import CaptionedText, SpokenVoicebox
from tests.contract.acs_simulator_stage import WAIT_S, build_stage, listen, result_of, text

LINES = ("What is your fee refund policy?", "Yes, please connect me with a person.")
SLOW = Pace(speed=1, ms_per_char=10_000, ring_s=500, connect_ms=1, reaction_ms=1)
"""A prompt takes minutes."""
NOBODY = PhoneNumberIdentifier("+15550009999")


def sound(seconds: float, value: int = 7) -> bytes:
    """Samples that are easy to find again."""
    return array("h", [value] * round(seconds * 16_000)).tobytes()


@dataclass
class FakeVoicebox:
    """Understands what it is told to, once its ears are open."""

    understood: dict[str, str] = field(default_factory=dict)
    captions: dict[bytes, str] = field(default_factory=dict)
    ears_open: asyncio.Event = field(default_factory=asyncio.Event)
    is_listening: asyncio.Event = field(default_factory=asyncio.Event)
    was_abandoned: bool = False
    is_audible = True

    async def utter(self, text: str) -> Utterance:
        """Half a second of sound."""
        self.is_listening.set()
        try:
            await self.ears_open.wait()
        except asyncio.CancelledError:
            self.was_abandoned = True
            raise
        return Utterance(text, self.understood.get(text, text), 0.6, sound(0.5), 12.0)

    async def render(self, text: str) -> bytes | None:
        """A hundredth of a second for each character."""
        return sound(len(text) / 100, 9)

    def caption(self, pcm: bytes) -> str | None:
        """As told."""
        return self.captions.get(pcm)


class BrokenVoice:
    """An engine that fails whenever it is needed."""

    rate_hz = 16_000

    def speak(self, text: str, *, rate: float, take: Take) -> None:
        """Fail."""
        raise EspeakError("broken")


class DeafStandIn(SpeechStandIn):
    """Its ears die as soon as they are needed."""

    async def understand(self, pcm: bytes) -> SpeechHeard:
        """Fail."""
        raise EarError("dead")


def hearing(**understood: str) -> FakeVoicebox:
    """A voicebox with open ears that mishears these."""
    voicebox = FakeVoicebox(understood=understood)
    voicebox.ears_open.set()
    return voicebox


async def test_recognition_reports_what_was_understood_and_not_what_was_said() -> None:
    """The app has to live with mishearings, so the simulator must be able to make them."""
    async with build_stage(voicebox=hearing(balance="ballots")) as stage:
        phone, connection = await stage.answer([Say("balance")])
        await listen(connection, "How can I help?", "l1")
        event = await stage.app.wait_for("RecognizeCompleted", "l1")
        assert event["data"]["speechResult"] == {"speech": "ballots", "confidence": 0.6}
        said = [one for one in phone.transcript if isinstance(one, Said | Recognized)]
        assert [one.text for one in said] == ["balance", "ballots"]


async def test_recognition_of_nothing_fails_like_a_mumble() -> None:
    """Sound without words is 8563, which the app answers with a reprompt."""
    async with build_stage(voicebox=hearing(balance="")) as stage:
        phone, connection = await stage.answer([Say("balance")])
        await listen(connection, None, "l1")
        assert result_of(await stage.app.wait_for("RecognizeFailed", "l1")) == (400, 8563)
        assert phone.silences_ms == []


async def test_silence_begins_after_the_recognition_however_long_that_takes() -> None:
    """The measured silence is the app's alone: slow ears belong to the service."""
    voicebox = FakeVoicebox()
    async with build_stage(voicebox=voicebox) as stage:
        phone, connection = await stage.answer([Say("balance")])
        await listen(connection, None, "l1")
        async with asyncio.timeout(WAIT_S):
            await voicebox.is_listening.wait()
        # Something else comes and goes while the ears are still at it.
        await connection.add_participant(NOBODY, operation_context="a1")
        await stage.app.wait_for("AddParticipantFailed", "a1")
        assert stage.app.of("RecognizeCompleted") == []
        voicebox.ears_open.set()
        await stage.app.wait_for("RecognizeCompleted", "l1")
        await connection.play_media(text("Your balance is zero."), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        recognized = next(one for one in phone.transcript if isinstance(one, Recognized))
        heard = next(one for one in phone.transcript if isinstance(one, Heard))
        assert 0 < phone.silences_ms[0] <= (heard.at_s - recognized.at_s) * 1000


async def test_utterance_is_abandoned_when_the_call_ends_in_it() -> None:
    """A call that is over reports no more recognitions, and nobody listens on for it."""
    voicebox = FakeVoicebox()
    async with build_stage(voicebox=voicebox) as stage:
        phone, connection = await stage.answer([Say("balance")])
        await listen(connection, None, "l1")
        async with asyncio.timeout(WAIT_S):
            await voicebox.is_listening.wait()
        phone.hang_up()
        assert (await phone.ended(WAIT_S)).reason == EndReason.CALLER_HUNG_UP
        await stage.app.wait_for("CallDisconnected")
        assert stage.app.of("RecognizeCompleted") == []
    assert voicebox.was_abandoned


async def test_file_is_heard_with_its_own_sound_and_words() -> None:
    """A prompt the app rendered itself is on the tape byte by byte, and readable if known."""
    known, unknown = sound(0.4, 3), sound(0.3, 4)
    voicebox = hearing()
    voicebox.captions[known] = "Welcome."
    async with build_stage(voicebox=voicebox) as stage:
        stage.app.files = {"known.wav": wav_of(known), "unknown.wav": wav_of(unknown)}
        phone, connection = await stage.answer()
        base = stage.app.url.replace("/callbacks", "/files")
        for name in ("known", "unknown"):
            await connection.play_media(FileSource(f"{base}/{name}.wav"), operation_context=name)
        await stage.app.wait_for("PlayCompleted", "unknown")
        assert [one.text for one in phone.heard] == ["Welcome.", f"[audio {base}/unknown.wav]"]
        assert [await piece.sound() for piece in phone.tape.pieces] == [known, unknown]


async def test_text_is_rendered_for_the_tape_in_order_with_the_caller() -> None:
    """Both sides can be listened to afterwards, one after the other."""
    async with build_stage(voicebox=hearing()) as stage:
        phone, connection = await stage.answer([Say("balance")])
        await listen(connection, "How can I help?", "l1")
        await stage.app.wait_for("RecognizeCompleted", "l1")
        sides = [(piece.side, piece.text) for piece in phone.tape.pieces]
        assert sides == [("agent", "How can I help?"), ("caller", "balance")]
        agent, caller = [await piece.sound() for piece in phone.tape.pieces]
        assert agent == sound(0.15, 9)
        assert caller == sound(0.5)
        both = array("h", await joined(phone.tape.pieces))
        assert [value for value in both if value] == [*array("h", agent), *array("h", caller)]


async def test_interrupted_prompt_is_on_the_tape_as_far_as_it_was_heard() -> None:
    """What the caller did not hear is not in the recording either."""
    async with build_stage(voicebox=hearing(), pace=SLOW) as stage:
        phone, connection = await stage.answer()
        await connection.play_media(text("A very long story."), operation_context="p1")
        await stage.app.wait_for("PlayStarted", "p1")
        await connection.cancel_all_media_operations()
        await stage.app.wait_for("PlayCanceled", "p1")
        (piece,) = phone.tape.pieces
        assert piece.share < 0.5
        assert len(await piece.sound()) < len(sound(0.09))


async def test_text_path_keeps_no_sound_of_calls_that_are_over() -> None:
    """A simulator that runs all day does not fill up with prompts."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        await connection.play_media(text("Hello."), operation_context="p1")
        await stage.app.wait_for("PlayCompleted", "p1")
        assert phone.tape.pieces
        phone.hang_up()
        await phone.ended(WAIT_S)
        assert phone.tape.pieces == []


async def test_spoken_line_is_recognized_from_its_sound() -> None:
    """The whole way: a voice speaks, the sound is all that the ears get."""
    speech = SpeechStandIn(phrases=phrases_of(LINES))
    if not (speech.is_caller_audible and speech.is_recognition_available):
        pytest.skip("no voice engine and recognizer here: espeakng-loader and pocketsphinx")
    await speech.start()
    try:
        voicebox = SpokenVoicebox(speech)
        await voicebox.warm()
        await voicebox.warm()
        for line in LINES:
            utterance = await voicebox.utter(line)
            assert (utterance.said, utterance.recognized) == (line, line)
            assert utterance.pcm is not None
            assert len(utterance.pcm) > 32_000
        silence = await speech.understand(bytes(16_000))
        assert silence.text == ""
    finally:
        await speech.aclose()


async def test_utterance_goes_over_as_text_when_the_voice_breaks() -> None:
    """A broken engine costs the sound, never the call."""
    speech = SpeechStandIn(voice=BrokenVoice())
    voicebox = SpokenVoicebox(speech)
    assert await voicebox.utter(LINES[0]) == Utterance(LINES[0], LINES[0])
    assert await voicebox.render(LINES[0]) is None


async def test_utterance_is_not_understood_when_the_ears_are_closed() -> None:
    """An ear that fails hears nothing; it never invents what was said."""
    voicebox = SpokenVoicebox(DeafStandIn(voice=ToneVoice()))
    await voicebox.warm()
    utterance = await voicebox.utter(LINES[0])
    assert (utterance.said, utterance.recognized) == (LINES[0], "")
    assert utterance.pcm is not None


async def test_caption_is_found_for_what_the_stand_in_synthesized_only() -> None:
    """Prompts the app had synthesized are readable on the phone; other sounds are not guessed."""
    speech = SpeechStandIn(voice=ToneVoice())
    voicebox = CaptionedText(speech)
    pcm = await speech.render("Thank you for calling.")
    assert voicebox.caption(pcm) == "Thank you for calling."
    assert voicebox.caption(pcm + bytes(2)) is None
