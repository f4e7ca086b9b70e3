"""Every failure the app can act on. None of them knows HTTP.

The text of an error may be shown to a client and ends up in logs: it names fields and
dependencies, never values.
"""


class AppError(Exception):
    """The app failed; the ancestor of all errors that have a name."""

    code = "internal"


class SettingsError(AppError):
    """The configuration is incomplete or malformed."""

    code = "settings_invalid"


class InvalidRequestError(AppError):
    """The request cannot be understood; sending it again will not help."""

    code = "invalid_request"


class UnauthorizedError(AppError):
    """The caller did not prove who they are."""

    code = "unauthorized"


class ForbiddenError(AppError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFoundError(AppError):
    """What the request names does not exist."""

    code = "not_found"


class SessionNotFoundError(NotFoundError):
    """There is no such session, or it has expired."""

    code = "session_not_found"


class ToolNotFoundError(NotFoundError):
    """No tool of that name is registered."""

    code = "tool_not_found"


class AgentNotFoundError(NotFoundError):
    """No agent of that name is defined."""

    code = "agent_not_found"


class ConflictError(AppError):
    """Someone else changed the same thing first; read it again before trying again."""

    code = "conflict"


class TurnInProgressError(ConflictError):
    """The session is still answering; one turn at a time."""

    code = "turn_in_progress"


class PoolExhaustedError(AppError):
    """No resource became free within the deadline."""

    code = "pool_exhausted"


class UpstreamError(AppError):
    """A service we depend on failed or could not be reached."""

    code = "upstream_failed"


class UpstreamTimeoutError(UpstreamError):
    """A service we depend on did not answer within the deadline."""

    code = "upstream_timeout"


class UpstreamThrottledError(UpstreamError):
    """A service we depend on asked us to slow down."""

    code = "upstream_throttled"

    def __init__(self, message: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ContentFilteredError(UpstreamError):
    """The model's content filter refused the input or the output."""

    code = "content_filtered"
