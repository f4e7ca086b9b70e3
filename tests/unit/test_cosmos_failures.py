"""What the Cosmos SDK raises has a name in the app, and none of the service's words."""

import pytest
from azure.core.exceptions import AzureError, ServiceRequestError, ServiceResponseTimeoutError
from azure.cosmos.exceptions import (
    CosmosBatchOperationError,
    CosmosClientTimeoutError,
    CosmosHttpResponseError,
)

from shared.cosmos.failures import translated
from shared.errors import (
    AppError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)

SECRET = "customer Ada, balance 7"


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (CosmosHttpResponseError(404, SECRET), NotFoundError),
        (CosmosHttpResponseError(409, SECRET), ConflictError),
        (CosmosHttpResponseError(412, SECRET), ConflictError),
        (CosmosHttpResponseError(413, SECRET), InvalidRequestError),
        (CosmosHttpResponseError(401, SECRET), UpstreamError),
        (CosmosHttpResponseError(403, SECRET), UpstreamError),
        (CosmosHttpResponseError(408, SECRET), UpstreamTimeoutError),
        (CosmosHttpResponseError(429, SECRET), UpstreamThrottledError),
        (CosmosHttpResponseError(503, SECRET), UpstreamError),
        (CosmosBatchOperationError(0, {}, 412, SECRET, []), ConflictError),
        (CosmosBatchOperationError(0, {}, 404, SECRET, []), NotFoundError),
        (CosmosClientTimeoutError(SECRET), UpstreamTimeoutError),
        (ServiceResponseTimeoutError(SECRET), UpstreamTimeoutError),
        (ServiceRequestError(SECRET), UpstreamError),
        (AzureError(SECRET), UpstreamError),
    ],
)
def test_failure_is_translated(error: AzureError, kind: type[AppError]) -> None:
    """A caller acts on the kind; a log shows the text."""
    named = translated(error)
    assert type(named) is kind
    assert SECRET not in str(named)


@pytest.mark.parametrize(
    ("headers", "expected"), [({}, None), ({"x-ms-retry-after-ms": "250"}, 0.25)]
)
def test_busy_database_says_when_to_come_back(
    headers: dict[str, str], expected: float | None
) -> None:
    """If it says so."""
    named = translated(CosmosBatchOperationError(0, headers, 429, "busy", []))
    assert isinstance(named, UpstreamThrottledError)
    assert named.retry_after_s == expected
