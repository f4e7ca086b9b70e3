"""The Cosmos DB stand-in answers the real SDK as the service would: containers, items, batches."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.cosmos import PartitionKey
from azure.cosmos.aio import ContainerProxy, CosmosClient
from azure.cosmos.exceptions import (
    CosmosAccessConditionFailedError,
    CosmosBatchOperationError,
    CosmosHttpResponseError,
    CosmosResourceExistsError,
    CosmosResourceNotFoundError,
)

from simulator.cosmos import CosmosStandIn
from tests.contract.cosmos_stage import DATABASE, connected_container, running_account

VECTORS = {
    "vectorEmbeddings": [
        {"path": "/v", "dataType": "float32", "distanceFunction": "cosine", "dimensions": 3}
    ]
}


class MovedClock:
    """The clock by which items expire."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def __call__(self) -> float:
        """The time."""
        return self.now_s


@pytest.fixture
async def account() -> AsyncIterator[CosmosStandIn]:
    """An account with the app's containers."""
    async with running_account() as account:
        yield account


@pytest.fixture
async def container(account: CosmosStandIn) -> AsyncIterator[ContainerProxy]:
    """One of the containers."""
    async with connected_container(account, "cases") as container:
        yield container


def item(name: str = "a", **fields: Any) -> dict[str, Any]:
    """An item of partition p."""
    return {"id": name, "partition": "p", **fields}


def plain(stored: Mapping[str, Any]) -> dict[str, Any]:
    """An item without what the service added."""
    return {key: value for key, value in stored.items() if not key.startswith("_")}


# --- databases and containers --------------------------------------------------------------------


async def test_database_and_containers_are_made_once(account: CosmosStandIn) -> None:
    """What scripts do at every deployment: create what is not there."""
    async with CosmosClient(account.endpoint, account.key) as client:
        for _ in range(2):
            database = await client.create_database_if_not_exists("bank")
            container = await database.create_container_if_not_exists(
                "c", PartitionKey("/pk"), default_ttl=60, vector_embedding_policy=VECTORS
            )
        with pytest.raises(CosmosResourceExistsError):
            await client.create_database("bank")
        with pytest.raises(CosmosResourceExistsError):
            await database.create_container("c", PartitionKey("/pk"))
        properties = await container.read()
        assert properties["defaultTtl"] == 60
        assert properties["vectorEmbeddingPolicy"] == VECTORS
        assert [each["id"] async for each in client.list_databases()] == [DATABASE, "bank"]
        assert [each["id"] async for each in database.list_containers()] == ["c"]
        await client.delete_database("bank")
        with pytest.raises(CosmosResourceNotFoundError):
            await container.read()


async def test_container_changes_its_ttl_and_keeps_its_items(account: CosmosStandIn) -> None:
    """A partition key is for ever, and so are the dimensions of vectors."""
    async with CosmosClient(account.endpoint, account.key) as client:
        database = client.get_database_client(DATABASE)
        container = database.get_container_client("cases")
        await container.create_item(item())
        key = PartitionKey("/partition")
        changed = await database.replace_container(container, key, default_ttl=5)
        assert (await changed.read())["defaultTtl"] == 5
        assert await changed.read_item("a", "p")
        with pytest.raises(CosmosHttpResponseError, match="partitionKey"):
            await database.replace_container(container, PartitionKey("/other"))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"default_ttl": 0}, "defaultTtl"),
        ({"partition_key": PartitionKey(["/a", "/b"], kind="MultiHash")}, "hierarchical"),
        ({"indexing_policy": {"vectorIndexes": [{"path": "/v", "type": "flat"}]}}, "embedding"),
        (
            {
                "vector_embedding_policy": {
                    "vectorEmbeddings": [{**VECTORS["vectorEmbeddings"][0], "dimensions": 600}]
                },
                "indexing_policy": {"vectorIndexes": [{"path": "/v", "type": "flat"}]},
            },
            "505",
        ),
        ({"vector_embedding_policy": {"vectorEmbeddings": [{"path": "/v"}]}}, "dimensions"),
    ],
)
async def test_container_that_the_service_would_not_make_is_refused(
    account: CosmosStandIn, options: dict[str, Any], text: str
) -> None:
    """What infrastructure gets wrong is found on this machine."""
    async with CosmosClient(account.endpoint, account.key) as client:
        database = client.get_database_client(DATABASE)
        with pytest.raises(CosmosHttpResponseError, match=text) as refusal:
            await database.create_container(
                **{"id": "new", "partition_key": PartitionKey("/pk"), **options}
            )
        assert refusal.value.status_code == 400


# --- items ---------------------------------------------------------------------------------------


async def test_item_has_the_fields_of_the_service(container: ContainerProxy) -> None:
    """An etag in body and header, and how much it cost."""
    stored = await container.create_item(item(n=1, text="Grüße 👋"))
    assert plain(stored) == item(n=1, text="Grüße 👋")
    assert {"_rid", "_self", "_etag", "_attachments", "_ts"} <= stored.keys()
    headers = stored.get_response_headers()
    assert headers["etag"] == stored["_etag"]
    assert float(headers["x-ms-request-charge"]) > 0
    assert headers["x-ms-session-token"].startswith("0:-1#")
    assert dict(await container.read_item("a", "p")) == dict(stored)


async def test_item_that_exists_or_lacks_is_told(container: ContainerProxy) -> None:
    """409 and 404, by the SDK's own classes."""
    await container.create_item(item())
    with pytest.raises(CosmosResourceExistsError):
        await container.create_item(item())
    for call in (
        container.read_item("b", "p"),
        container.read_item("a", "q"),
        container.replace_item("b", item("b")),
        container.delete_item("b", "p"),
        container.patch_item("b", "p", [{"op": "set", "path": "/n", "value": 1}]),
    ):
        with pytest.raises(CosmosResourceNotFoundError):
            await call


async def test_item_is_changed_by_the_version_that_was_read(container: ContainerProxy) -> None:
    """Replace, upsert, patch and delete alike are 412 for an older version."""
    first = await container.create_item(item(n=1))
    old: dict[str, Any] = {
        "etag": first["_etag"],
        "match_condition": MatchConditions.IfNotModified,
    }
    second = await container.replace_item("a", item(n=2), **old)
    assert second["_etag"] != first["_etag"]
    for call in (
        container.replace_item("a", item(n=3), **old),
        container.upsert_item(item(n=3), **old),
        container.patch_item("a", "p", [{"op": "set", "path": "/n", "value": 3}], **old),
        container.delete_item("a", "p", **old),
    ):
        with pytest.raises(CosmosAccessConditionFailedError):
            await call
    assert (await container.read_item("a", "p"))["n"] == 2
    await container.delete_item(
        "a", "p", etag=second["_etag"], match_condition=MatchConditions.IfNotModified
    )


async def test_upsert_may_be_told_to_only_create(container: ContainerProxy) -> None:
    """With `MatchConditions.IfMissing` what is there stays."""
    missing: dict[str, Any] = {"match_condition": MatchConditions.IfMissing}
    await container.upsert_item(item(n=1), **missing)
    with pytest.raises(CosmosResourceExistsError):
        await container.upsert_item(item(n=2), **missing)
    assert (await container.read_item("a", "p"))["n"] == 1


async def test_patch_changes_parts(container: ContainerProxy) -> None:
    """Every operation, in their order."""
    await container.create_item(item(n=1, tags=["a", "c"], old="x", deep={"k": 1}))
    patched = await container.patch_item(
        "a",
        "p",
        [
            {"op": "incr", "path": "/n", "value": 2},
            {"op": "incr", "path": "/fresh", "value": 5},
            {"op": "add", "path": "/tags/1", "value": "b"},
            {"op": "add", "path": "/tags/-", "value": "d"},
            {"op": "set", "path": "/deep/k", "value": 2},
            {"op": "move", "from": "/old", "path": "/new"},
            {"op": "replace", "path": "/tags/0", "value": "A"},
            {"op": "remove", "path": "/deep/k"},
        ],
    )
    assert plain(patched) == item(n=3, fresh=5, tags=["A", "b", "c", "d"], deep={}, new="x")


async def test_patch_may_have_a_condition(container: ContainerProxy) -> None:
    """The check and the change are one: nobody comes between."""
    await container.create_item(item(n=1))
    take = [{"op": "incr", "path": "/n", "value": -1}]
    await container.patch_item("a", "p", take, filter_predicate="FROM c WHERE c.n > 0")
    with pytest.raises(CosmosAccessConditionFailedError) as refusal:
        await container.patch_item("a", "p", take, filter_predicate="FROM c WHERE c.n > 0")
    assert refusal.value.sub_status == 1110


@pytest.mark.parametrize(
    "operations",
    [
        [],
        [{"op": "set", "path": "/n", "value": 1}] * 11,
        [{"op": "set", "path": "/id", "value": "b"}],
        [{"op": "set", "path": "/partition", "value": "q"}],
        [{"op": "set", "path": "/_etag", "value": "x"}],
        [{"op": "move", "from": "/id", "path": "/n"}],
        [{"op": "replace", "path": "/none", "value": 1}],
        [{"op": "remove", "path": "/none"}],
        [{"op": "incr", "path": "/text", "value": 1}],
        [{"op": "incr", "path": "/n", "value": "1"}],
        [{"op": "set", "path": "/none/deeper", "value": 1}],
        [{"op": "set", "path": "/tags/7", "value": 1}],
        [{"op": "rename", "path": "/n"}],
        [{"op": "set", "path": "n", "value": 1}],
    ],
)
async def test_patch_that_makes_no_sense_is_refused(
    container: ContainerProxy, operations: list[dict[str, Any]]
) -> None:
    """And nothing of it is done."""
    await container.create_item(item(n=1, text="x", tags=[]))
    with pytest.raises(CosmosHttpResponseError) as refusal:
        await container.patch_item("a", "p", operations)
    assert refusal.value.status_code == 400
    assert plain(await container.read_item("a", "p")) == item(n=1, text="x", tags=[])


@pytest.mark.parametrize(
    "body",
    [
        {"id": "", "partition": "p"},
        {"id": "x" * 256, "partition": "p"},
        {"id": "a", "partition": "p", "ttl": 0},
        {"id": "a", "partition": "p", "ttl": "60"},
        {"id": "a", "partition": {"x": 1}},
    ],
)
async def test_item_that_the_service_would_not_keep_is_refused(
    container: ContainerProxy, body: dict[str, Any]
) -> None:
    """400, and not a surprise in Azure."""
    with pytest.raises(CosmosHttpResponseError) as refusal:
        await container.create_item(body)
    assert refusal.value.status_code == 400


async def test_partitions_differ_by_type(container: ContainerProxy) -> None:
    """The text 1, the number 1, true, null and nothing are five partitions."""
    keys: list[Any] = ["1", 1, True, None]
    for key in keys:
        await container.create_item({"id": "a", "partition": key, "of": repr(key)})
    await container.create_item({"id": "a", "of": "nothing"})
    for key in keys:
        assert (await container.read_item("a", key))["of"] == repr(key)
    rows = container.query_items("SELECT c.of FROM c", partition_key=1)
    assert [dict(row) async for row in rows] == [{"of": "1"}]


# --- batches -------------------------------------------------------------------------------------


async def test_batch_does_everything(container: ContainerProxy) -> None:
    """All kinds of operations; each sees what those before it did."""
    stored = await container.create_item(item(n=1))
    results = await container.execute_item_batch(
        [
            ("create", (item("b"),)),
            ("upsert", (item("c"),)),
            ("replace", ("a", item(n=2)), {"if_match_etag": stored["_etag"]}),
            ("patch", ("b", [{"op": "add", "path": "/x", "value": 1}])),
            ("read", ("b",)),
            ("delete", ("c",)),
        ],
        "p",
    )
    assert [each["statusCode"] for each in results] == [201, 200, 200, 200, 200, 204]
    assert results[4]["resourceBody"]["x"] == 1
    found = [plain(each) async for each in container.read_all_items()]
    assert found == [item(n=2), item("b", x=1)]


@pytest.mark.parametrize(
    ("last", "status"),
    [
        (("create", (item(),)), 409),
        (("replace", ("none", item("none"))), 404),
        (("replace", ("a", item()), {"if_match_etag": '"old"'}), 412),
        (("delete", ("none",)), 404),
        (("create", ({"id": "q", "partition": "q"},)), 400),
        (("patch", ("a", [{"op": "remove", "path": "/none"}])), 400),
    ],
)
async def test_batch_does_nothing_if_one_operation_fails(
    container: ContainerProxy, last: Any, status: int
) -> None:
    """The one that failed has its status, the others 424."""
    await container.create_item(item(n=1))
    with pytest.raises(CosmosBatchOperationError) as failure:
        await container.execute_item_batch(
            [("create", (item("b"),)), ("delete", ("a",)), ("upsert", (item(),)), last], "p"
        )
    assert failure.value.error_index == 3
    assert [each["statusCode"] for each in failure.value.operation_responses] == [424] * 3 + [
        status
    ]
    assert [plain(each) async for each in container.read_all_items()] == [item(n=1)]


async def test_batch_has_a_hundred_operations_at_most(container: ContainerProxy) -> None:
    """As the service has it."""
    creates: list[Any] = [("create", (item(str(n)),)) for n in range(101)]
    with pytest.raises(CosmosHttpResponseError) as refusal:
        await container.execute_item_batch(creates, "p")
    assert refusal.value.status_code == 400
    assert len(await container.execute_item_batch(creates[:100], "p")) == 100


# --- time and restarts ---------------------------------------------------------------------------


async def test_items_expire() -> None:
    """By the container's time or their own; then they are gone for every operation."""
    clock = MovedClock()
    async with (
        running_account(now=clock) as moved,
        CosmosClient(moved.endpoint, moved.key) as client,
    ):
        database = client.get_database_client(DATABASE)
        container = await database.create_container("t", PartitionKey("/partition"), default_ttl=10)
        await container.create_item(item("default"))
        await container.create_item(item("short", ttl=5))
        await container.create_item(item("kept", ttl=-1))
        lasting = await database.create_container("no ttl", PartitionKey("/partition"))
        await lasting.create_item(item("for ever", ttl=5))
        clock.now_s += 5
        assert [each["id"] async for each in container.read_all_items()] == ["default", "kept"]
        await container.upsert_item(item("default"))
        clock.now_s += 9
        assert await container.read_item("default", "p")
        clock.now_s += 1
        with pytest.raises(CosmosResourceNotFoundError):
            await container.read_item("default", "p")
        await container.create_item(item("default"))
        assert await lasting.read_item("for ever", "p")


async def test_everything_is_there_after_a_restart(tmp_path: Path) -> None:
    """One file holds databases, containers, items and their versions."""
    file = tmp_path / "cosmos.sqlite"
    async with (
        running_account(file=file) as account,
        connected_container(account, "cases") as container,
    ):
        stored = await container.create_item(item(n=1))
        await container.create_item(item("gone"))
        await container.delete_item("gone", "p")
    async with (
        running_account(file=file) as account,
        connected_container(account, "cases") as container,
    ):
        assert [dict(each) async for each in container.read_all_items()] == [dict(stored)]
        await container.replace_item(
            "a", item(n=2), etag=stored["_etag"], match_condition=MatchConditions.IfNotModified
        )
        await container.create_item(item("new"))
        assert [each["id"] async for each in container.read_all_items()] == ["a", "new"]
