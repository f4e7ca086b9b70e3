"""What the Cosmos SDK raises, in the app's terms and without the service's words."""

from collections.abc import Mapping

from azure.core.exceptions import AzureError, ServiceResponseTimeoutError
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosClientTimeoutError,
    CosmosHttpResponseError,
)

from shared.errors import (
    AppError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)

_RETRY_AFTER = "x-ms-retry-after-ms"


_OF_STATUS: Mapping[int, tuple[type[AppError], str]] = {
    401: (UpstreamError, "the database does not accept our identity"),
    403: (UpstreamError, "the database does not accept our identity"),
    404: (NotFoundError, "no such document"),
    408: (UpstreamTimeoutError, "the database did not answer in time"),
    409: (ConflictError, "there is a document of that id"),
    412: (ConflictError, "the document was changed since it was read"),
    413: (InvalidRequestError, "the document is too large"),
}


def translated(err: AzureError) -> AppError:
    """Name the failure."""
    if isinstance(err, CosmosClientTimeoutError | ServiceResponseTimeoutError):
        return UpstreamTimeoutError("the database did not answer in time")
    if not isinstance(err, CosmosHttpResponseError | CosmosBatchOperationError):
        return UpstreamError("the database cannot be reached")
    if err.status_code == 429:
        return UpstreamThrottledError("the database is busy", retry_after_s=_retry_after_s(err))
    kind, message = _OF_STATUS.get(
        err.status_code or 0,
        (UpstreamError, f"the database refused the request with status {err.status_code}"),
    )
    return kind(message)


def _retry_after_s(err: CosmosHttpResponseError | CosmosBatchOperationError) -> float | None:
    try:
        return max(0.0, float((err.headers or {})[_RETRY_AFTER])) / 1000
    except (KeyError, ValueError):
        return None
