"""Event Grid on 127.0.0.1: subscriptions with a handshake, delivery at least once, dead letters."""

from simulator.event_grid.delivery import Attempt
from simulator.event_grid.subscriptions import HandshakeError, Subscription
from simulator.event_grid.topic import Chaos, EventGrid

__all__ = ["Attempt", "Chaos", "EventGrid", "HandshakeError", "Subscription"]
