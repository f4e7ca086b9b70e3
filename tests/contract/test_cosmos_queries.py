"""Queries of the Cosmos DB stand-in through the real SDK: rows, pages, vectors, refusals."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.cosmos.aio import ContainerProxy
from azure.cosmos.exceptions import CosmosHttpResponseError

from simulator.cosmos import CosmosStandIn
from tests.contract.cosmos_stage import connected_container, running_account

PARTS = 384
NEAREST = (
    "SELECT TOP @k c.id, VectorDistance(c.embedding, @v) AS score FROM c"
    " ORDER BY VectorDistance(c.embedding, @v)"
)


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


@pytest.fixture
async def passages(account: CosmosStandIn) -> AsyncIterator[ContainerProxy]:
    """The container that has vectors."""
    async with connected_container(account, "knowledge") as container:
        yield container


async def rows(container: ContainerProxy, query: str, **options: Any) -> list[Any]:
    """Every row; parameters by name."""
    named = options.pop("named", {})
    parameters: list[Any] = [{"name": f"@{key}", "value": each} for key, each in named.items()]
    found = container.query_items(query, parameters=parameters, **options)
    return [row async for row in found]


async def filled(container: ContainerProxy, count: int) -> None:
    """Items 0 … of partition p, each with a twin in partition q."""
    for number in range(count):
        for partition in ("p", "q"):
            body = {"id": f"{number}", "partition": partition, "n": number, "even": not number % 2}
            await container.create_item(body)


def vector(*parts: float) -> list[float]:
    """A vector of the container's dimensions that begins so."""
    return [*parts, *[0.0] * (PARTS - len(parts))]


async def test_query_sees_one_partition(container: ContainerProxy) -> None:
    """Whatever its condition says: the partition is part of the request, not of the text."""
    await filled(container, 3)
    for query in ("SELECT * FROM c", "SELECT * FROM c WHERE c.n >= 0"):
        found = await rows(container, query, partition_key="p")
        assert [row["partition"] for row in found] == ["p"] * 3
    query = "SELECT * FROM c WHERE c.partition = 'q'"
    assert await rows(container, query, partition_key="p") == []


async def test_query_without_a_partition_sees_all(container: ContainerProxy) -> None:
    """Simple ones need no plan of the SDK's."""
    await filled(container, 2)
    found = await rows(container, "SELECT c.id, c.partition FROM c WHERE c.n = @n", named={"n": 1})
    assert {row["partition"] for row in found} == {"p", "q"}


@pytest.mark.parametrize(
    "query",
    [
        "SELECT TOP 1 * FROM c",
        "SELECT * FROM c ORDER BY c.n",
        "SELECT VALUE COUNT(1) FROM c",
        "SELECT * FROM c OFFSET 0 LIMIT 1",
    ],
)
async def test_query_that_partitions_must_be_merged_for_is_refused(
    container: ContainerProxy, query: str
) -> None:
    """The service leaves that to the SDK; the stand-in says that it does not take part."""
    with pytest.raises(CosmosHttpResponseError, match="several partitions"):
        await rows(container, query)
    assert len(await rows(container, query, partition_key="p")) <= 1


async def test_query_orders_and_cuts(container: ContainerProxy) -> None:
    """As the port of the app asks."""
    await filled(container, 5)
    query = 'SELECT TOP @k * FROM c WHERE c["even"] = @even ORDER BY c["n"] DESC'
    named = {"k": 2, "even": True}
    found = await rows(container, query, partition_key="p", named=named)
    assert [row["n"] for row in found] == [4, 2]
    counted = await rows(container, "SELECT VALUE COUNT(1) FROM c", partition_key="p")
    assert counted == [5]
    page = await rows(container, "SELECT VALUE c.n FROM c OFFSET 1 LIMIT 2", partition_key="p")
    assert page == [1, 2]


@pytest.mark.parametrize("order", ["", " ORDER BY c.n DESC"])
async def test_query_comes_in_pages(
    account: CosmosStandIn, container: ContainerProxy, order: str
) -> None:
    """As large as they were asked for, each with a token for the next."""
    await filled(container, 5)
    before = len(account.exchanges)
    query = f"SELECT TOP 4 VALUE c.n FROM c{order}"
    found = await rows(container, query, partition_key="p", max_item_count=2)
    assert found == ([4, 3, 2, 1] if order else [0, 1, 2, 3])
    assert len(account.exchanges) - before == 2


async def test_pages_miss_nothing_when_items_are_deleted_between_them(
    container: ContainerProxy,
) -> None:
    """What cleans up does just that: it deletes what the last page showed."""
    await filled(container, 6)
    pages = container.query_items("SELECT * FROM c", partition_key="p", max_item_count=2).by_page()
    seen = []
    async for page in pages:
        async for each in page:
            seen.append(each["n"])
            await container.delete_item(each["id"], "p")
    assert seen == [0, 1, 2, 3, 4, 5]


async def test_page_token_is_of_its_query(container: ContainerProxy) -> None:
    """Another query's token, or a made-up one, is refused."""
    await filled(container, 3)
    first = container.query_items("SELECT * FROM c", partition_key="p", max_item_count=1).by_page()
    async for _ in await anext(first):
        pass
    token = first.continuation_token  # type: ignore[attr-defined]
    for made_up in (token, "x", "e30="):
        other = container.query_items("SELECT c.id FROM c", partition_key="p", max_item_count=1)
        with pytest.raises(CosmosHttpResponseError, match="Continuation"):
            await anext(other.by_page(made_up))


async def test_many_items_are_read_at_once(container: ContainerProxy) -> None:
    """The SDK asks for the ranges of partitions and makes one query of it."""
    await filled(container, 3)
    found = await container.read_items([("0", "p"), ("2", "q"), ("9", "p")])
    assert [(each["id"], each["partition"]) for each in found] == [("0", "p"), ("2", "q")]


# --- vectors -------------------------------------------------------------------------------------


async def test_nearest_vectors_come_first(passages: ContainerProxy) -> None:
    """By cosine, whatever their length; of one partition; what has no vector is left out."""
    for name, partition, *parts in (
        ("same", "policies", 2.0, 0.0),
        ("near", "policies", 1.0, 0.5),
        ("far", "policies", 0.0, 1.0),
        ("opposite", "policies", -1.0, 0.0),
        ("elsewhere", "faq", 1.0, 0.0),
    ):
        body = {"id": name, "partition": partition, "embedding": vector(*parts)}
        await passages.create_item(body)
    await passages.create_item({"id": "none", "partition": "policies"})
    named: dict[str, Any] = {"k": 3, "v": vector(1.0)}
    found = await rows(passages, NEAREST, partition_key="policies", named=named)
    assert [row["id"] for row in found] == ["same", "near", "far"]
    assert [row["score"] for row in found] == pytest.approx([1.0, 0.894427, 0.0], abs=1e-6)
    every = await rows(passages, NEAREST, partition_key="policies", named={**named, "k": 9})
    assert [row["id"] for row in every] == ["same", "near", "far", "opposite"]


async def test_vector_search_may_have_a_condition(passages: ContainerProxy) -> None:
    """It is met before the nearest are chosen, so that none is missed."""
    for number in range(5):
        body = {"id": str(number), "partition": "faq", "embedding": vector(1.0, number)}
        await passages.create_item({**body, "kind": "old" if number < 3 else "new"})
    query = NEAREST.replace(" ORDER", " WHERE c.kind = @kind ORDER")
    named = {"k": 2, "v": vector(1.0), "kind": "new"}
    assert [r["id"] for r in await rows(passages, query, partition_key="faq", named=named)] == [
        "3",
        "4",
    ]


@pytest.mark.parametrize(
    ("query", "named", "text"),
    [
        (NEAREST.replace("TOP @k ", ""), {}, "TOP"),
        (NEAREST + " DESC", {"k": 1}, "direction"),
        (NEAREST, {"k": 1, "v": [1.0]}, "384 dimensions"),
        (NEAREST.replace("c.embedding", "c.other"), {"k": 1}, "embedding policy"),
        (NEAREST.replace("(c.embedding, @v)", "(c.embedding)"), {"k": 1}, "argument"),
    ],
)
async def test_vector_search_that_cannot_be_meant_is_refused(
    passages: ContainerProxy, query: str, named: dict[str, Any], text: str
) -> None:
    """Rather than an order that means nothing."""
    with pytest.raises(CosmosHttpResponseError, match=text):
        await rows(passages, query, partition_key="p", named={"v": vector(1.0), **named})


@pytest.mark.parametrize("wrong", [[1.0], "text", [*vector(1.0)[:-1], None], [*vector(1.0), 1.0]])
async def test_vector_of_other_dimensions_is_refused(
    passages: ContainerProxy, wrong: object
) -> None:
    """Another embedding model is noticed when it writes, not when nobody finds anything."""
    with pytest.raises(CosmosHttpResponseError, match="384 numbers"):
        await passages.create_item({"id": "a", "partition": "p", "embedding": wrong})


# --- refusals ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SELECT * FROM c WHERE", "SC1010"),
        ("SELECT * FROM c WHERE c.n == 1", "SC1001"),
        ("SELECT * FROM c WHERE c.order = 1", "near 'order'"),
        ("SELECT * FROM c WHERE c.n = #", "SC1012"),
        ("SELECT d.n FROM c", "Identifier 'd' could not be resolved"),
        ("SELECT NOSUCH(c.n) FROM c", "'NOSUCH' is not a recognized built-in function name"),
        ("SELECT LOWER(c.n, 1) FROM c", "SC2050"),
        ("SELECT * FROM c WHERE c.n = @missing", "@missing"),
        ("SELECT c.n, c.n FROM c", "SC2011"),
        ("SELECT TOP -1 * FROM c", "SC1001"),
        ("SELECT TOP 'a' * FROM c", "SC1001"),
        ("SELECT * FROM c ORDER BY c.n + 1", "SC2206"),
        ("SELECT * FROM c ORDER BY c", "SC2206"),
        ("SELECT * FROM c ORDER BY c.n, c.id", "composite index"),
        ("SELECT * FROM c ORDER BY c._etag", "excluded"),
        ("SELECT COUNT(1) AS n FROM c", "VALUE"),
        ("SELECT * FROM c JOIN t IN c.tags", "JOIN"),
        ("SELECT DISTINCT c.n FROM c", "DISTINCT"),
        ("SELECT * FROM c WHERE c.n LIKE 'a%'", "LIKE"),
        ("SELECT c.n FROM c GROUP BY c.n", "GROUP"),
    ],
)
async def test_query_that_cannot_be_run_is_refused_by_name(
    container: ContainerProxy, query: str, text: str
) -> None:
    """400 that says what was wrong: in a test, and not in Azure."""
    with pytest.raises(CosmosHttpResponseError, match=text) as refusal:
        await rows(container, query, partition_key="p")
    assert refusal.value.status_code == 400
