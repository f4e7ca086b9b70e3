"""Vectors: what a container promises of them, and how far they are apart."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Any

from simulator.cosmos.errors import Json, bad_request
from simulator.cosmos.values import UNDEFINED, walk

DATA_TYPES = ("float32", "float16", "int8", "uint8")
MAX_DIMENSIONS = {"flat": 505, "quantizedFlat": 4096, "diskANN": 4096}


def _cosine(left: Sequence[float], right: Sequence[float]) -> float:
    norm = math.hypot(*left) * math.hypot(*right)
    return float(sum(map(mul, left, right)) / norm) if norm else 0.0


def _dot_product(left: Sequence[float], right: Sequence[float]) -> float:
    return float(sum(map(mul, left, right)))


def _euclidean(left: Sequence[float], right: Sequence[float]) -> float:
    return math.dist(left, right)


MEASURES: Mapping[str, Callable[[Sequence[float], Sequence[float]], float]] = {
    "cosine": _cosine,
    "dotproduct": _dot_product,
    "euclidean": _euclidean,
}


@dataclass(frozen=True, slots=True)
class VectorPath:
    """One path of a container that holds vectors."""

    path: tuple[str, ...]
    dimensions: int
    measure: str

    def measured_by(self, name: object) -> "VectorPath":
        """The same with another distance function."""
        if not isinstance(name, str) or name.lower() not in MEASURES:
            raise bad_request("The distance function of VectorDistance is none that is known.")
        return VectorPath(self.path, self.dimensions, name.lower())

    def distance(self, left: Any, right: Any) -> Any:
        """How similar they are, by the container's measure; undefined if one is missing.

        What is in an item was checked when it was written, what is in a query when that was built.
        """
        if isinstance(left, list) and isinstance(right, list):
            return MEASURES[self.measure](left, right)
        return UNDEFINED

    @property
    def nearest_first(self) -> Callable[[float], float]:
        """Sorts the most similar first: the least distance, or the greatest likeness."""
        return (lambda value: value) if self.measure == "euclidean" else (lambda value: -value)


def is_vector(value: Any, dimensions: int) -> bool:
    """Whether *value* is a list of that many numbers."""
    return (
        isinstance(value, list)
        and len(value) == dimensions
        and all(type(each) is float or type(each) is int for each in value)
    )


def read_policy(properties: Json) -> dict[tuple[str, ...], VectorPath]:
    """The vector paths of a container's properties.

    Raises:
        CosmosError: The policy is malformed, or an index has no policy or too many dimensions.
    """
    policy = properties.get("vectorEmbeddingPolicy") or {}
    paths = [_read_embedding(each) for each in policy.get("vectorEmbeddings", [])]
    by_path = {each.path: each for each in paths}
    for index in (properties.get("indexingPolicy") or {}).get("vectorIndexes") or []:
        kind, path = index.get("type"), split_path(index.get("path", ""))
        if kind not in MAX_DIMENSIONS:
            raise bad_request(f"The vector index type '{kind}' is invalid.")
        if path not in by_path:
            raise bad_request("A vector index needs a vector embedding policy of its path.")
        if by_path[path].dimensions > MAX_DIMENSIONS[kind]:
            raise bad_request(f"A {kind} index has at most {MAX_DIMENSIONS[kind]} dimensions.")
    return by_path


def _read_embedding(each: Json) -> VectorPath:
    path, dimensions = split_path(each.get("path", "")), each.get("dimensions")
    if not path or type(dimensions) is not int or not 1 <= dimensions <= 4096:
        raise bad_request("A vector embedding needs a path and 1 to 4096 dimensions.")
    if each.get("dataType") not in DATA_TYPES or each.get("distanceFunction") not in MEASURES:
        raise bad_request("A vector embedding needs a dataType and a distanceFunction.")
    return VectorPath(path, dimensions, each["distanceFunction"])


def split_path(path: str) -> tuple[str, ...]:
    """``/a/"b"`` as its parts."""
    return tuple(part.strip('"') for part in path.split("/") if part)


def check_vectors(body: Json, policy: Mapping[tuple[str, ...], VectorPath]) -> None:
    """Refuse an item whose vector does not fit the policy."""
    for each in policy.values():
        value = walk(body, each.path)
        if value is not UNDEFINED and not is_vector(value, each.dimensions):
            name = "/" + "/".join(each.path)
            raise bad_request(f"The vector at {name} must have {each.dimensions} numbers.")
