"""A log line survives whatever it is given, and knows where it belongs."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest

from shared.errors import UpstreamError
from shared.telemetry.context import log_facts
from shared.telemetry.logs import ROOT, SafeLogger, configure_logging, get_logger
from shared.types import Json

logger = get_logger("tests.safety")


class Kept(logging.Handler):
    """Keeps the records."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.records.append(record)


class Odd:
    """Cannot be told."""

    def __str__(self) -> str:
        raise RuntimeError("no")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """What a process without a host writes, as JSON."""
    ours, root = logging.getLogger(ROOT), logging.getLogger()
    before = (ours.handlers, ours.level, ours.propagate, root.handlers)
    root.handlers, ours.handlers = [], []
    error, sys.stderr = sys.stderr, io.StringIO()
    configure_logging(level="INFO", is_json=True, levels={"tests.safety.loud": "DEBUG"})
    written, sys.stderr = sys.stderr, error
    yield written
    ours.handlers, level, ours.propagate, root.handlers = before
    ours.setLevel(level)


def lines(stream: io.StringIO) -> list[Json]:
    """The lines written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_get_logger_gives_the_same_logger_again_and_a_safe_one() -> None:
    """Also where somebody else has made it before."""
    logging.getLogger(f"{ROOT}.tests.made_before")
    assert isinstance(get_logger("tests.made_before"), SafeLogger)
    assert get_logger("tests.made_before") is get_logger("tests.made_before")


def test_log_line_is_written_whatever_its_facts_are(stream: io.StringIO) -> None:
    """An object without a text, a circle, half a character, not a number: never a lost line."""
    circle: list[object] = []
    circle.append(circle)
    facts = {"odd": Odd(), "circle": circle, "half": "\ud800", "nan": float("nan"), "no": {1, 2}}
    logger.info("kept", extra=facts)
    [line] = lines(stream)
    assert line["message"] == "kept"
    assert line["odd"] == "<Odd>"
    assert line["half"] == "?"


def test_log_line_is_written_though_a_fact_is_called_like_a_part_of_it(
    stream: io.StringIO,
) -> None:
    """``extra={"name": …}`` raises a KeyError in the standard library, and ends the caller."""
    logger.info(
        "kept", extra=dict(zip(("name", "message", "level", "args"), [*"xyz", 1], strict=True))
    )
    [line] = lines(stream)
    assert (line["message"], line["level"]) == ("kept", "INFO")
    assert [line[f"fact_{one}"] for one in ("name", "message", "level", "args")] == [*"xyz", 1]


def test_log_line_is_written_though_its_arguments_do_not_fit(stream: io.StringIO) -> None:
    """A slip in a log call must not end a phone call."""
    logger.info("one %d", "two")
    assert lines(stream)[0]["message"] == "one %d"


def test_log_facts_of_the_line_and_of_the_context_meet(stream: io.StringIO) -> None:
    """Ids are given once, where the work begins; a line may know better."""
    with log_facts(session_id="s1", call_connection_id="c1"):
        logger.info("a")
        logger.info("b", extra={"session_id": "s2"})
    first, second = lines(stream)
    assert (first["session_id"], first["call_connection_id"]) == ("s1", "c1")
    assert (second["session_id"], second["call_connection_id"]) == ("s2", "c1")


def test_log_level_may_be_set_for_one_logger(stream: io.StringIO) -> None:
    """To look at one part closely without paying for all."""
    get_logger("tests.safety.loud").debug("heard")
    get_logger("tests.safety.quiet").debug("not heard")
    assert [one["message"] for one in lines(stream)] == ["heard"]


def test_configure_logging_keeps_the_handler_of_an_exporter(stream: io.StringIO) -> None:
    """The worker gives our root a handler that exports, before we configure anything."""
    exporter = Kept()
    logging.getLogger(ROOT).handlers.append(exporter)
    configure_logging(level="INFO", is_json=True)
    with log_facts(session_id="s1"):
        logger.info("exported", extra={"turn": 3})
    [record] = exporter.records
    assert vars(record)["session_id"] == "s1"
    assert vars(record)["turn"] == 3


def test_log_record_of_a_failure_tells_an_exporter_of_it(stream: io.StringIO) -> None:
    """Application Insights makes an exception of these attributes; the object stays here."""
    exporter = Kept()
    logging.getLogger(ROOT).handlers.append(exporter)
    try:
        raise UpstreamError("store unreachable")
    except UpstreamError:
        logger.exception("failed")
    facts = vars(exporter.records[0])
    assert facts["exc_info"] is None
    assert facts["exception.type"] == "UpstreamError"
    assert facts["exception.message"] == "store unreachable"
    assert "test_logs_safety.py" in facts["exception.stacktrace"]
