"""The demonstration call with voices: spoken, recognized, answered and spoken back."""

import asyncio
import sys
import wave
from dataclasses import replace
from pathlib import Path

import pytest

from simulator.acs import PhoneCall, Recognized
from simulator.demo import run, who_speaks
from simulator.speech import ToneVoice
from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK

ROOT = Path(__file__).resolve().parents[2]
PLAN = Plan(pace=QUICK, is_spoken=True)


def only_call(stack: Stack) -> PhoneCall:
    """The call that was made."""
    (call,) = stack.acs.phone_calls.values()
    return call


def seconds(path: Path) -> float:
    """The length of a file that must be what a phone and a recognizer take."""
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        frames: int = file.getnframes()
    return frames / 16_000


def lengths_s(folder: Path) -> dict[str, float]:
    """The files of a folder and their lengths."""
    return {path.name: seconds(path) for path in folder.iterdir()}


async def test_spoken_demo_goes_well_and_keeps_its_sound(tmp_path: Path) -> None:
    """Every line is understood from its sound alone, and both sides can be listened to."""
    async with Stack(PLAN) as stack:
        if not stack.voicebox.is_audible:
            pytest.skip("no voice engine and recognizer: flite or espeakng-loader, pocketsphinx")
        assert await run(stack, wav_folder=tmp_path) == []
        call = only_call(stack)
        assert "recognized" in who_speaks(stack)
    recognized = [one.text for one in call.transcript if isinstance(one, Recognized)]
    assert recognized == [one.text for one in call.said] == list(stack.script.caller)
    parts_s = lengths_s(tmp_path)
    whole_s = parts_s.pop("call.wav")
    assert len(parts_s) == len(call.said) + len(call.heard)
    assert 30 < sum(parts_s.values()) <= whole_s + 0.1


async def test_demo_goes_over_as_text_without_a_voice_engine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a machine that cannot speak the call works all the same, and the output says so."""
    async with Stack(replace(PLAN, voice=ToneVoice())) as stack:
        assert "No voice engine" in who_speaks(stack)
        assert await run(stack, wav_folder=tmp_path / "none") == []
        assert not [one for one in only_call(stack).transcript if isinstance(one, Recognized)]
    assert "nobody spoke" in capsys.readouterr().out
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("arguments", [("--text",), ("--open-vocabulary",)])
async def test_demo_command_ends_well(arguments: tuple[str, ...]) -> None:
    """As typed: a caller who is misheard ends up elsewhere, and that is no failure."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.demo", "--speed", "40", *arguments),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        async with asyncio.timeout(90):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    assert b"the call is over" in output
    assert b"passages in the Cosmos DB stand-in, found by meaning" in output
