"""Answers of the service, refusals among them."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a request is answered with; no body for None."""

    status: int
    body: Json | None = None
    headers: dict[str, str] = field(default_factory=dict)


class ServiceError(Exception):
    """The service refuses a request; ``code`` is the subcode as text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    @property
    def reply(self) -> Reply:
        """The refusal in the shape the SDK reads."""
        error: Json = {
            "code": self.code,
            "message": self.message,
            "target": None,
            "details": [],
            "innererror": None,
        }
        return Reply(self.status, {"error": error})


def call_not_found() -> ServiceError:
    """No such call, or it is over."""
    return ServiceError(404, "8522", "Call not found.")


def call_terminated() -> ServiceError:
    """The call ended before the operation."""
    return ServiceError(400, "8528", "The call has already been terminated.")


def call_not_established() -> ServiceError:
    """The call has not connected yet."""
    return ServiceError(400, "8501", "Action is invalid when call is not in Established state.")


def wrong_state() -> ServiceError:
    """The operation does not fit what the call is doing."""
    return ServiceError(400, "8585", "Action is not valid in the current state of the call.")


def invalid(what: str) -> ServiceError:
    """An argument is missing or out of range."""
    return ServiceError(400, "8523", what)


def not_configured() -> ServiceError:
    """Speech was asked for, and no AI resource was named when the call was answered."""
    return ServiceError(405, "8522", "The call was set up without a cognitive services endpoint.")


def incompatible_media() -> ServiceError:
    """Two operations want the same leg of the call."""
    return ServiceError(412, "8583", "Precondition failed: incompatible media operation.")


def unknown_resource(uri: str) -> ServiceError:
    """No route or no such api-version, in the words of the service."""
    return ServiceError(
        404, "NotFound", f"No HTTP resource was found that matches the request URI '{uri}'."
    )
