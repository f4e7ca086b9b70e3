"""The containers of the database: one list for the app, its infrastructure and its stand-in."""

from dataclasses import dataclass

PARTITION_FIELD = "partition"
"""The field that every container is partitioned by, so that one client serves them all."""

_ARCHIVE_S = 90 * 24 * 3600


@dataclass(frozen=True, slots=True)
class Container:
    """One container.

    ``ttl_s`` is how long a document stays that does not say it itself; None: until it is deleted.
    """

    name: str
    partitioned_by: str
    """What the partition field holds."""
    ttl_s: int | None = None


CUSTOMERS = Container("customers", "client id")
ACCOUNTS = Container("accounts", "client id")
TRANSACTIONS = Container("transactions", "client id")
CARDS = Container("cards", "client id; ``products`` for the cards that are on offer")
APPLICATIONS = Container("applications", "client id")
CASES = Container("cases", "client id")
CALLBACKS = Container("callbacks", "client id, or the callback's own id for a stranger")
CALLS = Container("calls", "session id", ttl_s=_ARCHIVE_S)
KNOWLEDGE = Container("knowledge", "collection")

CONTAINERS = (
    CUSTOMERS,
    ACCOUNTS,
    TRANSACTIONS,
    CARDS,
    APPLICATIONS,
    CASES,
    CALLBACKS,
    CALLS,
    KNOWLEDGE,
)
