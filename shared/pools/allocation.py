"""What a pool knows of one resource: who owns it, since when, until when."""

from collections.abc import Callable
from enum import Enum, StrEnum, auto
from typing import Generic, TypeVar

T = TypeVar("T")


class AllocationTier(StrEnum):
    """Where a resource came from; decided by the acquisition that hands it out."""

    DEDICATED = "dedicated"
    """The session had it already."""
    WARM = "warm"
    """It stood ready, or another caller gave it back."""
    COLD = "cold"
    """The caller waited while it was built, whoever had asked for that build."""


class Owner(Enum):
    """Who has a resource. It is always exactly one of these."""

    IDLE = auto()
    CALLER = auto()
    """Taken with `acquire`, until `release`."""
    SCOPE = auto()
    """Taken with `lease` and no session, until the block ends."""
    SESSION = auto()
    """Bound to a session, whether the session uses it right now or not."""
    DETACHED = auto()
    """Its session let it go while blocks still use it; the last of them gives it back."""
    CLOSING = auto()


class Entry(Generic[T]):
    """One resource and its place in the books. Made once per resource, never per allocation."""

    __slots__ = (
        "claims",
        "clear",
        "expires_at",
        "is_broken",
        "is_held",
        "owner",
        "resource",
        "session_id",
        "used_at",
    )

    def __init__(self, resource: T, *, made_at: float, expires_at: float) -> None:
        self.resource = resource
        self.clear: Callable[[], object] | None = getattr(resource, "clear_session_state", None)
        self.owner = Owner.IDLE
        self.expires_at = expires_at
        """On the clock's monotonic scale, as all instants here."""
        self.used_at = made_at
        self.is_broken = False
        self.session_id: str | None = None
        self.claims = 0
        """Blocks of the session that use it now, and callers it was granted to who have not woken
        up yet."""
        self.is_held = False
        """Taken with `acquire_for_session`: in use until `release_for_session`."""

    @property
    def is_in_use(self) -> bool:
        """Whether its session has it checked out, rather than merely bound."""
        return self.is_held or self.claims > 0
