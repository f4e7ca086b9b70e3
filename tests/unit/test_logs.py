"""Log lines: where they go, what they carry, and what they never do."""

import io
import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from shared.errors import UpstreamError
from shared.telemetry.context import current_facts, log_facts
from shared.telemetry.logs import ROOT, configure_logging, get_logger
from shared.types import Json

logger = get_logger("tests.logs")


class FakeHost(logging.Handler):
    """A handler such as the Functions worker puts on the root logger: it passes on the text."""

    def __init__(self, level: int = logging.NOTSET) -> None:
        super().__init__(level)
        self.lines: list[tuple[str, str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line."""
        self.lines.append((record.levelname, record.name, record.getMessage()))


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Each test configures logging for itself and leaves it as it was."""
    ours, root = logging.getLogger(ROOT), logging.getLogger()
    before = (ours.handlers, ours.level, ours.propagate, root.handlers)
    yield
    ours.handlers, level, ours.propagate, root.handlers = before
    ours.setLevel(level)


@contextmanager
def standard_error() -> Iterator[io.StringIO]:
    """What a process without a host writes."""
    before, sys.stderr = sys.stderr, io.StringIO()
    try:
        yield sys.stderr
    finally:
        sys.stderr = before


def written(*, is_json: bool, level: str = "DEBUG") -> io.StringIO:
    """Configure logging without a host; return where it writes to."""
    logging.getLogger().handlers = []
    with standard_error() as stream:
        configure_logging(level=level, is_json=is_json)
    return stream


def look_up(said: str) -> None:
    """Fail as code around an SDK does."""
    try:
        raise KeyError(said)
    except KeyError as err:
        raise UpstreamError("session store unreachable") from err


def test_log_line_is_one_json_object_with_its_facts() -> None:
    """Machines read fields; nobody parses sentences."""
    stream = written(is_json=True)
    with log_facts(session_id="s1"):
        logger.info("turn done", extra={"turn": 3, "tools": ["a"]})
    line: Json = json.loads(stream.getvalue())
    stamp = line.pop("timestamp")
    assert stamp.endswith("+00:00")
    assert line == {
        "level": "INFO",
        "logger": f"{ROOT}.tests.logs",
        "message": "turn done",
        "session_id": "s1",
        "turn": 3,
        "tools": ["a"],
    }


def test_log_line_for_people_has_level_name_message_and_facts() -> None:
    """On a terminal, the same facts fit on one readable line."""
    stream = written(is_json=False)
    logger.warning("retrying", extra={"attempt": 2})
    assert stream.getvalue() == "WARNING tests.logs: retrying  attempt=2\n"


def test_log_line_stays_one_line_whatever_a_fact_holds() -> None:
    """A line break in a value must not forge a second line."""
    stream = written(is_json=True)
    logger.info("odd", extra={"value": "a\nb", "other": {1}})
    assert stream.getvalue().count("\n") == 1
    assert json.loads(stream.getvalue())["other"] == "{1}"


def test_log_level_decides_what_is_written() -> None:
    """Debug lines cost money in Azure."""
    stream = written(is_json=False, level="WARNING")
    logger.info("quiet")
    logger.error("loud")
    assert stream.getvalue().splitlines() == ["ERROR   tests.logs: loud"]


@pytest.mark.parametrize("is_json", [True, False])
def test_log_line_of_a_crash_tells_where_but_not_what_was_said(is_json: bool) -> None:
    """The text of a foreign exception may quote a caller; frames and classes are enough."""
    stream, said = written(is_json=is_json), "my pin is 1234"
    try:
        look_up(said)
    except UpstreamError:
        logger.exception("function crashed", extra={"function": "post_turn"})
    text = stream.getvalue()
    assert "1234" not in text
    assert text.index("KeyError") < text.index("UpstreamError: session store unreachable")
    assert "test_logs.py" in text


def test_log_line_of_a_crash_survives_a_circle_of_causes() -> None:
    """An exception that is its own cause by a detour must not hang the logger."""
    stream = written(is_json=True)
    first, second = ValueError(), TypeError()
    first.__cause__, second.__cause__ = second, first
    logger.error("odd", exc_info=first)
    assert json.loads(stream.getvalue())["exception"] == "TypeError\nValueError"


def test_log_lines_reach_the_host_once_and_ready_formatted() -> None:
    """The worker passes on the text alone, so our facts have to be in it."""
    host = FakeHost()
    logging.getLogger().handlers = [host]
    configure_logging(level="INFO", is_json=True)
    with log_facts(session_id="s1"):
        logger.warning("slow", extra={"ms": 12})
    [(level, name, text)] = host.lines
    assert (level, name) == ("WARNING", f"{ROOT}.tests.logs")
    assert json.loads(text)["session_id"] == "s1"
    assert json.loads(text)["ms"] == 12


def test_log_lines_leave_a_percent_sign_to_the_host_as_it_is() -> None:
    """A ready line is text, not a template."""
    host = FakeHost()
    logging.getLogger().handlers = [host]
    configure_logging(level="INFO", is_json=False)
    logger.info("load", extra={"share": "100%s"})
    assert host.lines[0][2].endswith("share=100%s")


def test_log_lines_respect_the_level_of_the_hosts_handler() -> None:
    """A host that wants errors only gets errors only."""
    host = FakeHost(logging.ERROR)
    logging.getLogger().handlers = [host]
    configure_logging(level="DEBUG", is_json=False)
    logger.info("quiet")
    logger.error("loud")
    assert [one[0] for one in host.lines] == ["ERROR"]


def test_configure_logging_again_replaces_the_earlier_call() -> None:
    """Settings read twice must not write every line twice."""
    host = FakeHost()
    logging.getLogger().handlers = [host]
    for _ in range(3):
        configure_logging(level="INFO", is_json=False)
    logger.info("once")
    assert len(host.lines) == 1


def test_configure_logging_quietens_sdks_that_log_every_request() -> None:
    """One line per HTTP request of ours, with URLs, is neither wanted nor free."""
    written(is_json=False)
    for name in ("azure.core.pipeline.policies", "azure.cosmos", "azure.identity", "httpx2"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO), name


def test_log_facts_nest_and_end() -> None:
    """What is done for a session is told apart from what is done after it."""
    with log_facts(session_id="s1"):
        with log_facts(call_connection_id="c1", session_id="s2", empty=""):
            assert dict(current_facts()) == {"session_id": "s2", "call_connection_id": "c1"}
        assert dict(current_facts()) == {"session_id": "s1"}
    assert dict(current_facts()) == {}
