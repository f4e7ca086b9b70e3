"""Changes to one partition that happen together or not at all."""

import json
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from simulator.cosmos.containers import Container, Item, check_name, is_ttl, resource_id
from simulator.cosmos.errors import CosmosError, Json, bad_request, not_found
from simulator.cosmos.patch import apply_patch
from simulator.cosmos.query import build_query
from simulator.cosmos.vectors import check_vectors

MAX_ITEM_BYTES = 2 * 1024 * 1024
_SYSTEM = ("_rid", "_self", "_etag", "_attachments", "_ts")


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a request demands of the version that is there."""

    if_match: str | None = None
    if_none_match: str | None = None


ANY = Conditions()


@dataclass(slots=True)
class Draft:
    """What one request, or one batch, does to a partition; nobody sees it before it is kept."""

    container: Container
    partition: str
    now_s: float
    changed: dict[str, Item | None] = field(default_factory=dict)
    """By id; None for what is deleted."""
    numbers: int = 0

    def find(self, item_id: str) -> Item:
        """The item as it would be.

        Raises:
            CosmosError: 404.
        """
        item = self._look(item_id)
        if item is None:
            raise not_found("id")
        return item

    def create(self, body: Json, _conditions: Conditions = ANY) -> Item:
        """A new item."""
        if self._look(self._checked(body)) is not None:
            raise CosmosError(409, "Entity with the specified id already exists in the system.")
        return self._put(body, None)

    def upsert(self, body: Json, conditions: Conditions = ANY) -> Item:
        """A new item or a new version."""
        before = self._look(self._checked(body))
        if before is not None:
            if conditions.if_none_match == "*":
                raise CosmosError(409, "Entity with the specified id already exists in the system.")
            _check_version(before, conditions)
        return self._put(body, before)

    def replace(self, item_id: str, body: Json, conditions: Conditions = ANY) -> Item:
        """A new version of an item."""
        if self._checked(body) != item_id:
            raise bad_request("The id of an item cannot be changed.")
        before = self.find(item_id)
        _check_version(before, conditions)
        return self._put(body, before)

    def patch(self, item_id: str, request: Json, conditions: Conditions = ANY) -> Item:
        """An item changed in parts, if it meets the request's condition."""
        before = self.find(item_id)
        _check_version(before, conditions)
        condition = request.get("condition")
        if condition is not None:
            query = build_query(f"SELECT * {condition}", {}, self.container.schema)
            if not query.run([(0, before.body)]):
                raise CosmosError(
                    412, "One of the specified pre-condition is not met.", substatus=1110
                )
        protected = {self.container.partition_path, ("id",), *((name,) for name in _SYSTEM)}
        body = apply_patch(before.body, request.get("operations"), protected)
        self._checked(body)
        return self._put(body, before)

    def delete(self, item_id: str, conditions: Conditions = ANY) -> None:
        """Remove an item."""
        _check_version(self.find(item_id), conditions)
        self.changed[item_id] = None

    def _look(self, item_id: str) -> Item | None:
        if item_id in self.changed:
            return self.changed[item_id]
        return self.container.find(self.partition, item_id, self.now_s)

    def _checked(self, body: Json) -> str:
        """The id of an item that may be stored here."""
        item_id = check_name(body.get("id"))
        if self.container.partition_of(body) != self.partition:
            raise bad_request(
                "PartitionKey extracted from document doesn't match the one specified in the"
                " header.",
                substatus=1001,
            )
        ttl = body.get("ttl")
        if ttl is not None and not is_ttl(ttl):
            raise bad_request(
                f"The input ttl '{ttl}' is invalid. Ensure to provide a nonzero positive integer"
                " less than or equal to '2147483647', or '-1' (never expire)."
            )
        check_vectors(body, self.container.schema.vectors)
        return item_id

    def _put(self, body: Json, before: Item | None) -> Item:
        if before is None:
            self.numbers += 1
        rid = before.body["_rid"] if before is not None else resource_id(12)
        etag = f'"{uuid.uuid4()}"'
        link = f"dbs/{self.container.database}/colls/{self.container.id}/docs/{rid}/"
        stored = {key: value for key, value in body.items() if key not in _SYSTEM}
        stored |= {"_rid": rid, "_self": link, "_etag": etag}
        stored |= {"_attachments": "attachments/", "_ts": int(self.now_s)}
        if len(json.dumps(stored, ensure_ascii=False).encode()) > MAX_ITEM_BYTES:
            raise CosmosError(413, "Request size is too large")
        number = before.number if before is not None else self.container.last_number + self.numbers
        item = Item(body["id"], self.partition, number, etag, self.now_s, stored)
        self.changed[item.id] = item
        return item


def _check_version(item: Item, conditions: Conditions) -> None:
    if conditions.if_match not in {None, "*", item.etag}:
        raise CosmosError(412, "One of the specified pre-condition is not met.")


Operation = Callable[[Draft], Item | None]
"""One request, ready to be done to a draft."""
