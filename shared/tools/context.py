"""What a tool is given besides its arguments, and what it may reach.

None of this can be supplied by the model: the conversation or the HTTP function builds it.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from shared.clock import Clock
from shared.knowledge.passages import Passage
from shared.records.documents import Documents
from shared.tools.codes import CodeDelivery, Codes, CodeStore, TryLimits
from shared.tools.failures import ToolRefusedError
from shared.tools.keys import fingerprint
from shared.types import AgentName, SessionId

Channel = Literal["agent", "http"]
"""Who calls: the model in a turn, or a client over HTTP."""

CLIENT_ID = "client_id"
CALLER_NAME = "caller_name"
CALLER_NUMBER = "caller_number"
AUTHENTICATED = "authenticated"
MFA_CLIENT_ID = "mfa_client_id"
"""Whose second factor was verified; of no use to anybody else."""

REFERENCE_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # no look-alikes: it is read aloud


class SessionFacts(Protocol):
    """What the session knows, one value per key; `MemoManager` is one."""

    def get_context(self, key: str, default: object = None, /) -> object:
        """The value of *key*, or *default*."""
        ...

    def set_context(self, key: str, value: object, /) -> object:
        """Remember a JSON value under *key*."""
        ...


class KnowledgeBase(Protocol):
    """Finds what the bank has written down."""

    @property
    def source(self) -> str:
        """Where results come from: ``mock`` for the embedded articles, ``cosmos_vector`` else."""
        ...

    async def search(self, query: str, *, collection: str, top_k: int) -> Sequence[Passage]:
        """The best passages for *query*, best first; empty if nothing matches.

        Raises:
            UpstreamError: The knowledge base cannot be reached. Never an empty answer instead.
        """
        ...


def new_reference(prefix: str) -> str:
    """A reference to read out to a caller, for example ``ESC-7K2M9QXA``; unique in practice."""
    return prefix + "-" + "".join(secrets.choice(REFERENCE_ALPHABET) for _ in range(8))


@dataclass(frozen=True, slots=True)
class ToolServices:
    """What tools may reach."""

    documents: Documents
    """The bank's records."""
    knowledge: KnowledgeBase
    transfer_targets: Mapping[str, str]
    """Queue name (lower case) to the phone number that answers it."""
    clock: Clock
    limits: TryLimits
    code_store: CodeStore
    codes: Codes
    delivery: CodeDelivery
    new_id: Callable[[str], str] = new_reference
    takes_voicemail: bool = False
    """Whether a message that a caller leaves can be made into text."""


@dataclass(slots=True)
class EphemeralFacts:
    """Facts of a call that belongs to no session; forgotten with it."""

    values: dict[str, object] = field(default_factory=dict)

    def get_context(self, key: str, default: object = None, /) -> object:
        """The value of *key*, or *default*."""
        return self.values.get(key, default)

    def set_context(self, key: str, value: object, /) -> None:
        """Remember *value* under *key*."""
        self.values[key] = value


@dataclass(frozen=True, slots=True)
class ToolContext:
    """Who calls a tool, on whose behalf, and what it may use."""

    session_id: SessionId | None
    agent: AgentName | None
    channel: Channel
    memo: SessionFacts
    idempotency_key: str
    """Names this call: a second one with the same key gets the first one's result."""
    services: ToolServices

    @property
    def client_id(self) -> str | None:
        """The customer this session has verified; None as long as nobody is."""
        client_id = self.memo.get_context(CLIENT_ID, None)
        is_verified = self.memo.get_context(AUTHENTICATED, False) is True
        return client_id if is_verified and isinstance(client_id, str) and client_id else None

    def own_client_id(self) -> str:
        """The verified customer's id, for an executor that serves nobody else.

        Raises:
            ToolRefusedError: Nobody is verified. Policy has refused this before; a caller who goes
                around it gets no further.
        """
        if (client_id := self.client_id) is None:
            raise ToolRefusedError("The caller is not identified yet.", missing="authentication")
        return client_id

    @property
    def is_mfa_verified(self) -> bool:
        """Whether the verified customer has also passed the second factor."""
        client_id = self.client_id
        return client_id is not None and self.memo.get_context(MFA_CLIENT_ID, None) == client_id

    @property
    def request(self) -> str:
        """Names what is asked for, in records: the same when the call is delivered again.

        A key belongs to its session, so it says nothing without it.
        """
        return fingerprint({"session": self.session_id, "key": self.idempotency_key})
