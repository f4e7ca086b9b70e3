"""Partial changes of an item."""

import copy
from collections.abc import Collection
from typing import Any

from simulator.cosmos.errors import CosmosError, Json, bad_request
from simulator.cosmos.values import UNDEFINED, step

MAX_OPERATIONS = 10


def apply_patch(body: Json, operations: object, protected: Collection[tuple[str, ...]]) -> Json:
    """The body with all the operations done.

    Raises:
        CosmosError: One of them makes no sense, or changes a path of *protected*.
    """
    if not isinstance(operations, list) or not 1 <= len(operations) <= MAX_OPERATIONS:
        raise bad_request(f"A patch has 1 to {MAX_OPERATIONS} operations.")
    patched = copy.deepcopy(body)
    for number, operation in enumerate(operations, start=1):
        if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
            raise _refused(number, "it needs op and path")
        path = _split(operation["path"])
        touched = {path, _split(str(operation.get("from", "")))}
        if not path or any(each[: len(one)] == one for each in touched for one in protected):
            raise _refused(number, "the path cannot be changed")
        _apply(patched, operation, path, number)
    return patched


def _apply(body: Json, operation: Json, path: tuple[str, ...], number: int) -> None:
    kind, parent = operation.get("op"), _parent(body, path, number)
    present = step(parent, _key(parent, path[-1]))
    if kind in {"add", "set"}:
        _store(parent, path[-1], operation.get("value"), number, inserts=kind == "add")
    elif kind == "replace":
        if present is UNDEFINED:
            raise _refused(number, "there is nothing to replace")
        _store(parent, path[-1], operation.get("value"), number)
    elif kind == "remove":
        _take(parent, path[-1], number)
    elif kind in {"incr", "increment"}:
        amount = operation.get("value")
        if not _is_number(amount) or not (present is UNDEFINED or _is_number(present)):
            raise _refused(number, "only numbers are incremented")
        _store(parent, path[-1], amount if present is UNDEFINED else present + amount, number)
    elif kind == "move":
        source = _split(str(operation.get("from", "")))
        value = _take(_parent(body, source, number), source[-1], number)
        _store(_parent(body, path, number), path[-1], value, number)
    else:
        raise _refused(number, "its op is unknown")


def _parent(body: Json, path: tuple[str, ...], number: int) -> Any:
    if not path:
        raise _refused(number, "it needs a path")
    value: Any = body
    for part in path[:-1]:
        value = step(value, _key(value, part))
    if not isinstance(value, dict | list):
        raise _refused(number, "the parent of its path does not exist")
    return value


def _store(parent: Any, part: str, value: Any, number: int, *, inserts: bool = False) -> None:
    if isinstance(parent, dict):
        parent[part] = value
        return
    index = len(parent) if part == "-" else _key(parent, part)
    if not isinstance(index, int) or not 0 <= index <= len(parent):
        raise _refused(number, "its index is not in the array")
    parent[index : index if inserts or index == len(parent) else index + 1] = [value]


def _take(parent: Any, part: str, number: int) -> Any:
    key = _key(parent, part)
    if step(parent, key) is UNDEFINED:
        raise _refused(number, "there is nothing at its path")
    return parent.pop(key)


def _key(parent: Any, part: str) -> str | int:
    return int(part) if isinstance(parent, list) and part.isdigit() else part


def _split(path: str) -> tuple[str, ...]:
    parts = path.split("/")[1:] if path.startswith("/") else []
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refused(number: int, why: str) -> CosmosError:
    return bad_request(f"For Operation({number}): {why}.")
