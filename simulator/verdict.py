"""Whether a call went as it should: what must never happen, and what a caller wants to reach."""

import re
from typing import Any

from simulator.acs import Ended, EndReason, PhoneCall, Recognized


def misheard(call: PhoneCall) -> int:
    """How many lines were recognized as other words than were said."""
    recognized = [one.text for one in call.transcript if isinstance(one, Recognized)]
    said = [one.text for one in call.said]
    return sum(_words(a) != _words(b) for a, b in zip(said, recognized, strict=False))


def _words(text: str) -> list[str]:
    return re.findall(r"[a-z']+", text.lower())


def failures_of(call: PhoneCall, session: dict[str, Any]) -> list[str]:
    """What must never happen, whatever the caller says."""
    recognized = [one for one in call.transcript if isinstance(one, Recognized)]
    unheard = sum(1 for one in recognized if not one.text)
    checks = {
        "an utterance got no answer": len(call.silences_ms) == len(call.said) - unheard,
        "the app does not know how the call ended": bool(session["outcome"]),
    }
    return [problem for problem, is_well in checks.items() if not is_well]


def missed_goals(call: PhoneCall, session: dict[str, Any], lines: tuple[str, ...]) -> list[str]:
    """Where the call did not get to, as it does when every line is understood."""
    ended = call.transcript[-1]
    checks = {
        "the caller did not get to say everything": len(call.said) == len(lines),
        "the caller was not verified": session["context"].get("authenticated") is True,
        "the caller did not reach the fraud desk": session["agent"] == "fraud",
        "the caller was not transferred": isinstance(ended, Ended)
        and ended.reason is EndReason.TRANSFERRED
        and session["outcome"] == "transferred",
    }
    return [problem for problem, is_well in checks.items() if not is_well]
