"""What may go wrong between the service and the app. Everything is off until switched on."""

import random
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(slots=True)
class RestFault:
    """The next *times* requests of *operation* (``*``: any) fail.

    With *status* None the connection is dropped without an answer. With *after_effect* the
    operation is carried out first.
    """

    operation: str
    status: int | None
    retry_after: float | None = None
    after_effect: bool = False
    times: int = 1

    def __post_init__(self) -> None:
        is_status = self.status is None or (
            isinstance(self.status, int) and 400 <= self.status <= 599
        )
        if not isinstance(self.operation, str) or not is_status:
            raise ValueError("a fault needs an operation and a status from 400 to 599, or null")


@dataclass(slots=True)
class Chaos:
    """Switches to change at any time. Probabilities are 0 to 1; *seed* makes runs repeat."""

    seed: int = 0
    duplicate: float = 0.0
    """Probability that a callback is delivered more than once, concurrently, with the same id."""
    duplicate_copies: int = 1
    """How many extra deliveries such a callback gets."""
    reorder: float = 0.0
    """Probability that a callback is held back until the next one of its call was delivered."""
    delay_ms: tuple[float, float] = (0.0, 0.0)
    """Every delivery waits this long, evenly distributed, in real time."""
    delay_types: set[str] = field(default_factory=set)
    """Only these event names wait (for example ``CallDisconnected``); empty: all."""
    drop: float = 0.0
    """Probability that a callback is never delivered."""
    drop_types: set[str] = field(default_factory=set)
    """Event names (for example ``PlayCompleted``) that are never delivered."""
    late_rest_ms: float = 0.0
    """REST answers come this late after their effect: callbacks overtake them."""
    retries: int = 0
    """How often a callback is sent again, with the same id, after a 5xx or a timeout."""
    forged_tokens: int = 0
    """The next so many deliveries are signed by a stranger under our key id."""
    expired_tokens: int = 0
    """The next so many deliveries carry a token that ran out."""
    clock_skew_s: float = 0.0
    """How far ahead the clock of the token issuer runs."""
    key_generation: int = 0
    """Grows with `rotate_keys`; old public keys stay published."""
    jwks_down: bool = False
    rest_faults: list[RestFault] = field(default_factory=list)
    events_per_post: int = 1
    """Callbacks are gathered up to this number, or until nothing came for a moment."""
    unknown_events: float = 0.0
    """Probability that an event of an unheard-of type is delivered along with a callback."""
    extra_fields: bool = False
    """Callbacks carry fields nobody has documented."""
    duplicate_incoming: int = 0
    """How many extra times an incoming call is published, with the same event id."""
    dead_after_failed_transfer: bool = False
    """After CallTransferFailed every media operation is refused with 400/8501."""
    _random: random.Random = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)

    def rotate_keys(self) -> None:
        """Sign with a new key from now on."""
        self.key_generation += 1

    def chance(self, probability: float) -> bool:
        """Throw the dice."""
        return probability > 0 and self._random.random() < probability

    def delay_s(self, event_name: str) -> float:
        """How long a delivery of *event_name* waits, in seconds."""
        if self.delay_types and event_name not in self.delay_types:
            return 0.0
        return self._random.uniform(*self.delay_ms) / 1000

    def drops(self, event_name: str) -> bool:
        """Whether this callback gets lost."""
        return event_name in self.drop_types or self.chance(self.drop)

    def take_forged_token(self) -> bool:
        """Whether the next token is to be forged; counts down."""
        self.forged_tokens, taken = max(0, self.forged_tokens - 1), self.forged_tokens > 0
        return taken

    def take_expired_token(self) -> bool:
        """Whether the next token is to be expired; counts down."""
        self.expired_tokens, taken = max(0, self.expired_tokens - 1), self.expired_tokens > 0
        return taken

    def take_fault(self, operation: str) -> RestFault | None:
        """The fault the next request of *operation* meets, if any; counts down."""
        for fault in self.rest_faults:
            if fault.times > 0 and fault.operation in ("*", operation):
                fault.times -= 1
                return fault
        return None

    def update(self, changes: dict[str, Any]) -> None:
        """Apply *changes* from JSON: lists stand for sets and pairs, objects for faults.

        Raises:
            ValueError: A switch is unknown or its value has the wrong type; nothing is changed.
        """
        kinds = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "_random"}
        read = {name: _switch(name, value, kinds) for name, value in changes.items()}
        for name, value in read.items():
            setattr(self, name, value)
        if "seed" in read:
            self._random = random.Random(self.seed)


def _switch(name: str, value: object, current: dict[str, Any]) -> object:
    """Read one switch of `Chaos.update` in the type it has now."""
    try:
        kind = type(current[name])
        if name == "rest_faults" and isinstance(value, list):
            return [RestFault(**fault) for fault in value]
        if kind is set and isinstance(value, list):
            return {str(item) for item in value}
        if kind is tuple and isinstance(value, list):
            low, high = value
            return (float(low), float(high))
        if kind is bool and isinstance(value, bool):
            return value
        if kind in (int, float) and isinstance(value, int | float) and not isinstance(value, bool):
            return kind(value)
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(f"no such switch or wrong value: {name}") from err
    raise ValueError(f"wrong type of value: {name}")
