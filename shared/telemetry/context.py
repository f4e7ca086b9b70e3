"""Which session the running code works for; every log line carries it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

_NONE: Mapping[str, str] = MappingProxyType({})
_facts: ContextVar[Mapping[str, str]] = ContextVar("log_facts", default=_NONE)


@contextmanager
def log_facts(**facts: str) -> Iterator[None]:
    """Add *facts* (``session_id``, ``call_connection_id`` …) to every log line within."""
    token = _facts.set({**_facts.get(), **{key: value for key, value in facts.items() if value}})
    try:
        yield
    finally:
        _facts.reset(token)


def current_facts() -> Mapping[str, str]:
    """The facts that hold here."""
    return _facts.get()
