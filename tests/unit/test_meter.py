"""The meter: what journal entries say was used, once each, by turn and as a whole."""

from typing import Any

from shared.calls.meter import Meter, metered, read_meter, used_between
from shared.cost.prices import sum_of
from shared.types import Json


def entry(kind: str, at_ms: int, turn: int = 0, busy_ms: int = 0, **event: Any) -> Json:
    """A journal entry."""
    described = {"kind": kind, "id": "e", **event}
    return {
        "event": described,
        "decided": [],
        "turn": turn,
        "at_ms": at_ms,
        "busy_ms": busy_ms,
    }


TOKENS = {"gpt-4o": {"input": 100, "cached": 20, "output": 7}}
CALL = [
    entry("CallOffered", 1_000, busy_ms=3),
    entry("CallConnected", 2_000, 1, busy_ms=2),
    entry("TurnFinished", 2_100, 1, 90, command_id="runturn-2"),
    entry("CommandDone", 2_200, 1, 5, command_id="listen-3", spoken_chars=40),
    entry("SpeechRecognized", 9_200, 2, 1),
    entry("TurnFinished", 9_900, 2, 600, command_id="runturn-5", tokens=TOKENS),
    entry("CommandDone", 9_950, 2, 6, command_id="speak-6", spoken_chars=10),
    entry("CommandDone", 9_990, 2, 6, command_id="listen-7"),
    {"kind": "compacted", "thread": "x", "messages": []},
    entry("CallEnded", 20_000, 2, 1),
]


def test_meter_counts_tokens_characters_listening_line_and_work() -> None:
    """The whole of a call with one answer."""
    meter = read_meter(CALL)
    assert meter.total == {
        "functions/busy_ms": 714,
        "speech/characters": 50,
        "speech/listening_ms": 7_000 + 10_010,
        "gpt-4o/input": 100,
        "gpt-4o/cached": 20,
        "gpt-4o/output": 7,
        "acs/inbound_ms": 18_000,
    }
    assert meter.connected_at_ms is None
    assert meter.listening_since_ms is None


def test_meter_of_the_turns_and_the_line_is_the_whole() -> None:
    """Nothing falls between two turns."""
    turns: dict[int, dict[str, int]] = {}
    meter = Meter()
    for one in CALL:
        meter = metered(meter, one)
        turns[meter.number] = meter.turn
    assert turns[1] == {
        "functions/busy_ms": 97,
        "speech/characters": 40,
    }
    assert turns[2]["speech/listening_ms"] == 17_010
    assert sum_of([*turns.values(), {"acs/inbound_ms": 18_000}]) == meter.total


def test_meter_tells_a_call_that_we_placed() -> None:
    """It costs more by the minute."""
    calls = [entry("CallPlaced", 0), entry("CallConnected", 10), entry("CallEnded", 60_010)]
    assert read_meter(calls).total == {"acs/outbound_ms": 60_000}


def test_meter_counts_the_summary_beside_the_turns() -> None:
    """No caller has waited for it."""
    summary = entry("SummaryTried", 0, 2, command_id="archive-9", tokens=TOKENS)
    meter = read_meter([summary])
    assert meter.total["gpt-4o/cached"] == 20
    assert meter.turn == {}


def test_meter_charges_no_line_that_was_never_open() -> None:
    """A caller who gave up while it rang."""
    assert read_meter([entry("CallOffered", 0), entry("CallEnded", 9_000)]).total == {}


def test_meter_never_runs_backwards() -> None:
    """Two instances' clocks differ by a little."""
    done = entry("CommandDone", 5_000, command_id="listen-1")
    assert read_meter([done, entry("SpeechRecognized", 4_990)]).total == {}


def test_meter_ignores_entries_without_a_time() -> None:
    """Sessions that an earlier version began."""
    assert read_meter([{"event": {"kind": "CallConnected"}, "decided": []}]) == Meter()


def test_used_between_is_what_the_step_added() -> None:
    """For the metrics, which count as it comes."""
    before = read_meter(CALL[:5])
    assert used_between(before, metered(before, CALL[5])) == {
        "functions/busy_ms": 600,
        "gpt-4o/input": 100,
        "gpt-4o/cached": 20,
        "gpt-4o/output": 7,
    }
