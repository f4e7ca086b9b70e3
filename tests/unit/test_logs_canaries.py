"""Nothing that identifies a person reaches any handler, by whatever door it comes in."""

import io
import logging
from collections.abc import Iterator

import pytest

from shared.errors import UpstreamError
from shared.telemetry.logs import ROOT, configure_logging, get_logger
from tests.canaries import CANARIES, Canary, found_in

logger = get_logger("tests.canaries")
_CLOCKS = ("created", "msecs", "relativeCreated", "thread", "process")
"""Any digits may turn up there."""

foreign = logging.getLogger("some.library")


class Everything(logging.Handler):
    """A handler like an exporter's: it looks at all there is in a record."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep all of it."""
        facts = {key: value for key, value in vars(record).items() if key not in _CLOCKS}
        self.seen.append(f"{facts} {logging.Formatter().format(record)}")


@pytest.fixture
def sinks() -> Iterator[tuple[io.StringIO, Everything, Everything]]:
    """The host's handler on the root logger, an exporter's on ours, and what is written."""
    ours, root = logging.getLogger(ROOT), logging.getLogger()
    before = (ours.handlers, ours.level, ours.propagate, root.handlers)
    stream, exporter, host = io.StringIO(), Everything(), Everything()
    root.handlers, ours.handlers = [host, logging.StreamHandler(stream)], [exporter]
    yield stream, exporter, host
    ours.handlers, level, ours.propagate, root.handlers = before
    ours.setLevel(level)


def test_two_hundred_values_are_seeded() -> None:
    """In several kinds, formats and countries, and none twice."""
    assert len(CANARIES) >= 200
    assert len({one.sentence for one in CANARIES}) == len(CANARIES)


@pytest.mark.parametrize("is_json", [True, False])
def test_log_sinks_hold_none_of_two_hundred_values(
    sinks: tuple[io.StringIO, Everything, Everything], is_json: bool
) -> None:
    """Messages, arguments, facts, nested facts, keys, causes, and lines of libraries."""
    configure_logging(level="DEBUG", is_json=is_json)
    for one in CANARIES:
        _log_everywhere(one)
    stream, exporter, host = sinks
    text = "\n".join([stream.getvalue(), *exporter.seen, *host.seen])
    assert text.count("said") >= 6 * len(CANARIES)
    assert found_in(text) == []


def _log_everywhere(one: Canary) -> None:
    said = one.sentence
    logger.info(said)
    logger.info("said %s", said, extra={"said": said, "nested": {"a": [said, {said: 1}]}})
    foreign.warning("said %s", said)
    try:
        try:
            raise ValueError(said)
        except ValueError as err:
            raise UpstreamError(f"said {said}") from err
    except UpstreamError:
        logger.exception("said something")
        foreign.exception("said something")
