"""The demonstration bank in a database in memory, and the other services tools use, as fakes."""

import functools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from shared.errors import UpstreamError
from shared.records.documents import Document
from shared.tools.codes import Attempt
from shared.types import Json, SessionId
from tests.unit.document_fakes import FakeDocuments

RECORDS = Path(__file__).parents[2] / "simulator" / "scenarios" / "bank_records.yaml"


@functools.cache
def _seed() -> tuple[Document, ...]:
    return tuple(documents_of(yaml.safe_load(RECORDS.read_text(encoding="utf-8"))))


def documents_of(seed: dict[str, list[dict[str, Any]]]) -> list[Document]:
    """The documents of a seed file."""
    found = []
    for container, records in seed.items():
        for record in records:
            body = {key: value for key, value in record.items() if key not in ("id", "partition")}
            found.append(Document(container, record["partition"], record["id"], body))
    return found


def bank(*more: Document) -> FakeDocuments:
    """The demonstration bank, and what a test adds to it."""
    return FakeDocuments([*_seed(), *more])


def body_of(documents: FakeDocuments, container: str, document_id: str) -> Json:
    """What is stored under an id, whoever's it is."""
    (found,) = (each for each in documents.held(container) if each.id == document_id)
    return found.body


@dataclass
class FakeCodeStore:
    """Codes in memory, with the rules of the scripts; ``down`` makes it unreachable."""

    down: bool = False
    codes: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)

    async def put(
        self, session_id: SessionId, name: str, digest: str, *, tries: int, ttl_s: int
    ) -> None:
        """Expect a code."""
        self._check()
        self.codes[session_id, name] = {"digest": digest, "tries": tries, "used_by": None}

    async def attempt(
        self, session_id: SessionId, name: str, digests: Sequence[str], *, by: str
    ) -> Attempt:
        """Try a code."""
        self._check()
        code = self.codes.get((session_id, name))
        if code is None:
            return Attempt("none")
        is_right = code["digest"] in digests
        if code["used_by"] is not None:
            is_again = is_right and code["used_by"] == by != ""
            return Attempt("right") if is_again else Attempt("none")
        if code["tries"] <= 0:
            return Attempt("exhausted")
        if is_right:
            code["used_by"] = by
            return Attempt("right")
        code["tries"] -= 1
        return Attempt("wrong", code["tries"]) if code["tries"] else Attempt("exhausted")

    async def drop(self, session_id: SessionId, name: str) -> None:
        """Expect no code."""
        self._check()
        self.codes.pop((session_id, name), None)

    def expire(self) -> None:
        """Let five minutes pass."""
        self.codes.clear()

    def _check(self) -> None:
        if self.down:
            raise UpstreamError("session store unreachable")


@dataclass
class FakeLimits:
    """Counts in memory; ``down`` makes it unreachable."""

    down: bool = False
    counts: dict[str, int] = field(default_factory=dict)

    async def take(self, scope: str, *, limit: int, ttl_s: int) -> bool:
        """Count one try."""
        self._check()
        if self.counts.get(scope, 0) >= limit:
            return False
        self.counts[scope] = self.counts.get(scope, 0) + 1
        return True

    async def give_back(self, scope: str) -> None:
        """Uncount one try."""
        self._check()
        self.counts[scope] = max(0, self.counts.get(scope, 0) - 1)

    def _check(self) -> None:
        if self.down:
            raise UpstreamError("session store unreachable")


@dataclass
class FakeDelivery:
    """Phones and mailboxes; what is in ``failures`` is raised, one for each message."""

    methods: frozenset[str] = frozenset({"sms", "email"})
    sent: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, address, text."""
    failures: deque[Exception] = field(default_factory=deque)

    async def send_sms(self, to: str, text: str) -> None:
        """To a phone."""
        self._send("sms", to, text)

    async def send_email(self, to: str, subject: str, text: str) -> None:
        """To a mailbox."""
        self._send("email", to, text)

    def code(self) -> str:
        """The code in the latest message, as its reader finds it."""
        words = self.sent[-1][2].replace(".", " ").split()
        return next(word for word in words if word.isdigit() and len(word) == 6)

    def _send(self, method: str, to: str, text: str) -> None:
        if self.failures:
            raise self.failures.popleft()
        self.sent.append((method, to, text))
