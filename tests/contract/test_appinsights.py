"""The real exporters against the stand-in of Application Insights and a collector for OTLP.

Each test configures a process of its own: the providers of OpenTelemetry are one per process.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from simulator.appinsights import AppInsights, Fault, Span, spans_of

ROOT = Path(__file__).parents[2]

SAMPLE = """
OTEL_EXPORTER_OTLP_ENDPOINT = os.environ.get("COLLECTOR")
configure_tracing(
    service_name="voice-agent-api",
    service_version="v1.0.0",
    otlp_endpoint=OTEL_EXPORTER_OTLP_ENDPOINT
)
"""
"""The call of the specification, as written."""

PRELUDE = """
import os, sys
from shared.telemetry import names
from shared.telemetry.configuration import configure_tracing, flush
from shared.telemetry.metrics import EVENTS, record
from shared.telemetry.tracing import span
"""

QUIET = {
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
    "OTEL_BSP_SCHEDULE_DELAY": "60000",
}


async def run(program: str, tmp_path: Path, **settings: str) -> str:
    """Run a program with our telemetry in a process of its own; gives what it prints."""
    inherited = {name: value for name, value in os.environ.items() if "OTEL" not in name}  # noqa: TID251
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", "-c", PRELUDE + program),
        cwd=ROOT,
        env={**inherited, **QUIET, **settings, "TMPDIR": str(tmp_path)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            output, errors = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, errors.decode()[-3000:]
    return output.decode()


@asynccontextmanager
async def insights() -> AsyncIterator[AppInsights]:
    """The stand-in, as long as it is needed."""
    service = AppInsights()
    await service.start()
    try:
        yield service
    finally:
        await service.aclose()


class Collector:
    """Takes OTLP over HTTP and remembers where it was posted."""

    def __init__(self) -> None:
        self.posts: list[tuple[str, str, bytes]] = []

    async def post(self, request: web.Request) -> web.Response:
        """Accept everything."""
        self.posts.append((request.path, request.content_type, await request.read()))
        return web.Response(content_type="application/x-protobuf")


@asynccontextmanager
async def collector() -> AsyncIterator[tuple[Collector, str]]:
    """A collector and its base URL."""
    kept, app = Collector(), web.Application()
    app.router.add_post("/v1/{what}", kept.post)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield kept, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def named(service: AppInsights, name: str) -> list[Span]:
    """The spans of that name that have arrived."""
    return [one for one in spans_of(service.items) if one.name == name]


async def test_specification_sample_sends_to_both(tmp_path: Path) -> None:
    """With a connection string and an endpoint, spans and measurements go to both, once."""
    program = (
        SAMPLE
        + SAMPLE  # again changes nothing
        + """
with span(names.SPAN_TURN, {names.TURN: 7}):
    record(EVENTS, 1, {"outcome": "applied"})
flush()
"""
    )
    async with insights() as service, collector() as (kept, url):
        settings = {
            "COLLECTOR": url,
            "APPLICATIONINSIGHTS_CONNECTION_STRING": service.connection_string,
        }
        await run(program, tmp_path, **settings)
    (turn,) = named(service, "turn")
    assert turn.properties["voice.turn.number"] == "7"
    tags = next(one["tags"] for one in service.items if one["data"]["baseType"] != "MetricData")
    assert tags["ai.cloud.role"] == "voice-agent-api"
    paths = [path for path, _, _ in kept.posts]
    assert set(paths) == {"/v1/traces", "/v1/metrics"}
    assert paths.count("/v1/traces") == 1
    assert {kind for _, kind, _ in kept.posts} == {"application/x-protobuf"}
    assert any(b"voice-agent-api" in body and b"v1.0.0" in body for _, _, body in kept.posts)


async def test_specification_sample_sends_nowhere_without_an_address(tmp_path: Path) -> None:
    """A laptop without either must neither fail nor start threads."""
    program = (
        SAMPLE
        + """
import threading
with span(names.SPAN_TURN):
    pass
from opentelemetry import trace
print(threading.active_count(), type(trace.get_tracer_provider()).__name__)
"""
    )
    assert (await run(program, tmp_path)).split() == ["1", "ProxyTracerProvider"]


async def test_tracing_joins_what_somebody_else_has_configured(tmp_path: Path) -> None:
    """In Azure the worker comes first: a second pipeline would send everything twice."""
    program = (
        """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept, provider = InMemorySpanExporter(), TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
"""
        + SAMPLE
        + """
with span(names.SPAN_TURN):
    pass
flush()
print([one.name for one in kept.get_finished_spans()], trace.get_tracer_provider() is provider)
"""
    )
    async with insights() as service:
        settings = {"APPLICATIONINSIGHTS_CONNECTION_STRING": service.connection_string}
        printed = await run(program, tmp_path, **settings)
    assert printed.strip() == "['turn'] True"
    assert service.items == []


async def test_tracing_flushes_when_the_process_is_asked_to_end(tmp_path: Path) -> None:
    """The platform kills an instance soon after; what it knows about a call must not be lost."""
    program = (
        SAMPLE
        + """
import signal
from shared.telemetry.configuration import flush_at_the_end
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))  # dies as a host does: no atexit
assert flush_at_the_end()
with span(names.SPAN_TURN):
    pass
signal.raise_signal(signal.SIGTERM)
raise AssertionError
"""
    )
    async with insights() as service:
        settings = {"APPLICATIONINSIGHTS_CONNECTION_STRING": service.connection_string}
        await run(program, tmp_path, **settings)
    assert len(named(service, "turn")) == 1


async def test_malformed_connection_string_is_named_and_not_shown(tmp_path: Path) -> None:
    """The app must say which setting is wrong, and go on without telemetry."""
    program = """
from shared.errors import SettingsError
try:
    configure_tracing("a", "b", connection_string="InstrumentationKey=secret-thing")
except SettingsError as error:
    print(error)
"""
    assert (await run(program, tmp_path)).strip() == (
        "APPLICATIONINSIGHTS_CONNECTION_STRING is malformed"
    )


THREE_BATCHES = (
    SAMPLE
    + """
for number in range(3):
    with span(names.SPAN_TURN, {names.TURN: number}):
        pass
    with span(names.SPAN_TURN, {names.TURN: number + 10}):
        pass
    flush()
"""
)


@pytest.mark.parametrize(
    ("fault", "lost"),
    [
        (Fault(status=503), 0),
        (Fault(status=500), 0),
        (Fault(status=429, retry_after_s=1), 0),
        (Fault(status=402), 2),
        (Fault(status=439), 2),
        (Fault(status=400), 2),
        (Fault(status=206, item_status=400), 1),
    ],
    ids=lambda one: str(one.status) if isinstance(one, Fault) else "",
)
async def test_exporter_is_answered_as_the_service_would(
    fault: Fault, lost: int, tmp_path: Path
) -> None:
    """What may be sent again is sent again, once; over the quota and bad data it is gone."""
    async with insights() as service:
        service.fail(fault)
        settings = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": service.connection_string,
            "APPLICATIONINSIGHTS_OPENTELEMETRY_RESOURCE_METRIC_DISABLED": "true",
        }
        await run(THREE_BATCHES, tmp_path, **settings)
    numbers = [one.properties["voice.turn.number"] for one in named(service, "turn")]
    assert len(numbers) == len(set(numbers))
    assert len(numbers) == 6 - lost
    assert service.answers[0] == fault.status


async def test_stand_in_shows_what_it_has(tmp_path: Path) -> None:
    """Whoever runs the app by hand can look at what it has sent."""
    async with insights() as service:
        settings = {"APPLICATIONINSIGHTS_CONNECTION_STRING": service.connection_string}
        await run(THREE_BATCHES, tmp_path, **settings)
        script = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1]).read())"
        url = f"{service.url}items?type=RemoteDependencyData"
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", script.replace(".read())", ".read().decode())"), url),
            stdout=asyncio.subprocess.PIPE,
        )
        shown, _ = await process.communicate()
    assert len(json.loads(shown)) == 6
