"""Route templates of HTTP functions: which function a request is for.

Literals are compared without regard to case, as ASP.NET does; the more specific template wins.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote

_PARAMETER = re.compile(r"\{(?P<star>\*{0,2})(?P<name>\w+)(?P<constraint>:[^}?]+)?(?P<opt>\?)?\}")

_CONSTRAINTS = {
    "guid": r"[0-9a-f]{8}-?(?:[0-9a-f]{4}-?){3}[0-9a-f]{12}",
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
    "alpha": r"[a-z]+",
    "bool": r"true|false",
}

ALL_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"})


class RouteError(ValueError):
    """A route template the host cannot serve."""


@dataclass(frozen=True, slots=True)
class Route:
    """One HTTP function's place: its template compiled, its methods, its name."""

    function: str
    methods: frozenset[str]
    template: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]
    """One number per segment, smaller is more specific; decides between two that match."""


@dataclass(frozen=True, slots=True)
class Match:
    """The function a request is for, with the values of its template's parameters."""

    function: str
    params: dict[str, str]


def compile_route(function: str, template: str, methods: Iterable[str], prefix: str) -> Route:
    """Compile a template of literals, ``{name}``, ``{name:guid}``, ``{name?}`` and ``{*rest}``.

    Raises:
        RouteError: The template begins with a word of the host's own or has an unknown form.
    """
    segments = [segment for segment in template.strip("/").split("/") if segment]
    if segments and segments[0].lower() in {"admin", "runtime"}:
        raise RouteError(f"route of {function} must not begin with {segments[0]}")
    patterns, precedence = [], []
    for segment in [*(part for part in prefix.split("/") if part), *segments]:
        pattern, rank = _segment(function, segment)
        patterns.append(pattern)
        precedence.append(rank)
    return Route(
        function=function,
        methods=frozenset(method.upper() for method in methods) or ALL_METHODS,
        template=template.strip("/").lower(),
        pattern=re.compile("^" + "".join(patterns) + "/?$", re.IGNORECASE),
        precedence=tuple(precedence),
    )


def without_duplicates(routes: Iterable[Route]) -> tuple[list[Route], list[Route]]:
    """Split *routes* into those served and those dropped.

    Of two with the same template and a method in common the later one by name is dropped.
    """
    kept: list[Route] = []
    dropped: list[Route] = []
    for route in sorted(routes, key=lambda r: r.function.lower()):
        rivals = [r for r in kept if r.template == route.template and r.methods & route.methods]
        (dropped if rivals else kept).append(route)
    return sorted(kept, key=lambda r: (r.precedence, r.function)), dropped


def find(routes: Iterable[Route], method: str, raw_path: str) -> Match | None:
    """The first of *routes* (ordered by `without_duplicates`) that takes the request, or None."""
    path = "/".join(_decoded(part) for part in raw_path.split("/"))
    for route in routes:
        if method.upper() in route.methods and (match := route.pattern.match(path)):
            values = {name: value for name, value in match.groupdict().items() if value}
            return Match(route.function, values)
    return None


def _segment(function: str, segment: str) -> tuple[str, int]:
    if "{" not in segment:
        return "/" + re.escape(segment), 1
    parameter = _PARAMETER.fullmatch(segment)
    if parameter is None:
        raise RouteError(f"route of {function} has a segment this host does not know: {segment}")
    name = parameter["name"]
    if parameter["star"]:
        return f"(?:/(?P<{name}>.*))?", 5
    inner = _constraint(function, parameter["constraint"])
    if parameter["opt"]:
        return f"(?:/(?P<{name}>{inner}))?", 4
    return f"/(?P<{name}>{inner})", 2 if parameter["constraint"] else 3


def _constraint(function: str, text: str | None) -> str:
    if text is None:
        return "[^/]+"
    try:
        return f"(?:{_CONSTRAINTS[text.removeprefix(':')]})"
    except KeyError:
        raise RouteError(f"route of {function} has an unknown constraint: {text}") from None


def _decoded(segment: str) -> str:
    """Percent-decode, but leave an encoded slash as it is: it does not part segments."""
    return unquote(re.sub("%2f", "%252F", segment, flags=re.IGNORECASE))
