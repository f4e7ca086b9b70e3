"""The trace of a call as text: what happened within what, when, and for how long."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from simulator.appinsights.spans import Span, spans_of
from simulator.appinsights.wire import Json

_BAR_CHARS = 32
_NAME_CHARS = 44
_STORE = "redis"


@dataclass(frozen=True, slots=True)
class _Row:
    """One line: a span, or several that are alike and stand beside each other."""

    depth: int
    label: str
    begins_ms: float
    ends_ms: float
    spent_ms: float
    has_failed: bool


def waterfall(items: Iterable[Json], session_id: str) -> str:
    """The spans of a session, one line each; the bars of an invocation share a scale.

    An invocation that did nothing but read and write the session is one line. Spans of the same
    name that follow each other are put together.
    """
    found = spans_of(items)
    traces = {one.trace_id for one in found if one.session_id == session_id}
    ours = [one for one in found if one.trace_id in traces]
    if not ours:
        return "no span of this session has arrived"
    by_id = {one.id: one for one in ours}
    children: defaultdict[str, list[Span]] = defaultdict(list)
    roots = []
    for one in ours:
        if one.parent_id in by_id:
            children[one.parent_id].append(one)
        else:
            roots.append(one)
    failed = sum(not one.is_success for one in ours)
    linked = sum(bool(one.links) for one in ours)
    first = roots[0]
    lines = [
        f"{len(ours)} spans of {len(roots)} invocations, {linked} linked to the first"
        f" ({first.trace_id}); {failed} failed",
        f"{'at ms':>9} {'ms':>8}",
    ]
    for root in roots:
        lines += _lines(root, children, first)
    return "\n".join(lines)


def _lines(root: Span, children: defaultdict[str, list[Span]], first: Span) -> Iterator[str]:
    begins_ms = _offset_ms(root, first)
    rows = list(_rows(root, children, root, 0))
    if {row.label.partition(" ")[0] for row in rows[1:]} <= {_STORE}:
        rows = rows[:1]
    ends_ms = max(row.ends_ms for row in rows)
    for row in rows:
        name = f"{'  ' * row.depth}{row.label}"
        bar = _bar(row, ends_ms)
        mark = "  FAILED" if row.has_failed else ""
        at = f"{begins_ms + row.begins_ms:9.0f}"
        yield f"{at} {row.spent_ms:8.0f}  {name:<{_NAME_CHARS}.{_NAME_CHARS}} {bar}{mark}".rstrip()


def _rows(
    span: Span, children: defaultdict[str, list[Span]], root: Span, depth: int
) -> Iterator[_Row]:
    yield _row([span], root, depth)
    for alike in _grouped(children[span.id], children):
        if len(alike) > 1:
            yield _row(alike, root, depth + 1)
        else:
            yield from _rows(alike[0], children, root, depth + 1)


def _grouped(spans: Sequence[Span], children: defaultdict[str, list[Span]]) -> Iterator[list[Span]]:
    """Neighbours with the same name that contain nothing, together; every other one alone."""
    together: list[Span] = []
    for one in spans:
        is_like = together and together[-1].name == one.name and not children[one.id]
        if is_like and not children[together[-1].id]:
            together.append(one)
            continue
        if together:
            yield together
        together = [one]
    if together:
        yield together


def _row(spans: Sequence[Span], root: Span, depth: int) -> _Row:
    first = spans[0]
    label = first.name if len(spans) == 1 else f"{first.name} x {len(spans)}"
    return _Row(
        depth=depth,
        label=label,
        begins_ms=_offset_ms(first, root),
        ends_ms=max(_offset_ms(one, root) + one.duration_ms for one in spans),
        spent_ms=sum(one.duration_ms for one in spans),
        has_failed=not all(one.is_success for one in spans),
    )


def _offset_ms(span: Span, since: Span) -> float:
    return (span.started_at - since.started_at).total_seconds() * 1000


def _bar(row: _Row, whole_ms: float) -> str:
    scale = _BAR_CHARS / whole_ms if whole_ms > 0 else 0.0
    begin = min(int(row.begins_ms * scale), _BAR_CHARS - 1)
    length = max(1, round((row.ends_ms - row.begins_ms) * scale))
    return f"|{' ' * begin}{'=' * min(length, _BAR_CHARS - begin):<{_BAR_CHARS - begin}}|"
