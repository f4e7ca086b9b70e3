"""Why a tool did not do what it was asked, and what the model is told about it.

The sentences go to the model and to HTTP clients: they name fields and rules, never values.
"""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from shared.errors import (
    AppError,
    ConflictError,
    InvalidRequestError,
    ToolNotFoundError,
    UpstreamError,
)
from shared.telemetry.logs import get_logger
from shared.types import Json

logger = get_logger(__name__)

TOOL_FAILED = "tool_failed"
OUTCOME_UNKNOWN = "outcome_unknown"
IDEMPOTENCY_MISMATCH = "idempotency_mismatch"


class ToolDefinitionError(AppError):
    """A tool is defined in a way that can never work; found when it is registered."""

    code = "tool_definition_invalid"


class DuplicateToolError(ConflictError):
    """A tool of that name is registered already."""

    code = "tool_duplicate"


class InvalidArgumentsError(InvalidRequestError):
    """The arguments break the tool's schema; the text names the fields and the rules."""

    code = "invalid_arguments"


class ToolRetryError(AppError):
    """Nothing was done; the model may correct its arguments and call again."""

    code = "retry"


class ToolFailedError(AppError):
    """The tool came to a final no; calling again will not help."""

    code = TOOL_FAILED


class ToolTimeoutError(AppError):
    """The tool did not end within the deadline of its policy."""

    code = "tool_timeout"


class ToolRefusedError(AppError):
    """Policy forbids the call as things are; nothing was done.

    Args:
        message: A sentence for the model that says what is missing.
        missing: What has to change first: ``authentication``, ``mfa``, ``confirmation``, ...
    """

    code = "refused"

    def __init__(self, message: str, *, missing: str) -> None:
        super().__init__(message)
        self.missing = missing
        self.code = f"refused:{missing}"


@contextmanager
def nothing_done_yet() -> Iterator[None]:
    """Around what a tool reads before it changes anything.

    A failure here leaves no doubt: nothing was done, so the call may be made again.

    Raises:
        ToolRetryError: Instead of an UpstreamError.
    """
    try:
        yield
    except UpstreamError as err:
        logger.warning("tool dependency failed", extra={"code": err.code})
        raise ToolRetryError(
            "This is temporarily unavailable; nothing was done. Try once more, or offer a person."
        ) from err


def failure(code: str, message: str) -> Json:
    """The result of a call that failed: a stable *code* and a sentence for the model."""
    return {"success": False, "error": code, "message": message}


def failure_of(error: Exception, tool: str) -> Json:
    """Turn what a call raised into its result; what nobody foresaw is logged.

    Args:
        error: Whatever the preparation or the executor raised.
        tool: The registered name, or a constant where the name came from the model.
    """
    match error:
        case ToolNotFoundError():
            return failure("unknown_tool", "There is no such tool.")
        case (
            InvalidArgumentsError()
            | ToolRetryError()
            | ToolFailedError()
            | ToolTimeoutError()
            | ToolRefusedError()
        ):
            return failure(error.code, str(error))
        case UpstreamError():
            logger.warning("tool dependency failed", extra={"tool": tool, "code": error.code})
            return failure(TOOL_FAILED, "This is temporarily unavailable.")
        case _:
            # Only the frames: the exception's own text may hold what the caller said.
            stack = "".join(traceback.format_tb(error.__traceback__))
            logger.error(
                "tool raised",
                extra={"tool": tool, "error_type": type(error).__name__, "stack": stack},
            )
            return failure(TOOL_FAILED, "The tool failed.")
