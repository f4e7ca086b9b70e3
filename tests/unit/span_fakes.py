"""Spans and measurements kept in memory, made the way the app makes them."""

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared.telemetry.metrics import Instrument, Labels, recorded_by
from shared.telemetry.open_telemetry import OpenTelemetrySpans
from shared.telemetry.tracing import traced_by


class Traced:
    """What was told while it was listening."""

    def __init__(self, *, may_hold_content: bool = False) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider(shutdown_on_exit=False)
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))
        self.spans = OpenTelemetrySpans(self.provider, may_hold_content=may_hold_content)
        self.values: list[tuple[str, float, Labels]] = []

    @property
    def ended(self) -> list[ReadableSpan]:
        """The spans that have ended, in that order."""
        return list(self._exporter.get_finished_spans())

    def named(self, name: str) -> list[ReadableSpan]:
        """Those of that name."""
        return [one for one in self.ended if one.name == name]

    def parent_of(self, span: ReadableSpan) -> str:
        """The name of what a span is part of; empty for the first of its trace."""
        if span.parent is None:
            return ""
        return next(one.name for one in self.ended if one.context.span_id == span.parent.span_id)

    def record(self, instrument: Instrument, value: float, labels: Labels) -> None:
        """Keep a measurement."""
        self.values.append((instrument.name, value, labels))


@contextmanager
def traced(*, may_hold_content: bool = False) -> Iterator[Traced]:
    """Listen for a while."""
    kept = Traced(may_hold_content=may_hold_content)
    with traced_by(kept.spans), recorded_by(kept):
        yield kept
