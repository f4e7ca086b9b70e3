"""What is kept: everything in memory for reading, and in one SQLite file for the next start."""

import json
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from simulator.cosmos.containers import Container, Item, check_name, resource_id
from simulator.cosmos.draft import Draft
from simulator.cosmos.errors import CosmosError, Json, not_found

_TABLES = """
PRAGMA locking_mode = EXCLUSIVE; -- two processes would not see each other's changes
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS databases (id TEXT PRIMARY KEY, properties TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS containers (
    database TEXT NOT NULL, id TEXT NOT NULL, properties TEXT NOT NULL,
    PRIMARY KEY (database, id)
);
CREATE TABLE IF NOT EXISTS items (
    database TEXT NOT NULL, container TEXT NOT NULL, partition TEXT NOT NULL, id TEXT NOT NULL,
    number INTEGER NOT NULL, etag TEXT NOT NULL, stored_at_s REAL NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (database, container, partition, id)
);
"""

_NO_OWNER = 1003


class Store:
    """The databases of an account. For one thread."""

    def __init__(self, path: Path | None, now: Callable[[], float] = time.time) -> None:
        """Open the file, or make it.

        Args:
            path: Where to keep everything; None keeps it in memory only.
            now: The wall clock, in seconds since 1970; items expire by it.

        Raises:
            sqlite3.OperationalError: Another process has it open.
        """
        self.now = now
        self.databases: dict[str, Json] = {}
        self.containers: dict[tuple[str, str], Container] = {}
        self._file = sqlite3.connect(path or ":memory:", isolation_level=None, timeout=0)
        self._file.executescript(_TABLES)
        self._load()

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def create_database(self, body: Json) -> Json:
        """A new database; returns its properties."""
        name = check_name(body.get("id"))
        if name in self.databases:
            raise CosmosError(409, "Resource with specified id or name already exists.")
        rid = resource_id(4)
        properties = {"id": name, **self._system(rid, f"dbs/{rid}/")}
        properties |= {"_colls": "colls/", "_users": "users/"}
        self._file.execute("INSERT INTO databases VALUES (?, ?)", (name, json.dumps(properties)))
        self.databases[name] = properties
        return properties

    def database(self, name: str) -> Json:
        """The properties of a database."""
        if name not in self.databases:
            raise not_found("id or name")
        return self.databases[name]

    def delete_database(self, name: str) -> None:
        """Delete a database and all that is in it."""
        self.database(name)
        for database, container in list(self.containers):
            if database == name:
                self.delete_container(database, container)
        self._file.execute("DELETE FROM databases WHERE id = ?", (name,))
        del self.databases[name]

    def create_container(self, database: str, body: Json) -> Container:
        """A new container."""
        self._owner(database)
        rid = resource_id(8)
        link = f"{self.databases[database]['_self']}colls/{rid}/"
        links = {"_docs": "docs/", "_sprocs": "sprocs/", "_triggers": "triggers/"}
        container = Container.build(database, {**body, **self._system(rid, link), **links})
        if (database, container.id) in self.containers:
            raise CosmosError(409, "Resource with specified id or name already exists.")
        self._keep(container)
        return container

    def container(self, database: str, name: str, *, is_owner: bool = False) -> Container:
        """A container; as the owner of an item that is asked for, its lack is told otherwise."""
        self._owner(database)
        container = self.containers.get((database, name))
        if container is None:
            if is_owner:
                raise CosmosError(404, "Owner resource does not exist", substatus=_NO_OWNER)
            raise not_found("id or name")
        return container

    def replace_container(self, database: str, name: str, body: Json) -> Container:
        """Change what may be changed of a container: its TTL and its indexing."""
        before = self.container(database, name)
        for fixed in ("id", "partitionKey", "vectorEmbeddingPolicy"):
            if body.get(fixed) != before.properties.get(fixed):
                raise CosmosError(400, f"The {fixed} of a container cannot be changed.")
        kept = {key: value for key, value in before.properties.items() if key.startswith("_")}
        after = Container.build(database, {**body, **kept})
        after.partitions, after.last_number = before.partitions, before.last_number
        after.writes_total = before.writes_total
        self._keep(after)
        return after

    def delete_container(self, database: str, name: str) -> None:
        """Delete a container and its items."""
        self.container(database, name)
        for table, column in (("containers", "id"), ("items", "container")):
            self._file.execute(
                f"DELETE FROM {table} WHERE database = ? AND {column} = ?",
                (database, name),
            )
        del self.containers[database, name]

    def draft(self, container: Container, partition: str) -> Draft:
        """The beginning of a change."""
        return Draft(container, partition, self.now())

    def keep(self, draft: Draft) -> None:
        """Make a draft true: in the file first, all of it or nothing."""
        container = draft.container
        place = (container.database, container.id, draft.partition)
        with self._file:
            self._file.execute("BEGIN")
            for name, item in draft.changed.items():
                self._file.execute(
                    "DELETE FROM items"
                    " WHERE database = ? AND container = ? AND partition = ? AND id = ?",
                    (*place, name),
                )
                if item is not None:
                    row = (item.number, item.etag, item.stored_at_s, json.dumps(item.body))
                    self._file.execute(
                        "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*place, name, *row)
                    )
        for name, item in draft.changed.items():
            container.writes_total += 1
            if item is None:
                container.remove(draft.partition, name)
            else:
                container.put(item)

    def _owner(self, database: str) -> None:
        if database not in self.databases:
            raise CosmosError(404, "Owner resource does not exist", substatus=_NO_OWNER)

    def _system(self, rid: str, link: str) -> Json:
        return {
            "_rid": rid,
            "_self": link,
            "_etag": f'"{resource_id(12)}"',
            "_ts": int(self.now()),
        }

    def _keep(self, container: Container) -> None:
        row = (container.database, container.id, json.dumps(container.properties))
        self._file.execute("INSERT OR REPLACE INTO containers VALUES (?, ?, ?)", row)
        self.containers[container.database, container.id] = container

    def _load(self) -> None:
        for name, properties in self._file.execute("SELECT id, properties FROM databases"):
            self.databases[name] = json.loads(properties)
        for database, name, properties in self._file.execute(
            "SELECT database, id, properties FROM containers"
        ):
            container = Container.build(database, json.loads(properties))
            self.containers[database, name] = container
        rows = self._file.execute(
            "SELECT database, container, partition, id, number, etag, stored_at_s, body FROM items"
        )
        for database, name, partition, item_id, number, etag, stored_at_s, body in rows:
            self.containers[database, name].put(
                Item(item_id, partition, number, etag, stored_at_s, json.loads(body))
            )
