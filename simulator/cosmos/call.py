"""One request to the account, as it came, and one answer."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from simulator.cosmos.containers import partition_key
from simulator.cosmos.errors import Json, bad_request

_PARTITION = "x-ms-documentdb-partitionkey"


@dataclass(frozen=True, slots=True)
class Call:
    """A request; header names in lower case."""

    method: str
    segments: tuple[str, ...]
    """The path: ``dbs``, a name, ``colls``, a name …"""
    headers: Mapping[str, str]
    content: bytes
    base_url: str

    @property
    def resource(self) -> tuple[str, str]:
        """What it is about, as signatures name it: the type, and the link of it or its owner."""
        if len(self.segments) % 2:
            return (self.segments[-1], "/".join(self.segments[:-1]))
        return (self.segments[-2] if self.segments else "", "/".join(self.segments))

    @property
    def operation(self) -> str:
        """What it does, in one word."""
        if not self.segments:
            return "account"
        if self.method == "POST":
            for header, name in (
                ("x-ms-cosmos-is-query-plan-request", "plan"),
                ("x-ms-documentdb-isquery", "query"),
                ("x-ms-cosmos-is-batch-request", "batch"),
                ("x-ms-documentdb-is-upsert", "upsert"),
            ):
                if self.is_set(header):
                    return name
        names = {"GET": "read", "POST": "create", "PUT": "replace", "PATCH": "patch"}
        return names.get(self.method, self.method.lower())

    def is_set(self, header: str) -> bool:
        """Whether a header says true."""
        return self.headers.get(header, "").lower() == "true"

    @property
    def partition(self) -> str | None:
        """The partition that is named; None if there is none.

        Raises:
            CosmosError: It is no list of one value.
        """
        text = self.headers.get(_PARTITION)
        if text is None:
            return None
        try:
            values = json.loads(text)
        except ValueError as err:
            raise bad_request(f"Partition key {text} is invalid.") from err
        if not isinstance(values, list) or len(values) != 1:
            raise bad_request(f"Partition key {text} is invalid.")
        return partition_key(values[0])

    @property
    def required_partition(self) -> str:
        """The partition; an operation on one item is nothing without."""
        partition = self.partition
        if partition is None:
            raise bad_request(
                f"The partition key supplied in {_PARTITION} header has fewer components than"
                " defined in the the collection."
            )
        return partition

    def json(self) -> Any:
        """The body.

        Raises:
            CosmosError: It is not JSON.
        """
        try:
            return json.loads(self.content, parse_constant=_no_constant)
        except ValueError as err:
            raise bad_request("The request payload is invalid.") from err

    def json_object(self) -> Json:
        """The body, which is an object."""
        body = self.json()
        if not isinstance(body, dict):
            raise bad_request("The request payload is invalid.")
        return body


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    charge: float = 1.0
    """Request units."""


def _no_constant(_name: str) -> None:
    """NaN and Infinity are Python's, not JSON's."""
    raise ValueError
