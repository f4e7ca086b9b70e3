"""The specification's logging sample as written, but for the module; and what it correlates."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from shared.telemetry.logs import ROOT, configure_logging, get_logger


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """Where the host's handler writes."""
    ours, root = logging.getLogger(ROOT), logging.getLogger()
    before = (ours.handlers, ours.level, ours.propagate, root.handlers)
    stream = io.StringIO()
    root.handlers = [logging.StreamHandler(stream)]
    configure_logging(level="INFO", is_json=True)
    yield stream
    ours.handlers, level, ours.propagate, root.handlers = before
    ours.setLevel(level)


def test_specification_logging_sample(stream: io.StringIO) -> None:
    """One line, with the ids that were given, whole."""
    session_id = "01a21f9f-81ab-7f74-9eca-f6b3e849fd68"
    call_connection_id = "411f0b00-d97f-49ad-a6ff-4f4b05d5c7bb"

    logger = get_logger("api.v1.media")

    logger.info(
        "Session started",
        extra={
            "session_id": session_id,
            "call_connection_id": call_connection_id,
        },
    )

    [text] = stream.getvalue().splitlines()
    line = json.loads(text)
    assert line["message"] == "Session started"
    assert line["logger"] == f"{ROOT}.api.v1.media"
    assert line["session_id"] == session_id
    assert line["call_connection_id"] == call_connection_id
    assert line["timestamp"].endswith("+00:00")


def test_log_line_names_the_active_span(stream: io.StringIO) -> None:
    """From a line to the trace of its call in one step; outside a span there is nothing to name."""
    logger = get_logger("tests.span")
    context = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(1))
    with trace.use_span(NonRecordingSpan(context)):
        logger.info("within")
    logger.info("outside")
    within, outside = map(json.loads, stream.getvalue().splitlines())
    assert within["trace_id"] == f"{0xABC:032x}"
    assert within["span_id"] == f"{0xDEF:016x}"
    assert "trace_id" not in outside
