"""A stand-in for Azure Cosmos DB for NoSQL, for the real SDK."""

from simulator.cosmos.faults import Fault
from simulator.cosmos.seed import seed_containers, seed_records
from simulator.cosmos.server import EMULATOR_KEY, CosmosStandIn

__all__ = ["EMULATOR_KEY", "CosmosStandIn", "Fault", "seed_containers", "seed_records"]
