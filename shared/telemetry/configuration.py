"""Where spans and measurements go: to Application Insights, to an OTLP endpoint, to both, nowhere.

In Azure the Functions worker configures OpenTelemetry before it loads the app; then we only add to
it. Loaded when telemetry is wanted: the SDK and its exporters cost half a second.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass

from opentelemetry import _logs as otel_logs
from opentelemetry import metrics as otel_metrics
from opentelemetry import trace as otel
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from shared.errors import SettingsError
from shared.telemetry.farewell import flush_on_sigterm
from shared.telemetry.metrics import use_recorder
from shared.telemetry.open_telemetry import OpenTelemetryInstruments, OpenTelemetrySpans
from shared.telemetry.tracing import use_tracer

_FLUSH_MS = 1500


@dataclass(frozen=True, slots=True)
class Destination:
    """Where spans and measurements go."""

    spans: SpanExporter
    measurements: MetricExporter


_is_configured = False


def configure_tracing(
    service_name: str,
    service_version: str,
    otlp_endpoint: str | None = None,
    *,
    connection_string: str | None = None,
    may_hold_content: bool = False,
) -> bool:
    """Begin to send spans and measurements; again changes nothing.

    Where somebody has configured OpenTelemetry in this process already, as the Functions worker
    does, what we make goes where they have said, and the other arguments but the last are moot.

    Args:
        service_name: The role in the application map.
        service_version: Of the app.
        otlp_endpoint: Base URL of a collector that speaks OTLP over HTTP; ``/v1/traces`` and
            ``/v1/metrics`` are added.
        connection_string: Of Application Insights; empty for none. None leaves it to the exporter,
            which looks for ``APPLICATIONINSIGHTS_CONNECTION_STRING``.
        may_hold_content: Whether attributes with a ``pii`` segment are kept.

    Returns:
        Whether anything is sent.

    Raises:
        SettingsError: The connection string cannot be read.
    """
    global _is_configured  # noqa: PLW0603 - the providers are one per process, too
    if _is_configured:
        return True
    given = otel.get_tracer_provider()
    if not isinstance(given, TracerProvider):
        destinations = list(_destinations(otlp_endpoint, connection_string))
        if not destinations:
            return False
        resource = Resource.create(
            {"service.name": service_name, "service.version": service_version}
        )
        given = _spans_to(destinations, resource)
        otel.set_tracer_provider(given)
        otel_metrics.set_meter_provider(_measurements_to(destinations, resource))
    _is_configured = True
    measurements = otel_metrics.get_meter_provider()
    use_tracer(OpenTelemetrySpans(given, may_hold_content=may_hold_content))
    use_recorder(OpenTelemetryInstruments(measurements))
    return True


def flush() -> None:
    """Send what is held back; returns when it is sent or has failed.

    The log lines, too: the worker exports them, and holds them back for seconds.
    """
    tracer, meter = otel.get_tracer_provider(), otel_metrics.get_meter_provider()
    for provider in (tracer, otel_logs.get_logger_provider(), meter):
        if isinstance(provider, TracerProvider | LoggerProvider | MeterProvider):
            provider.force_flush(_FLUSH_MS)


def flush_at_the_end() -> bool:
    """Send what is held back when the process is asked to end; call it on the main thread."""
    return _is_configured and flush_on_sigterm(flush)


def _destinations(
    otlp_endpoint: str | None, connection_string: str | None
) -> Iterator[Destination]:
    if connection_string != "" and (found := _application_insights(connection_string)) is not None:
        yield found
    if otlp_endpoint:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        base = otlp_endpoint.rstrip("/")
        yield Destination(
            OTLPSpanExporter(endpoint=f"{base}/v1/traces"),
            OTLPMetricExporter(endpoint=f"{base}/v1/metrics"),
        )


def _application_insights(connection_string: str | None) -> Destination | None:
    from azure.monitor.opentelemetry.exporter import (
        AzureMonitorMetricExporter,
        AzureMonitorTraceExporter,
    )

    # They log every request at INFO, and what the service answers.
    logging.getLogger("azure.monitor.opentelemetry").setLevel(logging.WARNING)
    try:
        spans = AzureMonitorTraceExporter(connection_string=connection_string)
    except ValueError:
        if connection_string is None:
            return None
        raise SettingsError("APPLICATIONINSIGHTS_CONNECTION_STRING is malformed") from None
    measurements = AzureMonitorMetricExporter(connection_string=connection_string)
    return Destination(spans, measurements)


def _spans_to(destinations: list[Destination], resource: Resource) -> TracerProvider:
    # Every span: the default of the Azure exporter drops all but five traces a second.
    provider = TracerProvider(sampler=ALWAYS_ON, resource=resource)
    for one in destinations:
        provider.add_span_processor(BatchSpanProcessor(one.spans))
    return provider


def _measurements_to(destinations: list[Destination], resource: Resource) -> MeterProvider:
    readers = [PeriodicExportingMetricReader(one.measurements) for one in destinations]
    return MeterProvider(readers, resource=resource)
