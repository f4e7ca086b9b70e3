"""The drawing of a turn: every gap has a name, and the parts are the whole."""

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.latency.report import report_of
from shared.latency.stages import MAX_PARTS, Stages
from shared.latency.tool import StageNote
from shared.latency.waterfall import as_html, as_svg, as_text, waterfall_of
from shared.types import Json
from tests.unit.fakes import FakeClock

STEPS = st.lists(
    st.tuples(st.sampled_from("abcde"), st.floats(min_value=0, max_value=30)),
    max_size=3 * MAX_PARTS,
)


def record_of(steps: list[tuple[str, float]], turn: int = 1, agent: str = "concierge") -> Json:
    """The record of a turn that went through *steps*: stages and seconds."""
    clock = FakeClock()
    stages = Stages(clock.monotonic)
    for stage, took_s in steps:
        clock.elapsed_s += took_s
        stages.reached(stage)
    return {
        "turn": turn,
        "agent": agent,
        "cue": "utterance",
        "silence_ms": stages.total_ms,
        "stages_ms": stages.spent_ms(),
        "waterfall": stages.parts_ms(),
    }


RECORD = record_of([("memo_load", 0.002), ("tools", 0.3), ("llm_first_token", 0.5), ("tools", 0.1)])


@given(STEPS)
def test_waterfall_parts_sum_to_the_whole(steps: list[tuple[str, float]]) -> None:
    """Within a millisecond, and each begins where the one before ends."""
    record = record_of(steps)
    fall = waterfall_of(record)
    assert sum(one.duration_ms for one in fall.parts) == pytest.approx(fall.total_ms, abs=1)
    for before, after in zip(fall.parts, fall.parts[1:], strict=False):
        assert after.start_ms == pytest.approx(before.start_ms + before.duration_ms, abs=0.01)
    assert len(fall.parts) <= MAX_PARTS + 5
    by_stage: dict[str, float] = {}
    for part in fall.parts:
        by_stage[part.stage] = by_stage.get(part.stage, 0) + part.duration_ms
    assert by_stage == pytest.approx(record["stages_ms"], abs=1)


def test_waterfall_keeps_the_order_and_the_repetitions() -> None:
    """A second call of the model is a second bar."""
    fall = waterfall_of(RECORD)
    assert [one.stage for one in fall.parts] == ["memo_load", "tools", "llm_first_token", "tools"]
    assert fall.as_json()["parts"][1] == {"stage": "tools", "start_ms": 2.0, "ms": 300.0}


def test_waterfall_of_a_very_long_turn_has_few_parts() -> None:
    """Later ones are added to earlier ones of their name; the sum stays what it is."""
    steps = [("llm", 0.5), ("tools", 0.25)] * 2 * MAX_PARTS
    fall = waterfall_of(record_of(steps))
    assert len(fall.parts) == MAX_PARTS
    assert sum(one.duration_ms for one in fall.parts) == pytest.approx(fall.total_ms, abs=1)


def test_waterfall_as_text_draws_a_bar_for_every_part() -> None:
    """For a terminal: lines that fit, bars that begin where the time began."""
    text = as_text([waterfall_of(RECORD)])
    head, *rows = text.splitlines()
    assert head == "turn 1  concierge  utterance  silence 902.0 ms"
    assert len(rows) == 4
    assert max(map(len, rows)) <= 90
    assert rows[1].split()[:3] == ["tools", "300.0", "ms"]
    assert rows[3].endswith("\u2588") or rows[3][-1] in "\u258f\u258e\u258d\u258c\u258b\u258a\u2589"


def test_waterfall_as_svg_is_well_formed_and_has_a_bar_for_every_part() -> None:
    """Names from a session are text, not markup."""
    odd = record_of([("<script>", 1.0), ("a&b", 0.0)], agent='"><x')
    drawing = ET.fromstring(as_svg([waterfall_of(RECORD), waterfall_of(odd)]))
    bars = drawing.findall("{*}rect")
    assert len(bars) == 6
    assert all(float(one.attrib["x"]) + float(one.attrib["width"]) <= 720 for one in bars)
    assert any("<script>" in (one.text or "") for one in drawing.iter())


def test_waterfall_as_html_shows_the_drawing_and_the_figures() -> None:
    """A page that needs nothing from anywhere."""
    report = report_of([RECORD], [StageNote("greeting_ttfb", 12.5)])
    page = as_html("Session <s1>", report.turns, report.stages)
    assert "<s1>" not in page
    assert "<svg" in page
    assert "<td>greeting_ttfb</td><td>1</td><td>12.5</td>" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")


def test_report_of_a_session_counts_its_silences_first() -> None:
    """The whole, its parts, and what a stopwatch has measured beside them."""
    report = report_of([RECORD, RECORD], [StageNote("tools", 100.0)])
    assert next(iter(report.stages)) == "silence"
    assert report.stages["silence"]["count"] == 2
    assert report.stages["tools"]["count"] == 3
    assert report.stages["tools"]["total_ms"] == pytest.approx(900)


def test_drawings_of_nothing_are_empty_but_sound() -> None:
    """A session before its first turn."""
    report = report_of([], [])
    assert as_text(report.turns, report.stages) == "\n"
    ET.fromstring(as_svg(report.turns))
    assert "<table>" in as_html("x", report.turns, report.stages)


def test_records_of_turns_from_before_have_no_parts() -> None:
    """A session that an older version began is still shown."""
    old = {name: value for name, value in RECORD.items() if name != "waterfall"}
    assert waterfall_of(old).parts == ()
