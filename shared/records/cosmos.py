"""Documents in Cosmos DB for NoSQL."""

from collections.abc import Mapping, Sequence
from typing import Any

from azure.core import MatchConditions

from shared.cosmos.database import CosmosDatabase
from shared.errors import NotFoundError
from shared.records.containers import CONTAINERS, PARTITION_FIELD
from shared.records.documents import (
    SERVICE_FIELDS,
    Document,
    Scalar,
    checked_body,
    checked_etag,
    checked_query,
    checked_together,
)
from shared.types import Json


class CosmosDocuments:
    """The `Documents` of one database.

    Writes are never repeated once they were sent, so that ConflictError always means somebody
    else; a write whose answer was lost is UpstreamError and may have happened.
    """

    def __init__(self, database: CosmosDatabase) -> None:
        self._database = database

    async def read(self, container: str, partition: str, document_id: str) -> Document | None:
        """The document of that id, or None if there is none."""
        proxy = await self._database.container(container)
        try:
            async with self._database.guarded():
                item = await proxy.read_item(document_id, partition)
        except NotFoundError:
            return None
        return _document(container, item)

    async def create(self, document: Document) -> Document:
        """Store a new document."""
        checked_body(document)
        proxy = await self._database.container(document.container)
        async with self._database.guarded():
            item = await proxy.create_item(_item(document))
        return _document(document.container, item)

    async def upsert(self, document: Document) -> Document:
        """Store a document, whatever was there before."""
        checked_body(document)
        proxy = await self._database.container(document.container)
        async with self._database.guarded():
            item = await proxy.upsert_item(_item(document))
        return _document(document.container, item)

    async def replace(self, document: Document) -> Document:
        """Store a new version of what was read."""
        checked_body(document)
        etag = checked_etag(document)
        proxy = await self._database.container(document.container)
        async with self._database.guarded():
            item = await proxy.replace_item(
                document.id,
                _item(document),
                etag=etag,
                match_condition=MatchConditions.IfNotModified,
            )
        return _document(document.container, item)

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
        order = f' ORDER BY c["{newest_first_by}"] DESC' if newest_first_by else ""
        query = f"SELECT TOP @limit * FROM c{_condition(where)}{order}"  # noqa: S608 - checked names
        parameters = [*_parameters(where), {"name": "@limit", "value": limit}]
        proxy = await self._database.container(container)
        async with self._database.guarded():
            pages = proxy.query_items(
                query, parameters=parameters, partition_key=partition, max_item_count=limit
            )
            return [_document(container, item) async for item in pages]

    async def find(
        self, container: str, *, where: Mapping[str, Scalar], limit: int = 100
    ) -> list[Document]:
        """The documents of every partition whose fields equal *where*."""
        checked_query([*where], limit)
        # No TOP: over several partitions that would cost the SDK a query plan and their ranges.
        query = f"SELECT * FROM c{_condition(where)}"  # noqa: S608 - checked names
        found: list[Document] = []
        proxy = await self._database.container(container)
        async with self._database.guarded():
            async for item in proxy.query_items(
                query, parameters=_parameters(where), max_item_count=limit
            ):
                found.append(_document(container, item))
                if len(found) == limit:
                    break
        return found

    async def write_together(
        self,
        container: str,
        partition: str,
        creates: Sequence[Document] = (),
        replaces: Sequence[Document] = (),
    ) -> None:
        """Write all of them or none."""
        checked_together(container, partition, creates, replaces)
        operations: list[Any] = [("create", (_item(each),)) for each in creates]
        operations += [
            ("replace", (each.id, _item(each)), {"if_match_etag": each.etag}) for each in replaces
        ]
        proxy = await self._database.container(container)
        async with self._database.guarded():
            await proxy.execute_item_batch(operations, partition)

    async def check(self) -> None:
        """Ask for something small.

        Raises:
            UpstreamError: The database does not answer, or was not set up.
        """
        proxy = await self._database.container(CONTAINERS[0].name)
        async with self._database.guarded():
            await proxy.read()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._database.aclose()


def _item(document: Document) -> Json:
    return {**document.body, "id": document.id, PARTITION_FIELD: document.partition}


def _document(container: str, item: Mapping[str, Any]) -> Document:
    body = {name: value for name, value in item.items() if name not in SERVICE_FIELDS}
    return Document(
        container, body.pop(PARTITION_FIELD), body.pop("id"), body, etag=item.get("_etag")
    )


def _condition(where: Mapping[str, Scalar]) -> str:
    """In brackets a field may be called like a word of the language."""
    terms = [f'c["{name}"] = @where{number}' for number, name in enumerate(where)]
    return f" WHERE {' AND '.join(terms)}" if terms else ""


def _parameters(where: Mapping[str, Scalar]) -> list[dict[str, object]]:
    return [
        {"name": f"@where{number}", "value": value} for number, value in enumerate(where.values())
    ]
