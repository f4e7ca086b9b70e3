"""The values of a query: JSON, and undefined, which is no value at all."""

from collections.abc import Iterable
from typing import Any, Final


class Undefined:
    """What a missing field is, and what follows from it."""

    def __repr__(self) -> str:
        return "undefined"


UNDEFINED: Final = Undefined()

_ORDER: tuple[tuple[type | tuple[type, ...], int], ...] = (
    (Undefined, 0),
    (type(None), 1),
    (bool, 2),
    ((int, float), 3),
    (str, 4),
    (list, 5),
    (dict, 6),
)


def kind(value: Any) -> int:
    """The type of a value, as its place among the types."""
    return next(rank for types, rank in _ORDER if isinstance(value, types))


def sort_key(value: Any) -> tuple[int, Any]:
    """Sorts values of any type: undefined, null, booleans, numbers, strings, arrays, objects."""
    rank = kind(value)
    if rank in {0, 1, 6}:
        return (rank, 0)
    return (rank, [sort_key(item) for item in value] if rank == 5 else value)


def is_equal(left: Any, right: Any) -> Any:
    """Whether they are equal; undefined if they are of different types."""
    if isinstance(left, Undefined) or kind(left) != kind(right):
        return UNDEFINED
    return is_same(left, right)


def is_same(left: Any, right: Any) -> bool:
    """Whether they are the same, types included, to the last depth."""
    if kind(left) != kind(right):
        return False
    if isinstance(left, list):
        return len(left) == len(right) and all(map(is_same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(is_same(left[key], right[key]) for key in left)
    return bool(left == right)


def step(value: Any, key: str | int) -> Any:
    """The field or the element of a value."""
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, UNDEFINED)
    if isinstance(value, list) and isinstance(key, int) and 0 <= key < len(value):
        return value[key]
    return UNDEFINED


def walk(value: Any, path: Iterable[str | int]) -> Any:
    """What is at the end of *path*."""
    for key in path:
        value = step(value, key)
    return value
