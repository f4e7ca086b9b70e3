"""The people the app can call, transfer to or invite, and how that goes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from simulator.acs.results import OK, TRANSFER_OK, Result
from simulator.acs.script import Responder, Step

Outcome = Literal["accepted", "busy", "declined", "no_answer", "failed"]
OUTCOMES: tuple[str, ...] = get_args(Outcome)


@dataclass(slots=True)
class Person:
    """Someone with a phone. *script* is what they do when the app calls them."""

    outcome: Outcome = "accepted"
    script: Sequence[Step] | Responder = ()
    answers_after_s: float = 2.0


_BUSY = Result(
    486,
    560486,
    "Busy Here. DiagCode: 486#560486.@",
    sip=(486, "Busy Here"),
    q850=(17, "User busy"),
)
_NO_ANSWER = Result(480, 560480, "Temporarily Unavailable. DiagCode: 480#560480.@")
_FAILED = Result(503, 560503, "Service Unavailable. DiagCode: 503#560503.@")
_UNKNOWN = Result(404, 4500, "Not Found. DiagCode: 404#4500.@")

_CREATE: dict[str, Result] = {
    "accepted": OK,
    "busy": _BUSY,
    "declined": Result(200, 5002, "The conversation has ended. DiagCode: 0#5002.@"),
    "no_answer": _NO_ANSWER,
    "failed": _FAILED,
}
_TRANSFER: dict[str, Result] = {
    "accepted": TRANSFER_OK,
    # Without the carrier's detail, as in the reference.
    "busy": Result(_BUSY.code, _BUSY.sub_code, _BUSY.message),
    "declined": Result(603, 560603, "Decline. DiagCode: 603#560603.@"),
    "no_answer": _NO_ANSWER,
    "failed": _FAILED,
}
_INVITE: dict[str, Result] = {
    "accepted": OK,
    "busy": Result(486, 8539, "Callee is busy."),
    "declined": Result(603, 8538, "Callee declined."),
    "no_answer": Result(480, 8541, "Callee is unavailable."),
    "failed": Result(500, 8544, "Callee is unreachable."),
}


def create_result(person: Person | None) -> Result:
    """How a call to *person* goes; None is a number nobody has."""
    return _CREATE[person.outcome] if person else _UNKNOWN


def transfer_result(person: Person | None) -> Result:
    """How a transfer to *person* goes."""
    return _TRANSFER[person.outcome] if person else _UNKNOWN


def invite_result(person: Person | None) -> Result:
    """How an invitation of *person* goes."""
    return _INVITE[person.outcome] if person else _UNKNOWN
