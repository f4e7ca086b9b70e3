"""How the speech service can be told to misbehave: a queue of faults, one for each occasion."""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args
from typing import Literal as OneOf

Service = OneOf["synthesis", "recognition"]
Kind = OneOf["refuse", "slow_connect", "hang_connect", "slow", "hang", "close", "reset", "pace"]
KINDS: tuple[str, ...] = get_args(Kind)
SERVICES: tuple[str, ...] = get_args(Service)
_AT_CONNECT = frozenset({"refuse", "slow_connect", "hang_connect"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One way for one occasion to go wrong.

    While connecting: ``refuse`` answers ``status``, ``slow_connect`` delays the handshake,
    ``hang_connect`` never finishes it. At a request: ``slow`` delays the first byte (or the first
    result), ``hang`` never goes on, ``close`` ends the WebSocket with ``code``, ``reset`` cuts the
    connection, ``pace`` sends audio at ``speed`` times real time.
    """

    kind: Kind
    service: Service | None = None
    """Which of the two it waits for; None: whichever comes first."""
    status: int = 503
    """``refuse``: the HTTP status."""
    delay_ms: float = 1000.0
    """``slow``, ``slow_connect``: how long."""
    code: int = 1011
    """``close``: the close code. 1000 with a request in flight is never noticed by the SDK."""
    reason: str = ""
    """``close``, ``refuse``: what is said about it."""
    after_ms: float | None = None
    """``hang``, ``close``, ``reset``: how much audio goes out (synthesis) or comes in
    (recognition) first; None: not even the start of the turn."""
    speed: float = 1.0
    """``pace``: times real time."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind is none of {', '.join(KINDS)}")
        if self.service is not None and self.service not in SERVICES:
            raise ValueError(f"service is none of {', '.join(SERVICES)}")

    @property
    def is_at_connect(self) -> bool:
        """Whether it strikes the handshake rather than a request."""
        return self.kind in _AT_CONNECT

    @property
    def breaks_off(self) -> bool:
        """Whether the request ends without its answer."""
        return self.kind in {"hang", "close", "reset"}

    @classmethod
    def parse(cls, data: Mapping[str, Any]) -> "Fault":
        """Read a fault from a JSON object whose keys are the fields.

        Raises:
            ValueError: It has an unknown kind, service or field.
        """
        known: set[str] = set(cls.__dataclass_fields__)
        if unknown := sorted(data.keys() - known):
            raise ValueError(f"unknown fields: {', '.join(unknown)}")
        if "kind" not in data:
            raise ValueError(f"kind is none of {', '.join(KINDS)}")
        return cls(**data)


class FaultQueue:
    """Faults in the order in which they are to strike."""

    def __init__(self) -> None:
        self._waiting: deque[Fault] = deque()

    @property
    def waiting(self) -> tuple[Fault, ...]:
        """What has not struck yet."""
        return tuple(self._waiting)

    def add(self, faults: Iterable[Fault]) -> None:
        """Let these happen after those that wait."""
        self._waiting.extend(faults)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._waiting.clear()

    def take(self, service: Service, *, is_at_connect: bool) -> Fault | None:
        """The next fault for this occasion, which is then used up."""
        for fault in self._waiting:
            if fault.is_at_connect == is_at_connect and fault.service in {None, service}:
                self._waiting.remove(fault)
                return fault
        return None
