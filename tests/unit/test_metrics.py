"""Measurements: each has a unit, and no label can take any number of values."""

import json
from dataclasses import replace

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from shared.agent.turn import CueKind
from shared.calls.visit import EventOutcome
from shared.pools.allocation import AllocationTier
from shared.telemetry import metrics
from shared.telemetry.metrics import INSTRUMENTS, MAX_NAMES, OTHER, Instrument, Named, OneOf, Sort
from shared.telemetry.open_telemetry import OpenTelemetryInstruments
from tests.unit.span_fakes import traced

each_instrument = pytest.mark.parametrize("instrument", INSTRUMENTS, ids=lambda one: one.name)


def test_instruments_are_listed_and_distinct() -> None:
    """One that is not listed would escape the tests below."""
    defined = [one for one in vars(metrics).values() if isinstance(one, Instrument)]
    assert {one.name for one in defined} == {one.name for one in INSTRUMENTS}
    assert len({one.name for one in INSTRUMENTS}) == len(INSTRUMENTS)


@each_instrument
def test_instrument_says_what_it_measures(instrument: Instrument) -> None:
    """Whoever builds a chart sees the unit, and histograms have buckets of the right size."""
    assert instrument.unit
    assert instrument.description
    assert bool(instrument.buckets) is (instrument.sort is Sort.HISTOGRAM)
    assert list(instrument.buckets) == sorted(instrument.buckets)


@each_instrument
def test_instrument_has_a_bounded_number_of_series(instrument: Instrument) -> None:
    """Whatever a model or a client sends, it cannot make time series without end."""
    fresh = {n: Named() if isinstance(a, Named) else a for n, a in instrument.labels.items()}
    instrument = replace(instrument, labels=fresh)  # the names of other tests shall keep theirs
    with traced() as kept:
        for number in range(4 * MAX_NAMES):
            labels = dict.fromkeys(instrument.labels, f"made-up-{number}")
            metrics.record(instrument, 1, {**labels, "session.id": str(number)})
    series = {tuple(sorted(labels.items())) for _, _, labels in kept.values}
    assert len(kept.values) == 4 * MAX_NAMES
    assert len(series) <= MAX_NAMES + 1
    assert all(set(dict(one)) == set(instrument.labels) for one in series)
    for name, allowed in instrument.labels.items():
        if isinstance(allowed, OneOf):
            assert {labels[name] for _, _, labels in kept.values} == {OTHER}


def test_labels_know_what_the_app_knows() -> None:
    """A new cue, tier or outcome that nobody added here would be counted as something else."""

    def known(instrument: Instrument, label: str) -> frozenset[str]:
        allowed = instrument.labels[label]
        assert isinstance(allowed, OneOf)
        return allowed.values

    assert known(metrics.CALLER_SILENCE, "cue") == {one.value for one in CueKind}
    assert known(metrics.POOL_WAIT, "tier") == {one.value for one in AllocationTier}
    assert known(metrics.EVENTS, "outcome") == {one.value for one in EventOutcome}


def test_named_label_tells_the_first_names_apart() -> None:
    """Agents and tools are few; a name that comes when there are too many already is no news."""
    label = Named(limit=2)
    assert [label.admits(one) for one in ("a", "b", "c", "a", "")] == [
        True,
        True,
        False,
        True,
        False,
    ]


def test_nothing_is_recorded_until_telemetry_is_configured() -> None:
    """Recording runs in every turn; without telemetry it must cost and do nothing."""
    metrics.record(metrics.EVENTS, 1, {"outcome": "applied"})
    with traced() as kept:
        metrics.record(metrics.EVENTS, 1, {"outcome": "applied"})
    metrics.record(metrics.EVENTS, 1, {"outcome": "applied"})
    assert kept.values == [("voice.events", 1, {"outcome": "applied"})]


def test_instruments_are_made_of_opentelemetry() -> None:
    """Counters add up, histograms have our buckets, and both carry unit and labels."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    with metrics.recorded_by(OpenTelemetryInstruments(provider)):
        for outcome in ("applied", "applied", "nonsense"):
            metrics.record(metrics.EVENTS, 1, {"outcome": outcome})
        metrics.record(metrics.POOL_WAIT, 30, {"pool": "tts", "tier": "warm"})
    data = reader.get_metrics_data()
    assert data is not None
    exported = json.loads(data.to_json())
    (scope,) = exported["resource_metrics"][0]["scope_metrics"]
    events, wait = scope["metrics"]
    counted = {one["attributes"]["outcome"]: one["value"] for one in events["data"]["data_points"]}
    assert (events["name"], events["unit"]) == ("voice.events", "{event}")
    assert counted == {"applied": 2, OTHER: 1}
    (point,) = wait["data"]["data_points"]
    assert (wait["unit"], point["attributes"]) == ("ms", {"pool": "tts", "tier": "warm"})
    assert point["explicit_bounds"] == list(metrics.POOL_WAIT.buckets)
    assert (point["count"], point["sum"]) == (1, 30)
    provider.shutdown()
