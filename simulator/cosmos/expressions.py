"""Expressions of a query, made into functions of an item."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lark import Token, Tree

from simulator.cosmos.errors import QueryError
from simulator.cosmos.functions import AGGREGATES, FUNCTIONS
from simulator.cosmos.operators import calculate, combine, compare, is_between, is_in, negate
from simulator.cosmos.values import UNDEFINED, walk
from simulator.cosmos.vectors import VectorPath, is_vector

Node = Tree[Token]
Expression = Callable[[Any], Any]

_CONSTANTS = {"true": True, "false": False, "null": None, "undefined": UNDEFINED}


@dataclass(frozen=True, slots=True)
class Scope:
    """What the names in a query stand for."""

    alias: str
    parameters: Mapping[str, Any]
    vectors: Mapping[tuple[str, ...], VectorPath] = field(default_factory=dict)

    def parameter(self, token: Token) -> Any:
        """The value of a parameter."""
        if token not in self.parameters:
            message = f"The query's parameter '{token}' has no value."
            raise QueryError("SC2001", message, _place(token))
        return self.parameters[token]


def build_expression(node: Any, scope: Scope) -> Expression:
    """The function that gives an expression's value for an item.

    Raises:
        CosmosError: It names what does not exist.
    """
    builder = _BUILDERS.get(node.data)
    if builder is None:
        raise QueryError("SC1001", f"Syntax error, incorrect syntax near '{node.data}'.")
    return builder(node.children, scope)


def path_of(node: Any, scope: Scope) -> tuple[str | int, ...] | None:
    """The path that an expression is, without the alias; None if it is something else."""
    if not isinstance(node, Tree) or node.data != "path":
        return None
    children: list[Any] = node.children
    root, *steps = children
    if root != scope.alias:
        message = f"Identifier '{root}' could not be resolved."
        raise QueryError("SC2001", message, _place(root))
    return tuple(_key(step.children[0]) for step in steps)


def vector_of(node: Any, scope: Scope) -> VectorPath | None:
    """What a call of VectorDistance measures; None if the expression is something else."""
    if not isinstance(node, Tree) or node.data != "call":
        return None
    children: list[Any] = node.children
    name, *arguments = (each for each in children if each is not None)
    if name.upper() != "VECTORDISTANCE":
        return None
    _check_count(name, arguments, 2, 4)
    paths = [scope.vectors.get(_names(path_of(each, scope))) for each in arguments[:2]]
    vector = next((each for each in paths if each is not None), None)
    if vector is None:
        raise QueryError("SC2000", "VectorDistance needs a path of the vector embedding policy.")
    if len(arguments) == 4:
        options = build_expression(arguments[3], scope)({})
        if "distanceFunction" in options:
            vector = vector.measured_by(options["distanceFunction"])
    for each in arguments[:2]:
        if each.data != "path":
            _check_dimensions(build_expression(each, scope)({}), vector)
    return vector


def aggregate_of(node: Any) -> str | None:
    """The name of the aggregate that an expression calls."""
    if not isinstance(node, Tree) or node.data != "call":
        return None
    name = str(node.children[0]).upper()
    return name if name in AGGREGATES else None


def read_string(token: Token) -> str:
    """The text of a literal in either kind of quotes."""
    inner = token[1:-1]
    if token[0] == "'":
        inner = inner.replace("\\'", "'").replace('"', '\\"').replace('\\\\"', '\\"')
    try:
        return str(json.loads(f'"{inner}"', strict=False))
    except ValueError as err:
        raise QueryError("SC1012", "Syntax error, invalid string literal.", _place(token)) from err


def _number(children: list[Any], _scope: Scope) -> Expression:
    value = json.loads(children[0] if not children[0].startswith(".") else f"0{children[0]}")
    return lambda _item: value


def _string(children: list[Any], _scope: Scope) -> Expression:
    value = read_string(children[0])
    return lambda _item: value


def _constant(children: list[Any], _scope: Scope) -> Expression:
    value = _CONSTANTS[children[0].lower()]
    return lambda _item: value


def _parameter(children: list[Any], scope: Scope) -> Expression:
    value = scope.parameter(children[0])
    return lambda _item: value


def _path(children: list[Any], scope: Scope) -> Expression:
    path = path_of(Tree("path", children), scope) or ()
    return lambda item: walk(item, path)


def _array(children: list[Any], scope: Scope) -> Expression:
    parts = [build_expression(each, scope) for each in children if each is not None]
    return lambda item: [value for part in parts if (value := part(item)) is not UNDEFINED]


def _object(children: list[Any], scope: Scope) -> Expression:
    pairs = [each.children for each in children if each is not None]
    parts = [(_key(key), build_expression(value, scope)) for key, value in pairs]
    return lambda item: {
        key: value for key, part in parts if (value := part(item)) is not UNDEFINED
    }


def _call(children: list[Any], scope: Scope) -> Expression:
    name, *nodes = (each for each in children if each is not None)
    vector = vector_of(Tree("call", children), scope)
    arguments = [build_expression(each, scope) for each in nodes]
    if vector is not None:
        return lambda item: vector.distance(arguments[0](item), arguments[1](item))
    if name.upper() in AGGREGATES:
        raise QueryError("SC2102", "An aggregate is supported as SELECT VALUE <aggregate> only.")
    builtin = FUNCTIONS.get(name.upper())
    if builtin is None:
        message = f"'{name}' is not a recognized built-in function name."
        raise QueryError("SC2005", message, _place(name))
    _check_count(name, nodes, builtin.least, builtin.most)
    return lambda item: builtin(*(argument(item) for argument in arguments))


def _operands(children: list[Any], scope: Scope) -> list[Expression]:
    return [build_expression(each, scope) for each in children if isinstance(each, Tree)]


def _and(children: list[Any], scope: Scope) -> Expression:
    left, right = _operands(children, scope)
    return lambda item: combine(left(item), right(item), decisive=False)


def _or(children: list[Any], scope: Scope) -> Expression:
    left, right = _operands(children, scope)
    return lambda item: combine(left(item), right(item), decisive=True)


def _not(children: list[Any], scope: Scope) -> Expression:
    (inner,) = _operands(children, scope)
    return lambda item: negate(inner(item))


def _compare(children: list[Any], scope: Scope) -> Expression:
    left, right = _operands(children, scope)
    sign = str(children[1])
    return lambda item: compare(left(item), sign, right(item))


def _in(children: list[Any], scope: Scope) -> Expression:
    wanted, *choices = _operands(children, scope)
    return lambda item: is_in(wanted(item), [choice(item) for choice in choices])


def _not_in(children: list[Any], scope: Scope) -> Expression:
    inner = _in(children, scope)
    return lambda item: negate(inner(item))


def _between(children: list[Any], scope: Scope) -> Expression:
    value, least, most = _operands(children, scope)
    return lambda item: is_between(value(item), least(item), most(item))


def _negative(children: list[Any], scope: Scope) -> Expression:
    (inner,) = _operands(children, scope)
    return lambda item: calculate(0, "-", inner(item))


def _arithmetic(children: list[Any], scope: Scope) -> Expression:
    left, right = _operands(children, scope)
    sign = str(children[1])
    return lambda item: calculate(left(item), sign, right(item))


_BUILDERS: Mapping[str, Callable[[list[Any], Scope], Expression]] = {
    "number": _number,
    "string": _string,
    "constant": _constant,
    "parameter": _parameter,
    "path": _path,
    "array": _array,
    "object": _object,
    "call": _call,
    "and_": _and,
    "or_": _or,
    "not_": _not,
    "compare": _compare,
    "in_": _in,
    "not_in": _not_in,
    "between": _between,
    "negative": _negative,
    "arithmetic": _arithmetic,
}


def _key(token: Token) -> str | int:
    if token.type == "STRING":
        return read_string(token)
    return int(token) if token.type == "NUMBER" and token.isdigit() else str(token)


def _names(path: tuple[str | int, ...] | None) -> tuple[str, ...]:
    return tuple(str(each) for each in path or ())


def _check_count(name: Token, arguments: list[Any], least: int, most: int) -> None:
    if not least <= len(arguments) <= most:
        message = f"The function '{name}' does not take {len(arguments)} argument(s)."
        raise QueryError("SC2050", message, _place(name))


def _check_dimensions(value: Any, vector: VectorPath) -> None:
    if not is_vector(value, vector.dimensions):
        raise QueryError(
            "SC2000", f"The vector of the query must have {vector.dimensions} dimensions."
        )


def _place(token: Token) -> tuple[int, int]:
    return (token.start_pos or 0, token.end_pos or 0)
