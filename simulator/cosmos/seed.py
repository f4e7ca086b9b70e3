"""Fills an account: the containers of the app, and what the demonstration bank knows."""

from pathlib import Path
from typing import Any

import yaml

from simulator.cosmos.errors import Json
from simulator.cosmos.store import Store

_UNTIL_DELETED = -1
"""Or until its own ``ttl``, which would not count if the container had none."""


def seed_containers(store: Store, layout: Path) -> str:
    """Create the database and the containers that are not there yet; returns the former's name."""
    plan = yaml.safe_load(layout.read_text(encoding="utf-8"))
    database = str(plan["database"])
    if database not in store.databases:
        store.create_database({"id": database})
    for name, options in plan["containers"].items():
        if (database, name) not in store.containers:
            store.create_container(database, _properties(name, plan["partition_key"], options))
    return database


def seed_records(store: Store, database: str, records: Path) -> int:
    """Store the records that are not there yet; returns how many that were.

    Args:
        store: Of the account.
        database: Whose containers exist.
        records: YAML: by container, a list of items with ``id`` and the partition field.
    """
    count = 0
    for name, items in yaml.safe_load(records.read_text(encoding="utf-8")).items():
        container = store.container(database, name)
        for item in items or ():
            draft = store.draft(container, container.partition_of(item))
            if container.find(draft.partition, item["id"], draft.now_s) is None:
                draft.create(item)
                store.keep(draft)
                count += 1
    return count


def _properties(name: str, partition_key: str, options: dict[str, Any]) -> Json:
    properties: Json = {
        "id": name,
        "partitionKey": {"paths": [partition_key], "kind": "Hash", "version": 2},
        "defaultTtl": options.get("ttl_s", _UNTIL_DELETED),
    }
    if vectors := options.get("vectors"):
        embedding = {"path": vectors["path"], "dimensions": vectors["dimensions"]}
        embedding |= {"dataType": "float32", "distanceFunction": "cosine"}
        properties["vectorEmbeddingPolicy"] = {"vectorEmbeddings": [embedding]}
        # Vectors are left out of the ordinary index, as the service advises.
        properties["indexingPolicy"] = {
            "excludedPaths": [{"path": '/"_etag"/?'}, {"path": f"{vectors['path']}/*"}],
            "vectorIndexes": [{"path": vectors["path"], "type": "diskANN"}],
        }
    return properties
