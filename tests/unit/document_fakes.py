"""A database in memory that keeps the promises of the real one."""

import copy
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace as changed
from typing import Any

from shared.errors import ConflictError, NotFoundError, UpstreamError
from shared.records.containers import CONTAINERS, PARTITION_FIELD
from shared.records.documents import (
    Document,
    Scalar,
    checked_body,
    checked_etag,
    checked_query,
    checked_together,
)

Place = tuple[str, str, str]


class FakeDocuments:
    """A `Documents`; ``failure`` is raised by whatever is asked while it is set."""

    def __init__(self, documents: Sequence[Document] = ()) -> None:
        self.failure: Exception | None = None
        self.writes_total = 0
        self._stored: dict[Place, Document] = {}
        self._versions = itertools.count(1)
        for document in documents:
            self._put(document)

    def held(self, container: str) -> list[Document]:
        """Everything in a container, for a test to look at."""
        return [
            copy.deepcopy(each) for each in self._stored.values() if each.container == container
        ]

    async def read(self, container: str, partition: str, document_id: str) -> Document | None:
        """The document of that id, or None."""
        self._check(container)
        return copy.deepcopy(self._stored.get((container, partition, document_id)))

    async def create(self, document: Document) -> Document:
        """Store a new document."""
        checked_body(document)
        self._check(document.container)
        self._check_new(document)
        return self._put(document)

    async def upsert(self, document: Document) -> Document:
        """Store a document."""
        checked_body(document)
        self._check(document.container)
        return self._put(document)

    async def replace(self, document: Document) -> Document:
        """Store a new version of what was read."""
        checked_body(document)
        checked_etag(document)
        self._check(document.container)
        self._check_version(document)
        return self._put(document)

    async def select(
        self,
        container: str,
        partition: str,
        *,
        where: Mapping[str, Scalar] = {},
        newest_first_by: str | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """The documents of a partition whose fields equal *where*."""
        checked_query([*where, *([newest_first_by] if newest_first_by else [])], limit)
        self._check(container)
        found = [each for each in self._matching(container, where) if each.partition == partition]
        if newest_first_by is not None:
            found.sort(key=lambda each: _rank(_fields(each), newest_first_by), reverse=True)
        return copy.deepcopy(found[:limit])

    async def find(
        self, container: str, *, where: Mapping[str, Scalar], limit: int = 100
    ) -> list[Document]:
        """The documents of every partition whose fields equal *where*."""
        checked_query([*where], limit)
        self._check(container)
        return copy.deepcopy(self._matching(container, where)[:limit])

    async def write_together(
        self,
        container: str,
        partition: str,
        creates: Sequence[Document] = (),
        replaces: Sequence[Document] = (),
    ) -> None:
        """Write all of them or none."""
        checked_together(container, partition, creates, replaces)
        self._check(container)
        if len({each.id for each in (*creates, *replaces)}) < len(creates) + len(replaces):
            raise ConflictError("a document is written twice in one transaction")
        for document in creates:
            self._check_new(document)
        for document in replaces:
            self._check_version(document)
        for document in (*creates, *replaces):
            self._put(document)

    def _check(self, container: str) -> None:
        if self.failure is not None:
            raise self.failure
        if container not in {each.name for each in CONTAINERS}:
            raise UpstreamError("the database lacks a container")

    def _check_new(self, document: Document) -> None:
        if _place(document) in self._stored:
            raise ConflictError("there is a document of that id")

    def _check_version(self, document: Document) -> None:
        stored = self._stored.get(_place(document))
        if stored is None:
            raise NotFoundError("no such document")
        if stored.etag != document.etag:
            raise ConflictError("the document was changed since it was read")

    def _put(self, document: Document) -> Document:
        self.writes_total += 1
        body = copy.deepcopy(document.body)
        stored = changed(document, body=body, etag=f'"fake-{next(self._versions)}"')
        self._stored[_place(document)] = stored
        return copy.deepcopy(stored)

    def _matching(self, container: str, where: Mapping[str, Scalar]) -> list[Document]:
        return [
            each
            for each in self._stored.values()
            if each.container == container
            and all(_is_same(_fields(each), name, value) for name, value in where.items())
        ]


def _place(document: Document) -> Place:
    return (document.container, document.partition, document.id)


def _fields(document: Document) -> Mapping[str, Any]:
    return {**document.body, "id": document.id, PARTITION_FIELD: document.partition}


def _is_same(fields: Mapping[str, Any], name: str, value: Scalar) -> bool:
    """Equal and of one type: to the service 1 is not true, and null is not missing."""
    if name not in fields:
        return False
    mine = fields[name]
    return isinstance(mine, bool) == isinstance(value, bool) and bool(mine == value)


def _rank(fields: Mapping[str, Any], name: str) -> tuple[int, Any]:
    """Sorts as the service does: missing, null, booleans, numbers, strings."""
    value = fields.get(name)
    if value is None:
        return (1 if name in fields else 0, 0)
    if isinstance(value, bool):
        return (2, value)
    return (4 if isinstance(value, str) else 3, value)
