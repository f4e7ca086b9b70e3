"""The port to the database: JSON documents in containers, each in one partition."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from shared.records.containers import PARTITION_FIELD
from shared.types import Json

Scalar = str | int | float | bool | None
"""What a field can be compared with."""

SERVICE_FIELDS = frozenset({"_rid", "_self", "_etag", "_attachments", "_ts"})
"""What the service adds to every document."""

MAX_TOGETHER = 100
"""How many documents one transaction may write."""

_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


@dataclass(frozen=True, slots=True)
class Document:
    """One document.

    ``body`` holds neither ``id`` nor ``partition`` nor the service's own fields. A whole number
    ``ttl`` in it is the seconds until the document is gone.
    ``etag`` names the version that was read; None before it was ever stored.
    """

    container: str
    partition: str
    id: str
    body: Json
    etag: str | None = None


class Documents(Protocol):
    """The documents of one database.

    Every method raises UpstreamError when the database cannot be reached, does not answer in time
    or throttles: what is not known is never an empty answer. A write that failed so may have
    happened. Containers are those of `shared.records.containers`; they are not made here, and a
    missing one is an UpstreamError too.
    """

    async def read(self, container: str, partition: str, document_id: str) -> Document | None:
        """The document of that id, or None if there is none."""
        ...

    async def create(self, document: Document) -> Document:
        """Store a new document; returns it with its etag.

        Raises:
            ConflictError: There is one of that id in the partition.
        """
        ...

    async def upsert(self, document: Document) -> Document:
        """Store a document, whatever was there before; its etag is not looked at."""
        ...

    async def replace(self, document: Document) -> Document:
        """Store a new version of the document whose etag was read.

        Raises:
            ConflictError: Someone changed it since.
            NotFoundError: It is not there any more.
            ValueError: It has no etag.
        """
        ...

    async def select(
        self,
        container: str,
        partition: str,
        *,
        where: Mapping[str, Scalar] = {},
        newest_first_by: str | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """The documents of a partition whose fields equal *where*, at most *limit*.

        Args:
            container: Where to look.
            partition: Where in it to look.
            where: Top-level fields and what they must equal, types included.
            newest_first_by: The field to sort by, the largest first; without it the order is the
                service's. Documents that lack the field come last, or not at all.
            limit: From 1 on.
        """
        ...

    async def find(
        self, container: str, *, where: Mapping[str, Scalar], limit: int = 100
    ) -> list[Document]:
        """The documents of every partition whose fields equal *where*, in no order."""
        ...

    async def write_together(
        self,
        container: str,
        partition: str,
        creates: Sequence[Document] = (),
        replaces: Sequence[Document] = (),
    ) -> None:
        """Write all of them or none; at most `MAX_TOGETHER`, all of one partition.

        Raises:
            ConflictError: One to create exists, or one to replace was changed since it was read.
            NotFoundError: One to replace is not there.
            ValueError: Too many, none at all, of another partition, or one to replace lacks an
                etag.
        """
        ...


def checked_body(document: Document) -> None:
    """Refuse a body that has the fields which name the document.

    Raises:
        ValueError: They would be lost, or the body would not come back as it was.
    """
    if not SERVICE_FIELDS.union({"id", PARTITION_FIELD}).isdisjoint(document.body):
        raise ValueError("the body of a document has neither id, partition nor service fields")


def checked_etag(document: Document) -> str:
    """The etag of a document that was read.

    Raises:
        ValueError: It never was.
    """
    if document.etag is None:
        raise ValueError("a document to replace needs the etag that was read")
    return document.etag


def checked_query(names: Sequence[str], limit: int) -> None:
    """Refuse what cannot be asked.

    Raises:
        ValueError: A field's name would not stand for itself in a query, or the limit is not a
            positive number.
    """
    if limit < 1:
        raise ValueError("at least one document must be wanted")
    if not all(_FIELD.match(name) for name in names):
        raise ValueError("a field name has letters, digits and underscores only")


def checked_together(
    container: str, partition: str, creates: Sequence[Document], replaces: Sequence[Document]
) -> None:
    """Refuse what no transaction can hold.

    Raises:
        ValueError: As `Documents.write_together` says.
    """
    every = (*creates, *replaces)
    if not 0 < len(every) <= MAX_TOGETHER:
        raise ValueError(f"a transaction writes 1 to {MAX_TOGETHER} documents")
    if any((each.container, each.partition) != (container, partition) for each in every):
        raise ValueError("a transaction writes documents of one partition")
    for each in every:
        checked_body(each)
    for each in replaces:
        checked_etag(each)
