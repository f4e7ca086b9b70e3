"""Loggers: JSON lines in Azure, readable lines on a terminal.

The message is a constant and facts travel in ``extra=``. Nothing that a person said, typed or is
called goes into either.
"""

import json
import logging
import sys
import traceback
from datetime import UTC, datetime
from typing import Any

from shared.errors import AppError
from shared.telemetry.context import current_facts

ROOT = "voice_agent"
"""All our loggers are children of this one."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def get_logger(name: str) -> logging.Logger:
    """The logger called *name*, below our own root so that nothing else is turned up or down."""
    return logging.getLogger(f"{ROOT}.{name}")


def configure_logging(*, level: str, is_json: bool) -> None:
    """Send our log lines where the process sends its logs. Again: replaces the earlier call.

    The Functions worker has a handler on the root logger, which passes on the formatted text and
    nothing else: where there is one, it gets our lines ready formatted. Else: standard error.

    Args:
        level: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``.
        is_json: One JSON object a line, for machines; else text for people.
    """
    has_host = bool(logging.getLogger().handlers)
    handler = _RootHandler() if has_host else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if is_json else _TextFormatter())
    root = logging.getLogger(ROOT)
    root.handlers = [handler]
    root.setLevel(level)
    for library in ("azure.core", "azure.identity", "httpx2"):
        logging.getLogger(library).setLevel(logging.WARNING)  # they log every request at INFO
    root.propagate = False  # or the root handler would get each line twice


def _facts_of(record: logging.LogRecord) -> dict[str, Any]:
    extra = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    return {**current_facts(), **extra}


class _RootHandler(logging.Handler):
    """Hands formatted lines to the handlers of the root logger."""

    def emit(self, record: logging.LogRecord) -> None:
        line = logging.makeLogRecord({"name": record.name, "levelno": record.levelno})
        line.levelname, line.msg = record.levelname, self.format(record)
        for handler in logging.getLogger().handlers:
            if line.levelno >= handler.level:
                handler.handle(line)


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_facts_of(record),
        }
        if record.exc_info:
            line["exception"] = _story_of(record.exc_info[1])
        return json.dumps(line, ensure_ascii=False, default=str)


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{key}={value}" for key, value in _facts_of(record).items())
        name = record.name.removeprefix(f"{ROOT}.")
        line = f"{record.levelname:<7} {name}: {record.getMessage()}  {facts}".rstrip()
        return f"{line}\n{_story_of(record.exc_info[1])}" if record.exc_info else line


def _story_of(error: BaseException | None) -> str:
    """The frames and classes of *error* and of what led to it, the first cause first.

    Only our own errors' texts: any other may quote what a person said.
    """
    stories: list[str] = []
    told: set[int] = set()
    while error is not None and id(error) not in told:
        told.add(id(error))
        text = f": {error}" if isinstance(error, AppError) else ""
        frames = "".join(traceback.format_tb(error.__traceback__))
        stories.append(f"{frames}{type(error).__name__}{text}")
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\n".join(reversed(stories))
