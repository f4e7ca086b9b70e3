"""What every database of documents promises: the fake and the real client alike."""

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from shared.errors import ConflictError, NotFoundError, UpstreamError
from shared.records.documents import Document, Documents, Scalar
from shared.types import Json
from tests.contract.cosmos_stage import (
    connected_documents,
    emulated_documents,
    running_account,
)
from tests.unit.document_fakes import FakeDocuments


def customer(name: str = "c-1", partition: str = "p-1", **body: Any) -> Document:
    """A document of the container that these tests use."""
    return Document("customers", partition, name, body)


def ids(documents: list[Document]) -> list[str]:
    """Their ids, in their order."""
    return [each.id for each in documents]


EMULATOR = os.environ.get("COSMOS_EMULATOR_ENDPOINT")  # noqa: TID251 - not a setting of the app
"""Another emulator on this machine, for example Microsoft's; it is tried where one is named."""


@pytest.fixture(params=["fake", "cosmos", *(["emulator"] if EMULATOR else [])])
async def documents(request: pytest.FixtureRequest) -> AsyncIterator[Documents]:
    """The database under test, empty."""
    if request.param == "fake":
        yield FakeDocuments()
        return
    if request.param == "emulator":
        async with emulated_documents(EMULATOR or "") as connected:
            yield connected
        return
    async with running_account() as account, connected_documents(account) as connected:
        yield connected


async def test_created_document_is_read_as_it_was(documents: Documents) -> None:
    """The body comes back without the service's own fields, and with a version."""
    body: Json = {"full_name": "Ada", "tags": ["a", {"b": None}], "balance": 12.5, "open": True}
    created = await documents.create(customer(**body))
    read = await documents.read("customers", "p-1", "c-1")
    assert read is not None
    assert (read, read.body) == (created, body)
    assert read.etag


async def test_missing_document_reads_as_none(documents: Documents) -> None:
    """Nothing there is an answer, unlike a database that is down."""
    await documents.create(customer())
    assert await documents.read("customers", "p-1", "other") is None
    assert await documents.read("customers", "p-2", "c-1") is None


async def test_create_refuses_an_id_that_exists(documents: Documents) -> None:
    """Idempotency keys as ids work only if the second create fails."""
    await documents.create(customer(n=1))
    with pytest.raises(ConflictError):
        await documents.create(customer(n=2))
    read = await documents.read("customers", "p-1", "c-1")
    assert read is not None
    assert read.body == {"n": 1}


async def test_ids_are_unique_in_their_partition_only(documents: Documents) -> None:
    """Two customers may both have an application called 1."""
    await documents.create(customer(partition="p-1", n=1))
    await documents.create(customer(partition="p-2", n=2))
    read = await documents.read("customers", "p-2", "c-1")
    assert read is not None
    assert read.body == {"n": 2}


async def test_upsert_stores_whatever_was_there(documents: Documents) -> None:
    """Loading the same data again changes nothing but the version."""
    first = await documents.upsert(customer(n=1))
    second = await documents.upsert(customer(n=2))
    assert (first.body, second.body) == ({"n": 1}, {"n": 2})
    assert first.etag != second.etag


async def test_replace_needs_the_version_that_was_read(documents: Documents) -> None:
    """Of two who read the same version, one wins and the other is told."""
    read = await documents.create(customer(n=1))
    won = await documents.replace(replace(read, body={"n": 2}))
    with pytest.raises(ConflictError):
        await documents.replace(replace(read, body={"n": 3}))
    assert await documents.read("customers", "p-1", "c-1") == won


async def test_racing_replacements_have_one_winner(documents: Documents) -> None:
    """Ten at once: one change is made, nine are refused."""
    read = await documents.create(customer(n=0))
    tries = [documents.replace(replace(read, body={"n": n})) for n in range(1, 11)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, ConflictError) for each in results) == 9
    assert sum(isinstance(each, Document) for each in results) == 1


async def test_racing_creates_have_one_winner(documents: Documents) -> None:
    """An id is taken once, however many try in the same moment."""
    tries = [documents.create(customer(n=n)) for n in range(10)]
    results = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, Document) for each in results) == 1
    assert sum(isinstance(each, ConflictError) for each in results) == 9


async def test_replace_of_a_missing_document_fails(documents: Documents) -> None:
    """It must not be made again by who only meant to change it."""
    with pytest.raises(NotFoundError):
        await documents.replace(replace(customer(), etag='"some"'))
    with pytest.raises(ValueError, match="etag"):
        await documents.replace(customer())


async def test_select_gives_one_partition_only(documents: Documents) -> None:
    """Another customer's documents never appear, whatever the filter."""
    for partition in ("p-1", "p-2"):
        await documents.create(customer(partition=partition, kind="x"))
    found = await documents.select("customers", "p-1", where={"kind": "x"})
    assert [each.partition for each in found] == ["p-1"]
    assert await documents.select("customers", "p-3") == []


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", ["text"]), (1, ["number"]), (True, ["truth"]), (None, ["null"]), ("2", [])],
)
async def test_select_compares_types_too(
    documents: Documents, value: Scalar, expected: list[str]
) -> None:
    """The number 1, the text 1 and true are three things, and null is not missing."""
    stored = {"text": "1", "number": 1, "truth": True, "null": None}
    for name, each in stored.items():
        await documents.create(customer(name, field=each))
    await documents.create(customer("missing"))
    assert ids(await documents.select("customers", "p-1", where={"field": value})) == expected


async def test_select_wants_every_field(documents: Documents) -> None:
    """Conditions are joined with and; the id is a field too."""
    await documents.create(customer("a", kind="x", open=True))
    await documents.create(customer("b", kind="x", open=False))
    both: dict[str, Scalar] = {"kind": "x", "open": False}
    assert ids(await documents.select("customers", "p-1", where=both)) == ["b"]
    assert ids(await documents.select("customers", "p-1", where={"id": "a"})) == ["a"]


async def test_select_sorts_the_largest_first(documents: Documents) -> None:
    """Newest first, cut after sorting; what has no date comes last, if at all."""
    for day in (3, 1, 5, 2, 4):
        await documents.create(customer(f"d-{day}", on=f"2026-01-0{day}"))
    await documents.create(customer("never"))
    newest = await documents.select("customers", "p-1", newest_first_by="on", limit=3)
    assert ids(newest) == ["d-5", "d-4", "d-3"]
    every = await documents.select("customers", "p-1", newest_first_by="on")
    assert [each for each in ids(every) if each != "never"][-1] == "d-1"
    assert "never" not in ids(every)[:-1]


async def test_find_looks_into_every_partition(documents: Documents) -> None:
    """A customer is found by name before their id is known."""
    for number in range(5):
        await documents.create(customer(f"c-{number}", f"p-{number}", full_name="Ada"))
    await documents.create(customer("c-9", "p-9", full_name="Bob"))
    found = await documents.find("customers", where={"full_name": "Ada"})
    assert sorted(ids(found)) == [f"c-{number}" for number in range(5)]
    assert len(await documents.find("customers", where={"full_name": "Ada"}, limit=2)) == 2
    assert await documents.find("customers", where={"full_name": "Eve"}) == []


async def test_field_names_are_plain(documents: Documents) -> None:
    """A name is part of the query's text: nothing may be smuggled in through it."""
    for name in ("a b", "a = 1 OR c.b", "", "c.a", "a]"):
        with pytest.raises(ValueError, match="field name"):
            await documents.select("customers", "p-1", where={name: 1})
        with pytest.raises(ValueError, match="field name"):
            await documents.find("customers", where={name: 1})
    with pytest.raises(ValueError, match="field name"):
        await documents.select("customers", "p-1", newest_first_by="a DESC")


async def test_values_are_never_part_of_the_query(documents: Documents) -> None:
    """Quotes and keywords in a value are a value."""
    name = "O'Brien\" OR 1=1 --"
    await documents.create(customer(full_name=name))
    await documents.create(customer("c-2", full_name="Ada"))
    assert ids(await documents.select("customers", "p-1", where={"full_name": name})) == ["c-1"]


async def test_documents_written_together_are_all_there(documents: Documents) -> None:
    """A refund and the account it changes belong together."""
    account = await documents.create(customer("account", balance=1))
    changed = replace(account, body={"balance": 2})
    await documents.write_together("customers", "p-1", [customer("refund", n=1)], [changed])
    read = await documents.read("customers", "p-1", "account")
    assert read is not None
    assert read.body == {"balance": 2}
    assert read.etag != account.etag
    assert await documents.read("customers", "p-1", "refund") is not None


async def test_documents_written_together_fail_together(documents: Documents) -> None:
    """One conflict, and none of them is written."""
    account = await documents.create(customer("account", balance=1))
    changed = replace(account, body={"balance": 2})
    taken = [customer("new"), customer("account")]
    with pytest.raises(ConflictError):
        await documents.write_together("customers", "p-1", taken)
    stale = replace(changed, etag='"stale"')
    with pytest.raises(ConflictError):
        await documents.write_together("customers", "p-1", [customer("new")], [stale])
    gone = replace(changed, id="gone")
    with pytest.raises(NotFoundError):
        await documents.write_together("customers", "p-1", [customer("new")], [gone])
    assert await documents.select("customers", "p-1") == [account]


async def test_documents_written_together_are_of_one_partition(documents: Documents) -> None:
    """The service cannot do more, so that nothing else may be asked for."""
    for creates in ([], [customer(partition="p-2")], [customer(f"c-{n}") for n in range(101)]):
        with pytest.raises(ValueError, match="transaction"):
            await documents.write_together("customers", "p-1", creates)
    with pytest.raises(ValueError, match="etag"):
        await documents.write_together("customers", "p-1", [], [customer()])
    assert await documents.select("customers", "p-1") == []


async def test_unknown_container_is_an_error(documents: Documents) -> None:
    """A database that was not set up must not look like an empty one."""
    with pytest.raises(UpstreamError):
        await documents.select("nothing", "p-1")
    with pytest.raises(UpstreamError):
        await documents.read("nothing", "p-1", "c-1")


async def test_body_has_no_fields_that_name_the_document(documents: Documents) -> None:
    """They would be lost without a word, or come back as something else."""
    for name in ("id", "partition", "_etag", "_ts"):
        with pytest.raises(ValueError, match="neither"):
            await documents.create(Document("customers", "p-1", "c-1", {name: 1}))
    with pytest.raises(ValueError, match="at least one"):
        await documents.select("customers", "p-1", limit=0)
