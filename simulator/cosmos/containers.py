"""Databases, containers and what a container says of its items."""

import base64
import secrets
from dataclasses import dataclass, field
from typing import Any

from simulator.cosmos.errors import Json, bad_request, left_out
from simulator.cosmos.indexing import DEFAULT_POLICY
from simulator.cosmos.query import Schema
from simulator.cosmos.values import UNDEFINED, walk
from simulator.cosmos.vectors import read_policy, split_path

_FORBIDDEN_IN_IDS = frozenset("/\\?#")
_MAX_NAME_CHARS = 255


@dataclass(frozen=True, slots=True)
class Item:
    """One version of an item; ``body`` has the service's fields and is never changed."""

    id: str
    partition: str
    number: int
    """The items of a container in the order of their creation."""
    etag: str
    stored_at_s: float
    body: Json


@dataclass(slots=True)
class Container:
    """A container and its items by partition."""

    database: str
    id: str
    properties: Json
    partition_path: tuple[str, ...]
    schema: Schema
    partitions: dict[str, dict[str, Item]] = field(default_factory=dict)
    last_number: int = 0
    writes_total: int = 0
    """Also the log sequence number that session tokens show."""

    @classmethod
    def build(cls, database: str, properties: Json) -> "Container":
        """A container of these properties.

        Raises:
            CosmosError: The service would not have them.
        """
        check_name(properties.get("id"))
        key = properties.get("partitionKey") or {}
        paths = key.get("paths") if isinstance(key, dict) else None
        if not isinstance(paths, list) or not paths:
            raise bad_request("A container needs a partition key.")
        if len(paths) > 1 or key.get("kind", "Hash") != "Hash":
            raise left_out("hierarchical partition keys")
        ttl = properties.get("defaultTtl")
        if ttl is not None and not is_ttl(ttl):
            raise bad_request(f"The value {ttl} specified for defaultTtl is invalid.")
        indexing = {**DEFAULT_POLICY, **(properties.get("indexingPolicy") or {})}
        properties = {**properties, "indexingPolicy": indexing}
        schema = Schema(indexing, read_policy(properties))
        return cls(database, properties["id"], properties, split_path(paths[0]), schema)

    def partition_of(self, body: Json) -> str:
        """The partition that an item belongs to, as `partition_key` names it."""
        return partition_key(walk(body, self.partition_path))

    def find(self, partition: str, item_id: str, now_s: float) -> Item | None:
        """The item, if it is there and has not expired."""
        item = self.partitions.get(partition, {}).get(item_id)
        return item if item is not None and not self.is_expired(item, now_s) else None

    def items(self, partition: str | None, now_s: float) -> list[tuple[int, Json]]:
        """The living items of one partition, or of all, in the order of their creation."""
        chosen = (
            self.partitions.values() if partition is None else [self.partitions.get(partition, {})]
        )
        living = [
            (item.number, item.body)
            for items in chosen
            for item in items.values()
            if not self.is_expired(item, now_s)
        ]
        return sorted(living, key=lambda pair: pair[0])

    def is_expired(self, item: Item, now_s: float) -> bool:
        """Whether its time is over: the item's own ttl, if the container has any, else its."""
        default = self.properties.get("defaultTtl")
        if default is None:
            return False
        ttl: int = item.body.get("ttl") or default
        return bool(ttl != -1 and now_s >= int(item.stored_at_s) + ttl)

    def put(self, item: Item) -> None:
        """Store a version."""
        self.partitions.setdefault(item.partition, {})[item.id] = item
        self.last_number = max(self.last_number, item.number)

    def remove(self, partition: str, item_id: str) -> None:
        """Forget an item."""
        self.partitions.get(partition, {}).pop(item_id, None)


def partition_key(value: Any) -> str:
    """A name for the partition of a value: types count, and missing is not null.

    Raises:
        CosmosError: Nothing can be partitioned by such a value.
    """
    if value is UNDEFINED or value == {}:
        return "undefined"
    if isinstance(value, dict | list):
        raise bad_request("A partition key is a text, a number, a boolean or null.")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return repr(float(value))
    return repr(value)


def check_name(name: object) -> str:
    """Refuse what is no id of anything."""
    if not isinstance(name, str) or not name:
        raise bad_request(
            "The input content is invalid because the required properties - 'id; ' - are missing"
        )
    if len(name) > _MAX_NAME_CHARS or name.endswith(" ") or _FORBIDDEN_IN_IDS & set(name):
        raise bad_request("The id is too long, ends with a blank or contains one of / \\ ? #.")
    return name


def is_ttl(value: object) -> bool:
    """Whether it is a number of seconds, or -1 for ever."""
    return type(value) is int and (value == -1 or 0 < value < 2**31)


def resource_id(size: int) -> str:
    """An id of the service's own, in the shape of one."""
    return base64.b64encode(secrets.token_bytes(size)).decode().replace("/", "-")
