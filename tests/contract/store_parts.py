"""What the tests of the session store share."""

from shared.clock import SystemClock
from shared.redis.manager import AzureRedisManager
from shared.state.history import ThreadLimits
from shared.state.store import SessionStore
from shared.types import AgentName, CommandId, EventId

AGENT = AgentName("concierge")
SPEAK, TURN = CommandId("speak-1"), CommandId("turn-1")
E1, E2 = EventId("e1"), EventId("e2")


def store_of(
    redis: AzureRedisManager,
    name: str = "one",
    *,
    lease_s: float = 20.0,
    limits: ThreadLimits | None = None,
) -> SessionStore:
    """A store of an instance called *name*."""
    return SessionStore(
        redis, instance_id=name, lease_s=lease_s, ttl_s=1000, clock=SystemClock(), limits=limits
    )
