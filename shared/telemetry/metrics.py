"""What is measured: every instrument, its unit, and the values its labels may have.

The labels of an instrument come from closed sets, so that the number of time series is bounded
whatever a model or a client sends; anything else is counted under ``other``.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, auto
from types import MappingProxyType
from typing import Protocol

Labels = Mapping[str, str]

OTHER = "other"
MAX_NAMES = 50
"""How many names of agents, tools or models are told apart."""

_NONE: Labels = MappingProxyType({})
_WAIT_MS = (1, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000)
_ANSWER_MS = (50, 100, 200, 300, 500, 750, 1000, 1500, 2000, 3000, 4000, 6000, 10000, 15000)
_MODEL_S = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 15)
_AGE_S = (0.1, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300)
_TOKENS = (16, 64, 256, 1024, 4096, 16384, 65536)


class Sort(Enum):
    """How values are put together."""

    COUNTER = auto()
    HISTOGRAM = auto()


class OneOf:
    """A label whose values are known."""

    def __init__(self, *values: str) -> None:
        self.values = frozenset(values)

    def admits(self, value: str) -> bool:
        """Whether *value* is told apart."""
        return value in self.values


class Named:
    """A label whose values are names in the app's own files; the first so many are told apart."""

    def __init__(self, limit: int = MAX_NAMES) -> None:
        self._limit = limit
        self._known: set[str] = set()

    def admits(self, value: str) -> bool:
        """Whether *value* is told apart; a new one is, while there are few."""
        if value and len(self._known) < self._limit:
            self._known.add(value)
        return value in self._known


AGENTS, TOOLS, MODELS = Named(), Named(), Named()

_CHANNELS = OneOf("call", "chat")
_CUES = OneOf(
    *("greeting", "utterance", "tones", "silence", "not_understood", "trouble"),
    *("transfer_next", "transfer_failed", "voicemail", "voicemail_failed", "goodbye"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """Something that is measured."""

    name: str
    unit: str
    description: str
    sort: Sort = Sort.HISTOGRAM
    labels: Mapping[str, OneOf | Named] = field(default_factory=dict)
    buckets: tuple[float, ...] = ()
    """Upper bounds, of a histogram."""


ANSWER_LATENCY = Instrument(
    name="voice.turn.answer_latency",
    unit="ms",
    description="From the caller's words to the first sentence of the answer",
    labels={"agent": AGENTS, "channel": _CHANNELS, "cue": _CUES},
    buckets=_ANSWER_MS,
)
CALLER_SILENCE = Instrument(
    name="voice.turn.caller_silence",
    unit="ms",
    description="From the event to the acceptance of the first words by the telephone service",
    labels={"agent": AGENTS, "cue": _CUES},
    buckets=_ANSWER_MS,
)
TURNS = Instrument(
    name="voice.turns",
    unit="{turn}",
    description="Turns that ended",
    sort=Sort.COUNTER,
    labels={
        "agent": AGENTS,
        "channel": _CHANNELS,
        "outcome": OneOf("answered", "degraded", "given_up"),
    },
)
MODEL_FIRST_TOKEN = Instrument(
    name="gen_ai.client.operation.time_to_first_chunk",
    unit="s",
    description="From the request to the first piece of text of the model",
    labels={"gen_ai.operation.name": OneOf("chat"), "gen_ai.request.model": MODELS},
    buckets=_MODEL_S,
)
MODEL_DURATION = Instrument(
    name="gen_ai.client.operation.duration",
    unit="s",
    description="From the request to the last piece of the model's reply",
    labels={"gen_ai.operation.name": OneOf("chat"), "gen_ai.request.model": MODELS},
    buckets=_MODEL_S,
)
TOKENS = Instrument(
    name="gen_ai.client.token.usage",
    unit="{token}",
    description="Tokens of one request to the model",
    labels={"gen_ai.token.type": OneOf("input", "output"), "gen_ai.request.model": MODELS},
    buckets=_TOKENS,
)
TOOL_DURATION = Instrument(
    name="voice.tool.duration",
    unit="ms",
    description="How long tools take",
    labels={"tool": TOOLS, "outcome": OneOf("ok", "failed", "refused", "unknown")},
    buckets=_WAIT_MS,
)
POOL_WAIT = Instrument(
    name="voice.pool.wait",
    unit="ms",
    description="From asking a pool to having a resource, by how it was come by",
    labels={
        "pool": OneOf("tts", "stt"),
        "tier": OneOf("dedicated", "warm", "cold"),
    },
    buckets=_WAIT_MS,
)
EVENTS = Instrument(
    name="voice.events",
    unit="{event}",
    description="Events received, by what became of them",
    sort=Sort.COUNTER,
    labels={"outcome": OneOf("applied", "duplicate", "stale")},
)
TAKEOVERS = Instrument(
    name="voice.takeovers",
    unit="{command}",
    description="Commands taken over from an instance that died",
    sort=Sort.COUNTER,
)
OUTBOX_AGE = Instrument(
    name="voice.outbox.age",
    unit="s",
    description="How long a session had been due when somebody looked after it",
    buckets=_AGE_S,
)
REFUSALS = Instrument(
    name="voice.refusals",
    unit="{refusal}",
    description="What was not allowed: late owners' commits, tools against policy, requests",
    sort=Sort.COUNTER,
    labels={"what": OneOf("commit", "tool", "request")},
)
CHARACTERS = Instrument(
    name="voice.speech.characters",
    unit="{character}",
    description="Characters spoken to callers, by who made the sound",
    sort=Sort.COUNTER,
    labels={"renderer": OneOf("acs", "speech")},
)
COST = Instrument(
    name="voice.cost",
    unit="{currency}",
    description="What was spent, in the currency of the price table",
    sort=Sort.COUNTER,
    labels={
        "item": OneOf("model_input", "model_output", "tts", "stt", "acs", "functions"),
    },
)

INSTRUMENTS = (
    *(ANSWER_LATENCY, CALLER_SILENCE, TURNS, MODEL_FIRST_TOKEN, MODEL_DURATION, TOKENS),
    *(TOOL_DURATION, POOL_WAIT, EVENTS, TAKEOVERS, OUTBOX_AGE, REFUSALS, CHARACTERS, COST),
)


class Recorder(Protocol):
    """Takes values; `shared.telemetry.open_telemetry` has one."""

    def record(self, instrument: Instrument, value: float, labels: Labels) -> None:
        """Take one value."""
        ...


_recorder: Recorder | None = None


def record(instrument: Instrument, value: float, labels: Labels = _NONE) -> None:
    """Take a value of *instrument*; nothing happens until telemetry is configured.

    A label that the instrument does not have is left out; a value it does not know is ``other``.
    """
    if _recorder is None:
        return
    bounded = {
        name: given if allowed.admits(given := labels.get(name, "")) else OTHER
        for name, allowed in instrument.labels.items()
    }
    _recorder.record(instrument, value, bounded)


def use_recorder(recorder: Recorder | None) -> Recorder | None:
    """Let *recorder* take all values from now on; returns the one before."""
    global _recorder
    before, _recorder = _recorder, recorder
    return before


@contextmanager
def recorded_by(recorder: Recorder | None) -> Iterator[None]:
    """Let *recorder* take the values for a while; for tests."""
    before = use_recorder(recorder)
    try:
        yield
    finally:
        use_recorder(before)
