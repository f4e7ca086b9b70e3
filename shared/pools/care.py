"""The three things a pool asks of a resource, none of which the resource has to have.

``is_ready`` (attribute or method), ``clear_session_state()`` and ``aclose()`` or ``close()``. The
first two are synchronous, for they are asked at every hand-out and every return. What they raise
says that the resource is broken and goes no further than the log.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.telemetry.logs import get_logger

logger = get_logger(__name__)

T = TypeVar("T")


def is_ready(resource: object) -> bool:
    """Whether *resource* may be handed out; one that cannot tell may."""
    try:
        ready = getattr(resource, "is_ready", True)
        if ready is True:
            return True
        return bool(ready() if callable(ready) else ready)
    except Exception:
        logger.exception("health check crashed", extra={"resource": type(resource).__name__})
        return False


def is_cleared(clear: Callable[[], object]) -> bool:
    """Make a resource forget its session; False if it could not."""
    try:
        clear()
    except Exception:
        logger.exception("resource kept its session state")
        return False
    return True


async def close(resource: T, close_fn: Callable[[T], object] | None) -> None:
    """Close *resource* by *close_fn*, else ``aclose()``, else ``close()``, else not at all.

    A synchronous close runs on the loop: one that blocks belongs behind an ``aclose()``.

    Raises:
        Exception: Whatever the resource raised.
    """
    if close_fn is not None:
        outcome = close_fn(resource)
    else:
        closing = getattr(resource, "aclose", None) or getattr(resource, "close", None)
        outcome = closing() if closing is not None else None
    if isinstance(outcome, Awaitable):
        await outcome


def check_is_synchronous(resource: object) -> None:
    """Refuse a resource whose health check or clearing is a coroutine: neither would ever run.

    Raises:
        TypeError: Names the method.
    """
    for name in ("is_ready", "clear_session_state"):
        if inspect.iscoroutinefunction(getattr(type(resource), name, None)):
            raise TypeError(f"{type(resource).__name__}.{name} must not be a coroutine")
