"""What was heard on a simulated call, put together again."""

from array import array
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simulator.acs.audio import pcm_of, tone, wav_of
from simulator.acs.results import FILE_FORMAT
from simulator.acs.tape import Clip, Piece, Side, duration_s, joined

MS = 0.001
steps = st.integers(min_value=1, max_value=50)


def piece(side: Side, began_ms: int, lasts_ms: int, sound_ms: int, value: int) -> Piece:
    """A piece whose samples are all *value*."""
    pcm = array("h", [value] * (16 * sound_ms)).tobytes()
    clips = [Clip("words", sound_ms * MS, pcm)]
    return Piece(side, clips, lasts_ms * MS, began_ms * MS, (began_ms + lasts_ms) * MS)


@st.composite
def calls(draw: st.DrawFn) -> list[Piece]:
    """Pieces one after the other, spoken faster or slower than they sound."""
    pieces, at = [], 0
    for number in range(draw(st.integers(min_value=0, max_value=5))):
        at += draw(steps)
        lasts_ms = draw(steps)
        side: Side = "caller" if number % 2 else "agent"
        pieces.append(piece(side, at, lasts_ms, draw(steps), number + 1))
        at += lasts_ms
    return pieces


@given(calls())
async def test_tape_holds_everything_once_and_in_order(pieces: list[Piece]) -> None:
    """No word is lost, doubled or moved, and gaps last as long as they did."""
    whole = array("h", await joined(pieces))
    expected = [v for one in pieces for v in array("h", await one.sound())]
    assert [value for value in whole if value] == expected
    gaps_s = sum(b.began_at - a.ended_at for a, b in pairwise(pieces))
    sound_s = len(expected) / 16_000
    assert duration_s(whole.tobytes()) == pytest.approx(sound_s + gaps_s, abs=0.001)


@given(calls(), st.lists(st.tuples(steps, steps), max_size=3))
async def test_tape_gives_only_what_was_recorded(
    pieces: list[Piece], times: list[tuple[int, int]]
) -> None:
    """A recording with pauses has nothing that lies outside of the times it ran."""
    spans, at = [], 0
    for wait, length in times:
        spans.append(((at + wait) * MS, (at + wait + length) * MS))
        at += wait + length
    values = {value for value in array("h", await joined(pieces, spans)) if value}
    for number, one in enumerate(pieces, start=1):
        if all(one.ended_at <= start or one.began_at >= stop for start, stop in spans):
            assert number not in values


async def test_tape_has_tones_for_words_that_nobody_spoke() -> None:
    """In the text path a recording is as long as the talk would have been, and not silent."""
    clips = [Clip("words", 0.5)]
    agent, caller = (Piece(side, clips, 1.0, 0.0, 1.0) for side in ("agent", "caller"))
    assert await agent.sound() == tone(0.5, 220)
    assert len(await caller.sound()) == 16_000
    assert await agent.sound() != await caller.sound()


@given(st.binary(max_size=200))
def test_wav_file_keeps_its_samples(data: bytes) -> None:
    """What goes into a file comes out of it, and what is no file is refused."""
    pcm = data[: len(data) & ~1]
    assert pcm_of(wav_of(pcm)) == pcm
    assert pcm_of(data) is FILE_FORMAT
