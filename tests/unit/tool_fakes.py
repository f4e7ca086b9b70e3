"""What stands around a tool in these tests."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.clock import Clock
from shared.errors import UpstreamError
from shared.knowledge.embedded import EmbeddedKnowledge
from shared.knowledge.passages import Passage
from shared.records.documents import Documents
from shared.tools.codes import Codes
from shared.tools.context import (
    Channel,
    EphemeralFacts,
    KnowledgeBase,
    ToolContext,
    ToolServices,
)
from shared.tools.registry import ToolRegistry
from shared.types import AgentName, Json, SessionId
from tests.unit.bank import FakeCodeStore, FakeDelivery, FakeLimits, bank

SESSION = SessionId("0193-session")
EMILY = "CLT-1001"
MARCUS = "CLT-1002"
QUEUES = {"general": "+15555550100", "fraud": "+15555550111"}


class FakeClock:
    """Stands still on the 28th of November 2026."""

    def now(self) -> datetime:
        """Noon."""
        return datetime(2026, 11, 28, 12, tzinfo=UTC)

    def monotonic(self) -> float:
        """The start."""
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Return at once."""


class FakeKnowledgeBase:
    """Remembers what it was asked; answers what it was given."""

    source = "cosmos_vector"

    def __init__(self, passages: Sequence[Passage] = (), error: Exception | None = None) -> None:
        self.asked: list[tuple[str, str, int]] = []
        self._passages = passages
        self._error = error

    async def search(self, query: str, *, collection: str, top_k: int) -> Sequence[Passage]:
        """The given passages, or the given error."""
        self.asked.append((query, collection, top_k))
        if self._error is not None:
            raise self._error
        return self._passages


@dataclass
class FakeBegin:
    """What the ledger says."""

    state: str
    result: Json | None = None


@dataclass
class FakeLedger:
    """A ledger in memory; ``down`` names the methods that fail."""

    entries: dict[tuple[str | None, str], tuple[str, Json | None]] = field(default_factory=dict)
    down: set[str] = field(default_factory=set)

    async def begin(self, session_id: SessionId | None, key: str, fingerprint: str) -> FakeBegin:
        """Claim the key, or tell of the run that has it."""
        self._check("begin")
        if (session_id, key) not in self.entries:
            self.entries[session_id, key] = (fingerprint, None)
            return FakeBegin("fresh")
        known, result = self.entries[session_id, key]
        if known != fingerprint:
            return FakeBegin("mismatch")
        return FakeBegin("in_progress") if result is None else FakeBegin("done", result)

    async def finish(self, session_id: SessionId | None, key: str, result: Json) -> None:
        """Store the result."""
        self._check("finish")
        fingerprint, _ = self.entries[session_id, key]
        self.entries[session_id, key] = (fingerprint, result)

    async def forget(self, session_id: SessionId | None, key: str) -> None:
        """Give the key back."""
        self._check("forget")
        del self.entries[session_id, key]

    def _check(self, method: str) -> None:
        if method in self.down:
            raise UpstreamError("session store unreachable")


class FakeId:
    """Counts: ``ESC-1``, ``ESC-2``."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, prefix: str) -> str:
        """The next one."""
        self._count += 1
        return f"{prefix}-{self._count}"


def services(
    *,
    documents: Documents | None = None,
    knowledge: KnowledgeBase | None = None,
    targets: Mapping[str, str] = QUEUES,
    clock: Clock | None = None,
    delivery: FakeDelivery | None = None,
) -> ToolServices:
    """The demonstration bank unless something else is given."""
    return ToolServices(
        documents=documents or bank(),
        knowledge=knowledge or EmbeddedKnowledge(),
        transfer_targets=targets,
        clock=clock or FakeClock(),
        limits=FakeLimits(),
        code_store=FakeCodeStore(),
        codes=Codes([b"k" * 32]),
        delivery=delivery or FakeDelivery(),
        new_id=FakeId(),
    )


def context(
    *,
    session_id: SessionId | None = SESSION,
    channel: Channel = "agent",
    facts: Mapping[str, object] | None = None,
    key: str = "key-1",
    using: ToolServices | None = None,
) -> ToolContext:
    """A call by the concierge in a session that knows *facts*."""
    return ToolContext(
        session_id=session_id,
        agent=AgentName("concierge") if channel == "agent" else None,
        channel=channel,
        memo=EphemeralFacts(dict(facts or {})),
        idempotency_key=key,
        services=using or services(),
    )


def emily(
    *,
    key: str = "key-1",
    using: ToolServices | None = None,
    channel: Channel = "agent",
    has_mfa: bool = False,
) -> ToolContext:
    """A call in a session that has verified Emily Rivera, perhaps with a second factor."""
    facts = {
        "client_id": EMILY,
        "caller_name": "Emily Rivera",
        "authenticated": True,
        "mfa_client_id": EMILY if has_mfa else None,
    }
    return context(facts=facts, key=key, using=using, channel=channel)


PARAMETERS: Json = {
    "type": "object",
    "properties": {
        "city": {"type": "string", "minLength": 1, "enum": ["Oslo", "Rome"]},
        "days": {"type": "integer", "minimum": 1, "default": 3},
        "limit": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        "is_loud": {"type": "boolean"},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "where": {"type": "object", "properties": {"floor": {"type": "integer"}}},
    },
    "required": ["city"],
}


def weather_schema(name: str = "weather", parameters: Json | None = None) -> Json:
    """A function object for the tool ``weather``."""
    return {"name": name, "description": "d", "parameters": parameters or PARAMETERS}


def registry_of(executor: Callable[..., object], **options: Any) -> ToolRegistry:
    """A registry with the one tool ``weather``."""
    registry = ToolRegistry()
    registry.register("weather", weather_schema(), executor, **options)
    return registry


async def echo(arguments: Json) -> Json:
    """Give back what came in."""
    return {"got": arguments}
