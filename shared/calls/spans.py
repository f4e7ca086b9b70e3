"""What is told of a call's events, commands and turns: spans, and measurements of the turns."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from shared.agent.turn import CueKind
from shared.calls.commands import RunTurn
from shared.calls.events import Event
from shared.calls.visit import EventOutcome, Owned, Visit
from shared.telemetry import names
from shared.telemetry.context import log_facts
from shared.telemetry.metrics import (
    ANSWER_LATENCY,
    CALLER_SILENCE,
    EVENTS,
    TAKEOVERS,
    TURNS,
    record,
)
from shared.telemetry.tracing import Attributes, Span, holds_content, span

_ASKING = (CueKind.UTTERANCE, CueKind.TONES)
"""After these somebody waits for an answer."""


def event_span(event: Event) -> Span:
    """One event handled."""
    kind = type(event).__name__
    return span(f"{names.SPAN_EVENT} {kind}", {names.EVENT_KIND: kind})


def takeover_span() -> Span:
    """What a dead instance left is done here."""
    return span(names.SPAN_TAKEOVER)


@contextmanager
def joined(handled: Span, visit: Visit) -> Iterator[None]:
    """Join this invocation to the call: a link to its first trace, and its name on what follows."""
    handled.link(visit.state.trace_parent)
    call = visit.state.call_connection_id
    if call:
        handled.set(names.CALL_CONNECTION_ID, call)
    with log_facts(call_connection_id=call):
        yield


def outcome_without_change(visit: Visit) -> EventOutcome:
    """What an event was that has changed nothing."""
    return EventOutcome.DUPLICATE if visit.is_seen else EventOutcome.STALE


def note_commit(visit: Visit, *, is_new: bool, taken_over: int) -> None:
    """A change is durable: of an event that is new, or only of commands taken over."""
    visit.outcome = EventOutcome.APPLIED if is_new else EventOutcome.DUPLICATE
    if taken_over:
        record(TAKEOVERS, taken_over)


def note_event(handled: Span, visit: Visit, owned: Sequence[Owned]) -> None:
    """What became of an event."""
    handled.set(names.EVENT_OUTCOME, visit.outcome.value)
    handled.set(names.PHASE, visit.state.phase.value)
    handled.set(names.COMMANDS, len(owned))
    record(EVENTS, 1, {"outcome": visit.outcome.value})


@contextmanager
def command_span(visit: Visit, owned: Owned) -> Iterator[None]:
    """A span for a turn, with everything that is done because of it; none for other commands."""
    command = owned.command
    if not isinstance(command, RunTurn):
        yield
        return
    facts: Attributes = {
        names.TURN: command.turn,
        names.TURN_CUE: command.cue.kind.value,
        names.GEN_AI_AGENT: command.agent,
        names.GEN_AI_CONVERSATION: visit.session_id,
    }
    with span(names.SPAN_TURN, facts) as turn:
        if holds_content():
            turn.set(names.CALLER_SAID, command.cue.text)
        yield
        _note_turn(turn, visit, command)


def _note_turn(turn: Span, visit: Visit, command: RunTurn) -> None:
    """What the turn was made of; one that was called off has no answer."""
    if visit.turn is None or visit.turn.turn != command.turn:
        return
    known, stages = visit.turn.as_json(), visit.stages.spent_ms()
    is_over = "after" in known
    outcome = "given_up" if not is_over else "degraded" if known["degraded"] else "answered"
    cue, agent, channel = command.cue.kind, visit.state.agent, visit.state.channel.value
    record(TURNS, 1, {"agent": agent, "channel": channel, "outcome": outcome})
    for stage, ms in stages.items():
        turn.set(f"{names.TURN_STAGE_MS}{stage}", ms)
    if is_over:
        turn.set(names.TURN_AFTER, str(known["after"]))
        turn.set(names.TURN_DEGRADED, bool(known["degraded"]))
    labels = {"agent": agent, "channel": channel, "cue": cue.value}
    if visit.stages.is_closed:
        turn.set(names.TURN_SILENCE_MS, visit.stages.total_ms)
        record(CALLER_SILENCE, visit.stages.total_ms, labels)
    if cue in _ASKING and "first_sentence" in stages:
        record(ANSWER_LATENCY, _until(stages, "first_sentence"), labels)


def _until(stages: dict[str, float], last: str) -> float:
    """The time from the event to the end of the stage *last*."""
    spent_ms = 0.0
    for stage, ms in stages.items():
        spent_ms += ms
        if stage == last:
            break
    return spent_ms
