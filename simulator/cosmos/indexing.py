"""What an indexing policy serves."""

from collections.abc import Sequence

from simulator.cosmos.errors import CosmosError, Json, bad_request
from simulator.cosmos.vectors import split_path

DEFAULT_POLICY: Json = {
    "indexingMode": "consistent",
    "automatic": True,
    "includedPaths": [{"path": "/*"}],
    "excludedPaths": [{"path": '/"_etag"/?'}],
}

OrderItem = tuple[tuple[str, ...], bool]
"""A path and whether it is descending."""


def check_order(policy: Json, items: Sequence[OrderItem]) -> None:
    """Refuse to sort by what no index serves."""
    for path, _ in items:
        if not is_indexed(policy, path):
            raise CosmosError(
                400, "The index path corresponding to the specified order-by item is excluded."
            )
    if len(items) > 1 and not any(
        _serves(index, items) for index in policy.get("compositeIndexes") or []
    ):
        raise bad_request(
            "The order by query does not have a corresponding composite index that it can be"
            " served from."
        )


def is_indexed(policy: Json, path: tuple[str, ...]) -> bool:
    """Whether a path is indexed: the longest pattern that matches it decides."""
    if policy.get("indexingMode", "consistent") == "none":
        return False
    best: tuple[int, bool] = (-1, False)
    for name, includes in (("includedPaths", True), ("excludedPaths", False)):
        for entry in policy.get(name) or []:
            *parts, tail = split_path(entry["path"]) or ("*",)
            is_match = tuple(parts) == path[: len(parts)] and (
                tail == "*" or (tail == "?" and len(parts) == len(path))
            )
            if is_match:
                best = max(best, (2 * len(parts) + (tail == "?"), includes))
    return best[1]


def _serves(index: Sequence[Json], items: Sequence[OrderItem]) -> bool:
    """An index serves its own directions, or all of them reversed."""
    paths = [split_path(entry["path"]) for entry in index]
    directions = [entry.get("order", "ascending") == "descending" for entry in index]
    wanted = [is_descending for _, is_descending in items]
    return paths == [path for path, _ in items] and (
        wanted in (directions, [not each for each in directions])
    )
