"""What stands where a service is not configured: it says so, and invents nothing."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from shared.records.documents import Document, Scalar
from shared.tools.codes import CodeAttempt
from shared.tools.failures import ToolFailedError
from shared.types import SessionId

_RECORDS = "The bank's records are not configured here. Nothing was looked up and nothing was done."
_CODES = "Codes are not configured here. Nothing was done."
_MESSAGES = "Messages cannot be sent from here."


class NoDocuments:
    """A `Documents` without a database."""

    async def read(self, container: str, partition: str, document_id: str) -> Document | None:
        """Fail."""
        _refuse(_RECORDS)

    async def create(self, document: Document) -> Document:
        """Fail."""
        _refuse(_RECORDS)

    async def upsert(self, document: Document) -> Document:
        """Fail."""
        _refuse(_RECORDS)

    async def replace(self, document: Document) -> Document:
        """Fail."""
        _refuse(_RECORDS)

    async def select(
        self,
        container: str,
        partition: str,
        *,
        where: Mapping[str, Scalar] = {},
        newest_first_by: str | None = None,
        limit: int = 100,
    ) -> list[Document]:
        """Fail."""
        _refuse(_RECORDS)

    async def find(
        self, container: str, *, where: Mapping[str, Scalar], limit: int = 100
    ) -> list[Document]:
        """Fail."""
        _refuse(_RECORDS)

    async def write_together(
        self,
        container: str,
        partition: str,
        creates: Sequence[Document] = (),
        replaces: Sequence[Document] = (),
    ) -> None:
        """Fail."""
        _refuse(_RECORDS)


class NoCodeStore:
    """A `CodeStore` without a store."""

    async def put(
        self, session_id: SessionId, name: str, digest: str, *, tries: int, ttl_s: int
    ) -> None:
        """Fail."""
        _refuse(_CODES)

    async def attempt(
        self, session_id: SessionId, name: str, digests: Sequence[str], *, by: str
    ) -> CodeAttempt:
        """Fail."""
        _refuse(_CODES)

    async def drop(self, session_id: SessionId, name: str) -> None:
        """Fail."""
        _refuse(_CODES)


class NoLimits:
    """A `TryLimits` that cannot count, and so lets nobody try."""

    async def take(self, scope: str, *, limit: int, ttl_s: int) -> bool:
        """Fail."""
        _refuse(_CODES)

    async def give_back(self, scope: str) -> None:
        """Fail."""
        _refuse(_CODES)


class NoDelivery:
    """A `CodeDelivery` that can send nothing."""

    methods = frozenset[str]()

    async def send_sms(self, to: str, text: str) -> None:
        """Fail."""
        _refuse(_MESSAGES)

    async def send_email(self, to: str, subject: str, text: str) -> None:
        """Fail."""
        _refuse(_MESSAGES)


def _refuse(message: str) -> NoReturn:
    raise ToolFailedError(message)
