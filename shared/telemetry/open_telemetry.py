"""Spans and instruments made with OpenTelemetry; the only module that knows its API.

Loaded when telemetry is configured, never with the app.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import Token
from types import TracebackType
from typing import Self

from opentelemetry import context as contexts
from opentelemetry import metrics as otel_metrics
from opentelemetry import trace as otel
from opentelemetry.context import Context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from shared.errors import AppError
from shared.telemetry import names
from shared.telemetry.context import current_facts
from shared.telemetry.metrics import Instrument, Labels, Sort
from shared.telemetry.redaction import redact_value
from shared.telemetry.tracing import NO_SPAN, Kind, Span, SpanPlan, Value

_KIND = {Kind.INTERNAL: otel.SpanKind.INTERNAL, Kind.CLIENT: otel.SpanKind.CLIENT}
_ERROR = otel.Status(otel.StatusCode.ERROR)
_PROPAGATOR = TraceContextTextMapPropagator()


class OpenTelemetrySpans:
    """Opens spans with a tracer."""

    def __init__(self, provider: otel.TracerProvider, *, may_hold_content: bool) -> None:
        """Open spans of *provider*.

        Args:
            provider: Where the spans go.
            may_hold_content: Whether attributes with a ``pii`` segment are kept.
        """
        self._tracer = provider.get_tracer("voice_agent")
        self.holds_content = may_hold_content

    def open(self, plan: SpanPlan) -> Span:
        """A span, not begun yet; a detail without anything that it is part of is none."""
        if plan.is_detail and not _is_within_ours():
            return NO_SPAN
        return _OpenTelemetrySpan(self._tracer, plan, self.holds_content)

    def trace_parent(self) -> str:
        """The current span as a W3C ``traceparent``, empty if there is none."""
        carrier: dict[str, str] = {}
        _PROPAGATOR.inject(carrier)
        return carrier.get("traceparent", "")

    @contextmanager
    def within(self, opened: Span) -> Iterator[None]:
        """Make a span that is open the current one."""
        if not isinstance(opened, _OpenTelemetrySpan):
            yield
            return
        token = contexts.attach(otel.set_span_in_context(opened.inner))
        try:
            yield
        finally:
            contexts.detach(token)


class _OpenTelemetrySpan:
    __slots__ = ("_may_hold_content", "_plan", "_token", "_tracer", "inner")

    def __init__(self, tracer: otel.Tracer, plan: SpanPlan, may_hold_content: bool) -> None:
        self._tracer = tracer
        self._plan = plan
        self._may_hold_content = may_hold_content
        self._token: Token[Context] | None = None
        self.inner: otel.Span = otel.INVALID_SPAN

    def set(self, name: str, value: Value | None) -> None:
        """Note a fact, unless it is content that must not be kept; by the filter of the logs.

        Here and not in a processor: the SDK lets nobody change a span that ends.
        """
        if value is not None and self._may_hold(name):
            self.inner.set_attribute(name, redact_value(value, name))

    def _may_hold(self, name: str) -> bool:
        return self._may_hold_content or "pii" not in name.split(".")

    def fail(self, error_type: str) -> None:
        """The work has failed."""
        self.inner.set_attribute(names.ERROR_TYPE, error_type)
        self.inner.set_status(_ERROR)

    def link(self, trace_parent: str) -> None:
        """Point to another trace."""
        there = otel.get_current_span(_PROPAGATOR.extract({"traceparent": trace_parent}, Context()))
        other, own = there.get_span_context(), self.inner.get_span_context()
        if other.is_valid and other.trace_id != own.trace_id:
            self.inner.add_link(other)

    def __enter__(self) -> Self:
        plan = self._plan
        parent = plan.parent
        # Whoever opens a span in an asynchronous generator says what it is part of.
        within = (
            otel.set_span_in_context(parent.inner)
            if isinstance(parent, _OpenTelemetrySpan)
            else contexts.get_current()
        )
        facts = current_facts()
        attributes = {names.OF_FACTS[one]: facts[one] for one in names.OF_FACTS if one in facts}
        attributes |= {
            name: redact_value(value, name)
            for name, value in plan.attributes.items()
            if self._may_hold(name)
        }
        self.inner = self._tracer.start_span(plan.name, within, _KIND[plan.kind], attributes)
        if plan.is_current:
            self._token = contexts.attach(otel.set_span_in_context(self.inner, within))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Called off is not failed, and the text of an error may say what a person said.
        if isinstance(error, Exception):
            self.fail(error.code if isinstance(error, AppError) else type(error).__name__)
        if self._token is not None:
            contexts.detach(self._token)
        self.inner.end()


def _is_within_ours() -> bool:
    """Whether the current span is one of this process, ended or not."""
    here = otel.get_current_span().get_span_context()
    return here.is_valid and not here.is_remote


class OpenTelemetryInstruments:
    """Records with a meter; an instrument is made when it is first used."""

    def __init__(self, provider: otel_metrics.MeterProvider) -> None:
        self._meter = provider.get_meter("voice_agent")
        self._made: dict[str, otel_metrics.Histogram | otel_metrics.Counter] = {}

    def record(self, instrument: Instrument, value: float, labels: Labels) -> None:
        """Record one value."""
        made = self._made.get(instrument.name)
        if made is None:
            made = self._made[instrument.name] = self._make(instrument)
        if isinstance(made, otel_metrics.Counter):
            made.add(value, labels)
        else:
            made.record(value, labels)

    def _make(self, plan: Instrument) -> otel_metrics.Histogram | otel_metrics.Counter:
        if plan.sort is Sort.COUNTER:
            return self._meter.create_counter(plan.name, plan.unit, plan.description)
        return self._meter.create_histogram(
            plan.name,
            plan.unit,
            plan.description,
            explicit_bucket_boundaries_advisory=list(plan.buckets),
        )
