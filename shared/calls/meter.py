"""What a session uses, counted from the very entries that its journal keeps.

The meter is part of the state, so it changes once per event like everything else; and reading the
journal again with the same function gives the same figures.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from shared.calls.commands import Listen
from shared.calls.events import (
    CallConnected,
    CallEnded,
    CallPlaced,
    CommandDone,
    RecognizeCanceled,
    RecognizeFailed,
    SpeechRecognized,
    SummaryTried,
    TonesCollected,
    TurnFinished,
)
from shared.cost.prices import sum_of
from shared.types import Json

CHARACTERS, LISTENING, BUSY = "speech/characters", "speech/listening_ms", "functions/busy_ms"
INBOUND, OUTBOUND = "acs/inbound_ms", "acs/outbound_ms"

_LISTEN = f"{Listen.__name__.lower()}-"
_HEARD = frozenset(
    kind.__name__
    for kind in (SpeechRecognized, TonesCollected, RecognizeFailed, RecognizeCanceled, CallEnded)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Meter:
    """What a session has used, and what it is using now."""

    total: dict[str, int] = field(default_factory=dict)
    turn: dict[str, int] = field(default_factory=dict)
    """What the current turn has used."""
    number: int = 0
    """Of the current turn."""
    is_outbound: bool = False
    listening_since_ms: int | None = None
    """Unix time; a recognizer listens from then on."""
    connected_at_ms: int | None = None
    """Unix time; the line is open from then on."""


def metered(meter: Meter, entry: Json) -> Meter:
    """The meter after a journal entry: its event, its ``turn``, ``at_ms`` and ``busy_ms``.

    Counts the recognizer from the acceptance of a Listen to its result, the prompt included: the
    service charges for no more than that. The line and the summary at the end count for the
    session, not for a turn.
    """
    if "event" not in entry or "at_ms" not in entry:
        return meter  # what left a thread, or an entry of an earlier version
    event, at_ms, turn = entry["event"], entry["at_ms"], entry["turn"]
    kind = event["kind"]
    beside = _tokens_of(event) if kind == SummaryTried.__name__ else {}
    used = {BUSY: entry["busy_ms"], **_used_by(event)}
    if meter.listening_since_ms is not None and kind in _HEARD:
        used[LISTENING] = max(0, at_ms - meter.listening_since_ms)
        meter = replace(meter, listening_since_ms=None)
    if kind == CommandDone.__name__ and event["command_id"].startswith(_LISTEN):
        meter = replace(meter, listening_since_ms=at_ms)
    elif kind == CallPlaced.__name__:
        meter = replace(meter, is_outbound=True)
    elif kind == CallConnected.__name__ and meter.connected_at_ms is None:
        meter = replace(meter, connected_at_ms=at_ms)
    elif kind == CallEnded.__name__ and meter.connected_at_ms is not None:
        direction = OUTBOUND if meter.is_outbound else INBOUND
        beside[direction] = max(0, at_ms - meter.connected_at_ms)
        meter = replace(meter, connected_at_ms=None)
    before = meter.turn if meter.number == turn else {}
    return replace(
        meter,
        total=_sum(meter.total, used, beside),
        turn=_sum(before, used),
        number=turn,
    )


def read_meter(journal: Iterable[Json]) -> Meter:
    """The meter of a session, from its journal alone."""
    meter = Meter()
    for entry in journal:
        meter = metered(meter, entry)
    return meter


def used_between(before: Meter, after: Meter) -> dict[str, int]:
    """What the step from one to the other has used."""
    used = {name: count - before.total.get(name, 0) for name, count in after.total.items()}
    return {name: count for name, count in used.items() if count}


def usage_key(turn: int | str) -> str:
    """The context key under which a turn's usage is kept."""
    return f"usage:{turn}"


def _used_by(event: Json) -> dict[str, int]:
    if event["kind"] == TurnFinished.__name__:
        return _tokens_of(event)
    if event["kind"] == CommandDone.__name__:
        return {CHARACTERS: event.get("spoken_chars", 0)}
    return {}


def _tokens_of(event: Json) -> dict[str, int]:
    return {
        f"{model}/{kind}": count
        for model, counts in event.get("tokens", {}).items()
        for kind, count in counts.items()
    }


def _sum(*usages: Mapping[str, int]) -> dict[str, int]:
    return {name: count for name, count in sum_of(usages).items() if count}
