"""What can go wrong between us and the telephone service, in the terms the flow decides by."""

from shared.calls.events import CommandFailure
from shared.errors import UpstreamError

_CALL_IS_OVER = frozenset({8501, 8528, 8537, 8543, 8585})
"""Subcodes that mean "this call cannot do anything any more" whatever the status is.

8501 (not established) and 8585 (not valid in this state) are also answered before a call is
connected. We command a call only once it is connected, so for us both mean that it is over.
"""

_NOT_FOUND = 8522
_THROTTLED = frozenset({8516, 8530})
_PASSING_STATUS = frozenset({408, 409, 425, 429})
"""4xx that get better by waiting; 409 means that the same request is still being worked on."""

_GONE_TEXTS = ("idx23010", "already terminated", "already ended")
"""Texts by which ACS says that the ringing or the call is over without a subcode for it."""


class TelephonyError(UpstreamError):
    """A command could not be carried out on the call.

    The text names the operation, the status and the subcode, never what the service wrote: that
    can contain numbers and call contexts.

    Attributes:
        failure: What the flow decides by.
        status: HTTP status, 0 if there was no answer.
        sub_code: ACS subcode, 0 if there was none.
        detail: ``status/sub_code``, for the journal.
    """

    code = "telephony_failed"

    def __init__(
        self, operation: str, failure: CommandFailure, *, status: int = 0, sub_code: int = 0
    ) -> None:
        self.failure = failure
        self.status = status
        self.sub_code = sub_code
        self.detail = f"{status}/{sub_code}"
        super().__init__(f"{operation}: {failure} ({self.detail})")


def classify(status: int, sub_code: int, text: str = "") -> CommandFailure:
    """Tell what an answer of the telephone service means for the call.

    Args:
        status: HTTP status; 0 if there was no answer at all.
        sub_code: The service's subcode; 0 if there was none.
        text: The service's own message; looked at, never kept.

    Returns:
        What is unknown counts as UNAVAILABLE: it may be tried again.
    """
    is_missing_call = status == 404 and sub_code == _NOT_FOUND
    is_said_to_be_over = 400 <= status < 500 and any(word in text.lower() for word in _GONE_TEXTS)
    if is_missing_call or sub_code in _CALL_IS_OVER or is_said_to_be_over:
        return CommandFailure.CALL_GONE
    if status in _PASSING_STATUS or sub_code in _THROTTLED:
        return CommandFailure.UNAVAILABLE
    if 400 <= status < 500:
        return CommandFailure.REJECTED
    return CommandFailure.UNAVAILABLE
