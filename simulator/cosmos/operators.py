"""What the operators of a query make of two values."""

import operator
from collections.abc import Callable, Mapping
from typing import Any

from simulator.cosmos.values import UNDEFINED, Undefined, is_equal, kind, sort_key

_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_ARITHMETIC: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "%": operator.mod,
}


def compare(left: Any, sign: str, right: Any) -> Any:
    """Compare two values; those of different types, or undefined, give undefined."""
    if sign in {"=", "!=", "<>"}:
        equal = is_equal(left, right)
        return equal if sign == "=" or isinstance(equal, Undefined) else not equal
    if isinstance(left, Undefined) or kind(left) != kind(right) or kind(left) > 4:
        return UNDEFINED
    return bool(_COMPARISONS[sign](sort_key(left), sort_key(right)))


def calculate(left: Any, sign: str, right: Any) -> Any:
    """Join two texts or calculate with two numbers; anything else is undefined."""
    if sign == "||":
        is_text = isinstance(left, str) and isinstance(right, str)
        return left + right if is_text else UNDEFINED
    if kind(left) != 3 or kind(right) != 3 or (sign in "/%" and right == 0):
        return UNDEFINED
    return _ARITHMETIC[sign](left, right)


def combine(left: Any, right: Any, *, decisive: bool) -> Any:
    """AND (False decides) or OR (True decides); else both sides must be booleans."""
    if left is decisive or right is decisive:
        return decisive
    other = not decisive
    return other if left is other and right is other else UNDEFINED


def negate(value: Any) -> Any:
    """NOT of a boolean; of anything else it is undefined."""
    return not value if isinstance(value, bool) else UNDEFINED


def is_between(value: Any, least: Any, most: Any) -> Any:
    """Whether it is neither below nor above."""
    return combine(compare(value, ">=", least), compare(value, "<=", most), decisive=False)


def is_in(value: Any, choices: list[Any]) -> Any:
    """Whether it equals one of them."""
    if isinstance(value, Undefined):
        return UNDEFINED
    return any(is_equal(value, choice) is True for choice in choices)
