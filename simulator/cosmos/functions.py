"""The built-in functions of queries, those that the stand-in knows."""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from simulator.cosmos.values import UNDEFINED, Undefined, is_same

Function = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Builtin:
    """A function and how many arguments it takes; ``sees_undefined`` ones are given that too."""

    run: Function
    least: int
    most: int
    sees_undefined: bool = False

    def __call__(self, *values: Any) -> Any:
        """Undefined in, undefined out; so is what is of the wrong type."""
        if not self.sees_undefined and any(isinstance(value, Undefined) for value in values):
            return UNDEFINED
        try:
            return self.run(*values)
        except (TypeError, ValueError, OverflowError):
            return UNDEFINED


def _is(*types: type) -> Builtin:
    def check(value: Any) -> bool:
        return isinstance(value, types) and (bool in types or not isinstance(value, bool))

    return Builtin(check, 1, 1, sees_undefined=True)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError
    return value


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _texts(compare: Callable[[str, str], bool]) -> Builtin:
    """A comparison of two texts, whose third argument says that case does not matter."""

    def run(text: Any, other: Any, ignores_case: Any = False) -> bool:
        pair = (_text(text), _text(other))
        if ignores_case is True:
            pair = (pair[0].lower(), pair[1].lower())
        return compare(*pair)

    return Builtin(run, 2, 3)


def _array_contains(items: Any, wanted: Any, is_partial: Any = False) -> bool:
    if is_partial is True and isinstance(wanted, dict):
        return any(_has_all(item, wanted) for item in _list(items))
    return any(is_same(item, wanted) for item in _list(items))


def _has_all(item: Any, wanted: Mapping[str, Any]) -> bool:
    return isinstance(item, dict) and all(
        key in item and is_same(item[key], value) for key, value in wanted.items()
    )


def _substring(text: Any, start: Any, length: Any) -> str:
    begin = max(int(_number(start)), 0)
    return _text(text)[begin : begin + max(int(_number(length)), 0)]


def _round(value: Any) -> float:
    """Halves go away from zero, unlike Python's."""
    number = _number(value)
    return math.copysign(math.floor(abs(number) + 0.5), number)


FUNCTIONS: Mapping[str, Builtin] = {
    "IS_DEFINED": Builtin(lambda value: not isinstance(value, Undefined), 1, 1, True),
    "IS_NULL": _is(type(None)),
    "IS_BOOL": _is(bool),
    "IS_NUMBER": _is(int, float),
    "IS_STRING": _is(str),
    "IS_ARRAY": _is(list),
    "IS_OBJECT": _is(dict),
    "STARTSWITH": _texts(str.startswith),
    "ENDSWITH": _texts(str.endswith),
    "CONTAINS": _texts(operator.contains),
    "STRINGEQUALS": _texts(operator.eq),
    "LOWER": Builtin(lambda text: _text(text).lower(), 1, 1),
    "UPPER": Builtin(lambda text: _text(text).upper(), 1, 1),
    "TRIM": Builtin(lambda text: _text(text).strip(), 1, 1),
    "LENGTH": Builtin(lambda text: len(_text(text)), 1, 1),
    "CONCAT": Builtin(lambda *texts: "".join(map(_text, texts)), 2, 200),
    "SUBSTRING": Builtin(_substring, 3, 3),
    "ARRAY_CONTAINS": Builtin(_array_contains, 2, 3),
    "ARRAY_LENGTH": Builtin(lambda items: len(_list(items)), 1, 1),
    "ABS": Builtin(lambda value: abs(_number(value)), 1, 1),
    "FLOOR": Builtin(lambda value: math.floor(_number(value)), 1, 1),
    "CEILING": Builtin(lambda value: math.ceil(_number(value)), 1, 1),
    "ROUND": Builtin(_round, 1, 1),
}

AGGREGATES: Mapping[str, Callable[[list[Any]], Any]] = {
    "COUNT": len,
    "SUM": lambda values: _over_numbers(values, math.fsum),
    "AVG": lambda values: _over_numbers(values, lambda some: math.fsum(some) / len(some)),
    "MIN": lambda values: min(values, default=UNDEFINED),
    "MAX": lambda values: max(values, default=UNDEFINED),
}


def _over_numbers(values: list[Any], run: Callable[[list[float]], float]) -> Any:
    """The service knows no sum of what is not all numbers."""
    try:
        numbers = [_number(value) for value in values]
    except TypeError:
        return UNDEFINED
    if not numbers:
        return UNDEFINED
    result = run(numbers)
    return (
        int(result)
        if all(isinstance(each, int) for each in numbers) and result.is_integer()
        else result
    )
