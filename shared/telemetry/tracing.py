"""Spans: ``with span(names.SPAN_TURN, {...}):`` is the only way to open one.

Costs next to nothing until telemetry is configured, and loads no SDK: `configuration` gives the
opener that does the work.
"""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from enum import Enum, auto
from types import MappingProxyType, TracebackType
from typing import Protocol, Self

Value = str | bool | int | float
Attributes = Mapping[str, Value]

_NONE: Attributes = MappingProxyType({})


class Kind(Enum):
    """What a span stands for; the platform's own span is the one that serves a request."""

    INTERNAL = auto()
    CLIENT = auto()
    """A dependency: somebody else does the work while we wait."""


class Span(Protocol):
    """One unit of work, as long as it is entered."""

    def set(self, name: str, value: Value | None) -> None:
        """Note a fact; None is no fact."""
        ...

    def fail(self, error_type: str) -> None:
        """The work has failed; *error_type* is a code, never a text about what was said."""
        ...

    def link(self, trace_parent: str) -> None:
        """Point to another trace; nothing happens if that is this one, or empty."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanPlan:
    """How a span is to be opened."""

    name: str
    attributes: Attributes
    kind: Kind
    parent: Span | None
    """None: whatever is current."""
    is_current: bool
    is_detail: bool


class Tracer(Protocol):
    """Makes spans; `shared.telemetry.open_telemetry` has one."""

    @property
    def holds_content(self) -> bool:
        """Whether attributes with a ``pii`` segment are kept."""
        ...

    def open(self, plan: SpanPlan) -> Span:
        """A span, not begun yet."""
        ...

    def trace_parent(self) -> str:
        """The current span as a W3C ``traceparent``, empty if there is none."""
        ...

    def within(self, opened: Span) -> AbstractContextManager[None]:
        """Make a span that is open the current one."""
        ...


class _NoSpan:
    """Stands for every span while nothing is configured."""

    __slots__ = ()

    def set(self, name: str, value: Value | None) -> None:
        """Nobody wants to know."""

    def fail(self, error_type: str) -> None:
        """Nobody wants to know."""

    def link(self, trace_parent: str) -> None:
        """Nobody wants to know."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return


NO_SPAN = _NoSpan()

_tracer: Tracer | None = None


def span(
    name: str,
    attributes: Attributes = _NONE,
    *,
    kind: Kind = Kind.INTERNAL,
    parent: Span | None = None,
    is_current: bool = True,
    is_detail: bool = False,
) -> Span:
    """Open a span for the block that follows; an error that leaves the block makes it a failure.

    Args:
        name: One of `names`, with a name of the app's own behind it if the conventions want that.
        attributes: What is known beforehand.
        kind: Whether somebody else does the work.
        parent: Within what; None: within whatever is current.
        is_current: Whether spans opened in the block are within this one. False for a block in an
            asynchronous generator: its pieces run in the contexts of whoever asks for the next.
        is_detail: Only worth telling as a part of something.
    """
    tracer = _tracer
    if tracer is None:
        return NO_SPAN
    return tracer.open(
        SpanPlan(
            name=name,
            attributes=attributes,
            kind=kind,
            parent=parent,
            is_current=is_current,
            is_detail=is_detail,
        )
    )


def within(opened: Span) -> AbstractContextManager[None]:
    """Let spans opened in the block be parts of *opened*, which is open elsewhere."""
    return nullcontext() if _tracer is None else _tracer.within(opened)


def holds_content() -> bool:
    """Whether there is any use in noting what a person said; `Span.set` drops it otherwise."""
    return _tracer is not None and _tracer.holds_content


def current_trace_parent() -> str:
    """The current span as a W3C ``traceparent``; empty if nothing is traced."""
    return "" if _tracer is None else _tracer.trace_parent()


def use_tracer(tracer: Tracer | None) -> Tracer | None:
    """Let *tracer* open all spans from now on, in every task; returns the one before."""
    global _tracer
    before, _tracer = _tracer, tracer
    return before


@contextmanager
def traced_by(tracer: Tracer | None) -> Iterator[None]:
    """Let *tracer* open the spans for a while; for tests."""
    before = use_tracer(tracer)
    try:
        yield
    finally:
        use_tracer(before)
