"""What host and worker do where ``PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY`` is on.

The worker configures OpenTelemetry before it loads the app, and runs every function within the
trace of its invocation. The host, another process there, sends one request item an invocation.
Nothing of this is loaded unless the setting asks for it.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING

from simulator.functions_host.configuration import environment

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


class WorkerTelemetry:
    """OpenTelemetry as the worker sets it up, and the host's own sender of requests."""

    def __init__(self, requests: "TracerProvider | None") -> None:
        """Send requests with that provider; None: nothing is sent."""
        self._requests = requests

    def invocation(self, function: str, trace_parent: str | None) -> AbstractContextManager[None]:
        """Run what follows as an invocation of *function*, in the caller's trace if any."""
        if self._requests is None:
            return nullcontext()
        return _invocation(self._requests, function, trace_parent)


def configure_telemetry() -> WorkerTelemetry:
    """Do what the worker does before it loads the app, if the settings want it."""
    settings = environment()
    if settings.get("PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY", "").lower() != "true":
        return WorkerTelemetry(None)
    from azure.monitor.opentelemetry import configure_azure_monitor
    from azure.monitor.opentelemetry.exporter import AzureMonitorTraceExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.sampling import ALWAYS_ON

    connection_string = settings["APPLICATIONINSIGHTS_CONNECTION_STRING"]
    logger_name = settings.get("PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME", "")
    configure_azure_monitor(connection_string=connection_string, logger_name=logger_name)
    host = TracerProvider(sampler=ALWAYS_ON, resource=Resource.create({"service.name": "host"}))
    exporter = AzureMonitorTraceExporter(connection_string=connection_string)
    host.add_span_processor(BatchSpanProcessor(exporter))
    return WorkerTelemetry(host)


@contextmanager
def _invocation(
    requests: "TracerProvider", function: str, trace_parent: str | None
) -> Iterator[None]:
    from opentelemetry import context, trace
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    propagator = TraceContextTextMapPropagator()
    came_from = propagator.extract({"traceparent": trace_parent or ""}, Context())
    span = requests.get_tracer("host").start_span(
        f"Functions.{function}", came_from, trace.SpanKind.SERVER
    )
    # The worker gets a header and nothing else: what is current for the function is remote.
    carrier: dict[str, str] = {}
    propagator.inject(carrier, trace.set_span_in_context(span, Context()))
    token = context.attach(propagator.extract(carrier, Context()))
    try:
        yield
    finally:
        context.detach(token)
        span.end()
