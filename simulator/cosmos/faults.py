"""How the account can be told to misbehave: a queue of faults, one for each request."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from typing import Literal as OneOf

from simulator.cosmos.errors import CosmosError

Kind = OneOf["throttle", "error", "slow", "hang", "cut", "cut_after"]
KINDS: tuple[str, ...] = get_args(Kind)
_ITEMS = ("read", "create", "upsert", "replace", "patch", "delete", "query", "batch")
OPERATIONS = (*_ITEMS, "account")

_THROTTLED = 3200


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for one request to go wrong.

    ``throttle`` answers 429, ``error`` answers ``status``, ``slow`` answers after ``delay_ms``,
    ``hang`` never answers, ``cut`` drops the connection before anything is done, ``cut_after``
    when it is done. Requests for the account's own document go wrong by that name only.
    """

    kind: Kind
    operation: str | None = None
    """One of `OPERATIONS`, for the next request of that kind; None: whatever comes next."""
    retry_after_ms: int | None = 10
    """``throttle``: what the header of that name says; None leaves it out."""
    status: int = 503
    """``error``: the HTTP status."""
    substatus: int | None = None
    """``error``: the service's own code."""
    delay_ms: float = 1000.0
    """``slow``: how long it takes."""

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Fault":
        """Read a fault from a JSON object whose keys are the fields.

        Raises:
            ValueError: It has an unknown kind, operation or field.
        """
        known: set[str] = set(cls.__dataclass_fields__)
        if unknown := sorted(data.keys() - known):
            raise ValueError(f"unknown fields: {', '.join(unknown)}")
        if data.get("kind") not in KINDS:
            raise ValueError(f"kind is none of {', '.join(KINDS)}")
        if data.get("operation") not in {None, *OPERATIONS}:
            raise ValueError(f"operation is none of {', '.join(OPERATIONS)}")
        return cls(**data)

    def raise_refusal(self) -> None:
        """Raise what is answered, if the fault is an answer."""
        if self.kind == "throttle":
            message = "Message: Request rate is large. More Request Units may be needed."
            raise CosmosError(
                429, message, substatus=_THROTTLED, retry_after_ms=self.retry_after_ms
            )
        if self.kind == "error":
            message = "The request failed because it was told to."
            raise CosmosError(self.status, message, substatus=self.substatus)


class Faults:
    """The faults that wait for a request."""

    def __init__(self) -> None:
        self.waiting: deque[Fault] = deque()

    def replace(self, faults: Iterable[Fault]) -> None:
        """Forget those that wait; let these happen."""
        self.waiting = deque(faults)

    def take(self, operation: str) -> Fault | None:
        """The fault of a request, if there is one."""
        for fault in self.waiting:
            is_any = fault.operation is None and operation in _ITEMS
            if is_any or fault.operation == operation:
                self.waiting.remove(fault)
                return fault
        return None
