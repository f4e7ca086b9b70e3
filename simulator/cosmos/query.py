"""Queries over the items of a container."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lark import Token

from simulator.cosmos.errors import CosmosError, Json, QueryError, left_out
from simulator.cosmos.expressions import (
    Expression,
    Scope,
    aggregate_of,
    build_expression,
    path_of,
    vector_of,
)
from simulator.cosmos.functions import AGGREGATES
from simulator.cosmos.grammar import parse_query
from simulator.cosmos.indexing import OrderItem, check_order
from simulator.cosmos.values import UNDEFINED, Undefined, sort_key
from simulator.cosmos.vectors import VectorPath

Row = tuple[int, Any]
"""The number of the item it came from, and what was selected of it."""
Sorter = Callable[[list[Row]], list[Row]]

NEEDS_PLAN = 1004
_NEEDS_PLAN_TEXT = (
    "The provided cross partition query can not be directly served by the gateway. This is a"
    " first chance (internal) exception that all newer clients will know how to handle gracefully."
)


@dataclass(frozen=True, slots=True)
class Schema:
    """What a container says of its items."""

    indexing: Json
    vectors: Mapping[tuple[str, ...], VectorPath]


@dataclass(frozen=True, slots=True)
class Query:
    """A query, ready to run."""

    matches: Expression
    sort: Sorter | None
    select: Expression
    fold: Callable[[list[Any]], Any] | None
    """Makes one value of all that were selected."""
    skip: int
    take: int | None

    @property
    def is_in_item_order(self) -> bool:
        """Whether rows come in the order of their items, one each."""
        return self.sort is None and self.fold is None and self.skip == 0

    def run(self, items: Iterable[tuple[int, Json]]) -> list[Row]:
        """The rows."""
        found: list[Row] = [(n, item) for n, item in items if self.matches(item) is True]
        if self.sort is not None:
            found = self.sort(found)
        # One by one, so that nothing is selected of what is cut off.
        rows: Iterator[Row] = (
            (n, row) for n, item in found if (row := self.select(item)) is not UNDEFINED
        )
        if self.fold is not None:
            folded = self.fold([row for _, row in rows])
            rows = iter([] if isinstance(folded, Undefined) else [(0, folded)])
        end = None if self.take is None else self.skip + self.take
        return list(itertools.islice(rows, self.skip, end))


def build_query(
    text: str, parameters: Mapping[str, Any], schema: Schema, *, is_cross_partition: bool = False
) -> Query:
    """Make a query ready.

    Raises:
        CosmosError: The service would refuse it, or the stand-in does not know how to run it.
    """
    clauses: list[Any] = parse_query(text).children
    parts: dict[str, list[Any]] = {clause.data: clause.children for clause in clauses}
    name, alias = parts["source"]
    scope = Scope(str(alias or name), parameters, schema.vectors)
    top, window = parts.get("top"), parts.get("window")
    skip = _count(window[0], scope) if window else 0
    take = _count(window[1], scope) if window else _count(top[0], scope) if top else None
    selection = next(clause for clause in clauses if clause.data in _SELECTIONS)
    fold = _fold(selection)
    sort = _sorter(parts["order"], scope, schema, take) if "order" in parts else None
    if is_cross_partition and (sort or fold or take is not None):
        # Clients then ask for a plan and merge the partitions themselves.
        raise CosmosError(400, _NEEDS_PLAN_TEXT, substatus=NEEDS_PLAN)
    where = parts.get("where")
    return Query(
        matches=build_expression(where[0], scope) if where else lambda _item: True,
        sort=sort,
        select=_SELECTIONS[selection.data](selection.children, scope),
        fold=fold,
        skip=skip,
        take=take,
    )


def _star(_children: list[Any], _scope: Scope) -> Expression:
    return lambda item: item


def _value(children: list[Any], scope: Scope) -> Expression:
    if aggregate_of(children[0]) is None:
        return build_expression(children[0], scope)
    arguments = [each for each in children[0].children[1:] if each is not None]
    if len(arguments) != 1:
        raise QueryError("SC2050", "An aggregate takes one argument.")
    return build_expression(arguments[0], scope)


def _items(children: list[Any], scope: Scope) -> Expression:
    parts: list[tuple[str, Expression]] = []
    unnamed = itertools.count(1)
    for item in children:
        expression, alias = item.children
        path = path_of(expression, scope)
        name = alias or (path[-1] if path else scope.alias if path == () else f"${next(unnamed)}")
        if aggregate_of(expression) is not None:
            raise left_out("aggregates other than SELECT VALUE <aggregate>")
        parts.append((str(name), build_expression(expression, scope)))
    if len({name for name, _ in parts}) < len(parts):
        raise QueryError("SC2011", "A property name is selected more than once; use AS.")
    return lambda item: {
        name: value for name, part in parts if (value := part(item)) is not UNDEFINED
    }


_SELECTIONS: Mapping[str, Callable[[list[Any], Scope], Expression]] = {
    "star": _star,
    "value": _value,
    "items": _items,
}


def _fold(selection: Any) -> Callable[[list[Any]], Any] | None:
    name = aggregate_of(selection.children[0]) if selection.data == "value" else None
    return AGGREGATES[name] if name is not None else None


def _sorter(children: list[Any], scope: Scope, schema: Schema, take: int | None) -> Sorter:
    if len(children) == 1 and (vector := vector_of(children[0].children[0], scope)) is not None:
        if take is None:
            raise QueryError("SC2000", "A vector search needs TOP or OFFSET LIMIT.")
        if children[0].children[1] is not None:
            raise QueryError("SC2000", "VectorDistance has its own direction; leave it out.")
        return _nearest_first(build_expression(children[0].children[0], scope), vector)
    items: list[OrderItem] = []
    for child in children:
        expression, direction = child.children
        path = path_of(expression, scope)
        if not path:
            message = (
                "Unsupported ORDER BY clause. ORDER BY item expression could not be mapped to a"
                " document path."
            )
            raise QueryError("SC2206", message)
        is_descending = direction is not None and direction.upper() == "DESC"
        items.append((tuple(map(str, path)), is_descending))
    check_order(schema.indexing, items)
    keys = [build_expression(child.children[0], scope) for child in children]
    return _by_keys(keys, [is_descending for _, is_descending in items])


def _by_keys(keys: list[Expression], directions: list[bool]) -> Sorter:
    def sort(rows: list[Row]) -> list[Row]:
        for key, is_descending in reversed(list(zip(keys, directions, strict=True))):
            rows = sorted(rows, key=lambda row: sort_key(key(row[1])), reverse=is_descending)
        return rows

    return sort


def _nearest_first(distance: Expression, vector: VectorPath) -> Sorter:
    def sort(rows: list[Row]) -> list[Row]:
        measured = [(distance(item), (n, item)) for n, item in rows]
        known = [pair for pair in measured if not isinstance(pair[0], Undefined)]
        known.sort(key=lambda pair: vector.nearest_first(pair[0]))
        return [row for _, row in known]

    return sort


def _count(token: Token, scope: Scope) -> int:
    value = scope.parameter(token) if token.type == "PARAMETER" else token
    if isinstance(value, Token) and value.isdigit():
        value = int(value)
    if type(value) is not int or value < 0:
        raise QueryError("SC2062", "TOP, OFFSET and LIMIT need a whole number from 0 on.")
    return value
