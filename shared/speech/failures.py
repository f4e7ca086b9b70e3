"""What went wrong at the speech service, in the app's terms and without the service's words."""

from azure.cognitiveservices.speech import (  # type: ignore[import-untyped]
    CancellationErrorCode as Code,
)

from shared.errors import (
    AppError,
    InvalidRequestError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)

_MAY_PASS = frozenset(
    {
        Code.ConnectionFailure,
        Code.ServiceError,
        Code.ServiceUnavailable,
        # Also what becomes of a request that crosses the close of an idle connection on its way.
        Code.ServiceTimeout,
    }
)


def translated(code: Code) -> AppError:
    """Name a cancellation."""
    if code is Code.BadRequest:
        return InvalidRequestError("the speech service cannot read the request")
    if code is Code.TooManyRequests:
        return UpstreamThrottledError("the speech service is busy")
    if code is Code.ServiceTimeout:
        return UpstreamTimeoutError("the speech service did not answer in time")
    if code in {Code.AuthenticationFailure, Code.Forbidden}:
        return UpstreamError("the speech service refused our credentials")
    if code is Code.ConnectionFailure:
        return UpstreamError("the connection to the speech service failed")
    return UpstreamError("the speech service failed")


def may_pass(code: Code) -> bool:
    """Whether the same request may well succeed at once."""
    return code in _MAY_PASS


def is_silence(code: Code) -> bool:
    """Whether the service said nothing at all, so that the connection may be dead."""
    return code is Code.ServiceTimeout
