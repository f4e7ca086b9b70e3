"""Loggers: JSON lines in Azure, readable lines on a terminal.

The message is a constant and facts travel in ``extra=``. Nothing that a person said, typed or is
called belongs into either; what gets there all the same is taken out when the record is made, so
that every handler, ours or somebody else's, sees it without.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

from shared.errors import AppError
from shared.telemetry.context import current_facts
from shared.telemetry.redaction import redact, redact_value

ROOT = "voice_agent"
"""All our loggers are children of this one."""

OURS = ("shared", "functions", "tests")
"""Levels of loggers with these names are levels of ours."""

_QUIET = ("azure.core", "azure.cosmos", "azure.identity", "httpx2", "httpcore2", "openai")
"""They log every request at INFO, and azure.cosmos the ids of documents with it."""

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_EXCEPTION = "exception."
_NO_LEVELS: Mapping[str, str] = MappingProxyType({})


def get_logger(name: str) -> logging.Logger:
    """The logger called *name*, below our own root so that nothing else is turned up or down."""
    logger = logging.getLogger(f"{ROOT}.{name}")
    if type(logger) is logging.Logger:
        # logging.setLoggerClass would be for everybody, and other threads import at this moment.
        logger.__class__ = SafeLogger
    return logger


def configure_logging(*, level: str, is_json: bool, levels: Mapping[str, str] = _NO_LEVELS) -> None:
    """Send our log lines where the process sends its logs. Again: replaces the earlier call.

    The Functions worker has a handler on the root logger, which passes on the formatted text and
    nothing else: where there is one, it gets our lines ready formatted. Else: standard error.
    Handlers that somebody else gave our root, such as the exporter of Azure Monitor, stay.

    Args:
        level: ``DEBUG``, ``INFO``, ``WARNING`` or ``ERROR``.
        is_json: One JSON object a line, for machines; else text for people.
        levels: Levels of single loggers by name, for example ``shared.calls`` or ``azure.core``.
    """
    host = logging.getLogger().handlers
    handler = _RootHandler() if host else _ErrorHandler(sys.stderr)
    handler.setFormatter(_JsonFormatter() if is_json else _TextFormatter())
    root = logging.getLogger(ROOT)
    others = [one for one in root.handlers if not isinstance(one, _RootHandler | _ErrorHandler)]
    root.handlers = [*others, handler]
    root.setLevel(level)
    root.propagate = False  # or the root handler would get each line twice
    for library in _QUIET:
        logging.getLogger(library).setLevel(logging.WARNING)
    for name, own_level in levels.items():
        is_ours = name.partition(".")[0] in OURS
        logging.getLogger(f"{ROOT}.{name}" if is_ours else name).setLevel(own_level)
    for one in (*host, logging.lastResort):
        if one is not None and _redact_foreign not in one.filters:
            one.addFilter(_redact_foreign)


class SafeLogger(logging.Logger):
    """Makes records that give nobody away and that no fact can spoil."""

    def makeRecord(  # noqa: N802, PLR0913, PLR0917 - logging calls it so
        self,
        name: str,
        level: int,
        fn: str,
        lno: int,
        msg: object,
        args: Any,
        exc_info: Any,
        func: str | None = None,
        extra: Mapping[str, object] | None = None,
        sinfo: str | None = None,
    ) -> logging.LogRecord:
        """A record whose message is ready and whose facts, those of the context too, are safe."""
        record = logging.LogRecord(name, level, fn, lno, msg, args, None, func, sinfo)
        _make_safe(record, exc_info[1] if exc_info else None)
        for key, value in (*current_facts().items(), *(extra or {}).items()):
            # A fact called like a part of the record would break it: logging raises a KeyError.
            record.__dict__[f"fact_{key}" if key in _STANDARD else key] = redact_value(value, key)
        return record


def _make_safe(record: logging.LogRecord, error: BaseException | None) -> None:
    """Fix the text of *record*, and tell of *error* only what may be told."""
    try:
        message = record.getMessage()
    except Exception:  # noqa: BLE001 - arguments that do not fit must not cost the line
        message = str(record.msg)
    record.msg, record.args = redact(message), None
    record.exc_info = None  # its text may quote a caller, and handlers would print it
    if error is None:
        return
    record.exc_text = redact(_story_of(error))
    record.__dict__ |= {
        "exception.type": type(error).__name__,
        "exception.message": redact(str(error)) if isinstance(error, AppError) else "",
        "exception.stacktrace": record.exc_text,
    }  # the names of OpenTelemetry, whose exporter makes an exception of them


def _redact_foreign(record: logging.LogRecord) -> bool:
    """Make the records of libraries safe as well, at the last moment."""
    if not record.name.startswith(ROOT):
        _make_safe(record, record.exc_info[1] if record.exc_info else None)
    return True


def _facts_of(record: logging.LogRecord) -> dict[str, Any]:
    return {
        key: value
        for key, value in vars(record).items()
        if key not in _STANDARD and not key.startswith(_EXCEPTION)
    }


def _span_of() -> dict[str, str]:
    """The ids of the active span; nothing is loaded to find out that there is none."""
    trace = sys.modules.get("opentelemetry.trace")
    context = trace.get_current_span().get_span_context() if trace is not None else None
    if context is None or not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class _ErrorHandler(logging.StreamHandler[Any]):
    """Writes lines to standard error."""


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
            **_span_of(),
        }
        for key, value in _facts_of(record).items():
            line[f"fact_{key}" if key in line else key] = value
        if record.exc_text:
            line["exception"] = record.exc_text
        text = json.dumps(line, ensure_ascii=False, default=str)
        # Half a character, as broken JSON has it, could not be written.
        return text if text.isascii() else text.encode("utf-8", "replace").decode()


class _TextFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts = " ".join(f"{key}={_one_line(value)}" for key, value in _facts_of(record).items())
        name = record.name.removeprefix(f"{ROOT}.")
        message = _one_line(record.getMessage())
        line = f"{record.levelname:<7} {name}: {message}  {facts}".rstrip()
        return f"{line}\n{record.exc_text}" if record.exc_text else line


def _one_line(value: object) -> str:
    """*value* without line breaks, so that nobody forges a second line."""
    return str(value).replace("\r", "\\r").replace("\n", "\\n")


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
