"""The report of a session, as a value and as a page."""

import json
from types import SimpleNamespace
from typing import cast

from shared.calls.report import report, tool_calls
from shared.calls.report_page import report_page
from shared.calls.visit import Visit
from shared.types import Json

MESSAGES: list[Json] = [
    {"role": "assistant", "content": "Hello.", "agent": "concierge", "turn": 1},
    {"role": "user", "content": "<b>My fee</b>", "agent": "concierge", "turn": 2},
    {
        "role": "assistant",
        "content": None,
        "agent": "concierge",
        "turn": 2,
        "tool_calls": [
            {"id": "c1", "function": {"name": "refund_fee", "arguments": '{"amount": 35}'}},
            {"id": "c2", "function": {"name": "refund_fee", "arguments": "{broken"}},
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": '{"success": true}', "agent": "concierge"},
    {"role": "assistant", "content": "Done.", "agent": "concierge", "turn": 2},
]
DETAILS: Json = {
    "session_id": "s-1",
    "channel": "call",
    "phase": "ended",
    "agent": "concierge",
    "turn": 2,
    "outcome": "caller_left",
    "context": {
        "summary": {
            "status": "ok",
            "short": "A fee.",
            "long": "A fee was refunded.",
            "satisfaction": "satisfied",
            "next_step": "",
        },
        "recording:r1": {"text": "my fee"},
        "client_id": "CLT-1",
    },
    "turns": [
        {
            "turn": 2,
            "cue": "utterance",
            "agent": "concierge",
            "silence_ms": 812.4,
            "stages_ms": {"llm_first_token": 700.2, "tools": 112.2, "memo_save": 0.1},
        }
    ],
}


def visit(**changes: object) -> Visit:
    """A session as far as a report looks at it."""
    seen = SimpleNamespace(
        details=lambda: {**DETAILS, **changes}, transcript=lambda: [dict(one) for one in MESSAGES]
    )
    return cast(Visit, seen)


def test_report_tells_what_was_said_and_done() -> None:
    """Words in one list, tools in another with what they were given and what came of it."""
    made = report(visit())
    assert [one["text"] for one in made["transcript"]] == ["Hello.", "<b>My fee</b>", "Done."]
    assert made["recordings"] == {"r1": {"text": "my fee"}}
    assert made["summary"]["short"] == "A fee."
    assert (made["outcome"], made["turns"]) == ("caller_left", DETAILS["turns"])
    assert "context" not in made


def test_report_holds_no_number_that_identifies_somebody() -> None:
    """What was said to prove an identity is of no use afterwards, and a report lives for months."""
    call = {"id": "c", "function": {"name": "v", "arguments": '{"ssn_last_4": "1234"}'}}
    messages: list[Json] = [
        {"role": "user", "content": "My code is 482913, call +1 415 555 0132.", "turn": 1},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": '{"balance": 2345.67}'},
    ]
    context = {"recording:r": {"text": "my code is 482913"}}
    seen = SimpleNamespace(
        details=lambda: {**DETAILS, "context": context}, transcript=lambda: messages
    )
    made = json.dumps(report(cast(Visit, seen)))
    assert [one for one in ("482913", "0132", "1234") if one in made] == []
    assert "2345.67" in made


def test_tool_calls_keep_what_cannot_be_read() -> None:
    """A model may write anything, and a call may have no result when an instance dies."""
    first, second = tool_calls(MESSAGES)
    assert (first["arguments"], first["result"]) == ({"amount": 35}, {"success": True})
    assert (second["arguments"], second["result"]) == ("{broken", None)


def test_report_page_shows_it_and_runs_nothing() -> None:
    """What a caller says must not become part of the page that staff opens."""
    page = report_page(report(visit()))
    assert "&lt;b&gt;My fee&lt;/b&gt;" in page
    assert "<b>My fee" not in page
    assert "A fee was refunded." in page
    assert "llm_first_token 700, tools 112" in page


def test_report_page_of_a_session_that_goes_on_says_so() -> None:
    """No summary yet, nothing recorded: the page says that and does not fail."""
    page = report_page(report(visit(context={}, turns=[], outcome="")))
    assert "not written yet" in page
