"""How many resources and callers a pool allows, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The numbers a pool keeps to."""

    warm_size: int
    max_size: int
    max_waiters: int
    build_concurrency: int
    session_max_age_s: float
    max_lifetime_s: float
    max_idle_s: float

    def __post_init__(self) -> None:
        if not 0 <= self.warm_size <= self.max_size or self.max_size < 1:
            raise ValueError("max_size must be at least 1 and at least warm_pool_size")
        if self.max_waiters < 1 or self.build_concurrency < 1:
            raise ValueError("max_waiters and build_concurrency must be at least 1")
        if self.max_lifetime_s <= 0:
            raise ValueError("max_lifetime_sec must be more than 0")
