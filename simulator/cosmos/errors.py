"""Refusals, in the shape of the service."""

import json
from typing import Any

Json = dict[str, Any]

_NAMES = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    408: "RequestTimeout",
    409: "Conflict",
    410: "Gone",
    412: "PreconditionFailed",
    413: "RequestEntityTooLarge",
    424: "FailedDependency",
    429: "TooManyRequests",
    449: "RetryWith",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}


class CosmosError(Exception):
    """An answer that is not a success."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        substatus: int | None = None,
        retry_after_ms: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.substatus = substatus
        self.retry_after_ms = retry_after_ms

    @property
    def headers(self) -> dict[str, str]:
        """The headers that tell more."""
        headers = {}
        if self.substatus is not None:
            headers["x-ms-substatus"] = str(self.substatus)
        if self.retry_after_ms is not None:
            headers["x-ms-retry-after-ms"] = str(self.retry_after_ms)
        return headers

    def body(self, activity_id: str) -> Json:
        """The answer's body."""
        message = f"{self.message}\r\nActivityId: {activity_id}, Simulator"
        return {"code": _NAMES.get(self.status, "Error"), "message": message}


class QueryError(CosmosError):
    """A query that cannot be run; the service tells the code and the place."""

    def __init__(self, code: str, message: str, place: tuple[int, int] | None = None) -> None:
        error: Json = {"severity": "Error"}
        if place is not None:
            error["location"] = {"start": place[0], "end": place[1]}
        error |= {"code": code, "message": message}
        text = json.dumps({"errors": [error]}, separators=(",", ":"))
        super().__init__(400, f"Message: {text}")


def bad_request(message: str, *, substatus: int | None = None) -> CosmosError:
    """A request that makes no sense to the service."""
    return CosmosError(400, message, substatus=substatus)


def left_out(feature: str) -> CosmosError:
    """What the service may know, and this stand-in does not."""
    return CosmosError(400, f"The stand-in does not support {feature}.")


def not_found(message: str, *, substatus: int = 0) -> CosmosError:
    """What is named does not exist."""
    return CosmosError(
        404,
        f"Entity with the specified {message} does not exist in the system.",
        substatus=substatus,
    )
