"""A database that fails: what is not known is an error with a name, and nothing is done twice."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from shared.cosmos.database import CosmosDatabase
from shared.errors import (
    ConflictError,
    InvalidRequestError,
    UpstreamError,
    UpstreamThrottledError,
    UpstreamTimeoutError,
)
from shared.records.cosmos import CosmosDocuments
from shared.records.documents import Document
from shared.telemetry.logs import configure_logging
from simulator.cosmos import EMULATOR_KEY, CosmosStandIn, Fault
from tests.contract.cosmos_stage import DATABASE, connected_documents, running_account

ADA = Document("customers", "p-1", "ada", {"n": 1})


@pytest.fixture
async def account() -> AsyncIterator[CosmosStandIn]:
    """An account with the app's containers."""
    async with running_account() as account:
        yield account


@pytest.fixture
async def documents(account: CosmosStandIn) -> AsyncIterator[CosmosDocuments]:
    """A client that has been used already."""
    async with connected_documents(account) as connected:
        await connected.check()
        yield connected


def asked(account: CosmosStandIn, operation: str) -> int:
    """How many requests of a kind for documents came."""
    return sum(each.operation == operation and "/docs" in each.path for each in account.exchanges)


async def test_read_is_repeated_when_the_connection_breaks(
    account: CosmosStandIn, documents: CosmosDocuments
) -> None:
    """Reading twice harms nobody."""
    await documents.create(ADA)
    account.inject(Fault("cut", operation="read"))
    assert await documents.read("customers", "p-1", "ada") is not None
    assert asked(account, "read") == 2


@pytest.mark.parametrize("kind", ["cut", "cut_after"])
async def test_create_is_sent_once(
    account: CosmosStandIn, documents: CosmosDocuments, kind: str
) -> None:
    """Sent again after it was done, it would be told that somebody else took the id."""
    account.inject(Fault.parse({"kind": kind, "operation": "create"}))
    with pytest.raises(UpstreamError):
        await documents.create(ADA)
    assert asked(account, "create") == 1
    read = await documents.read("customers", "p-1", "ada")
    assert (read is not None) == (kind == "cut_after")


async def test_replace_is_sent_once(account: CosmosStandIn, documents: CosmosDocuments) -> None:
    """Else its caller would take its own change for another's, and make it once more."""
    stored = await documents.create(ADA)
    account.inject(Fault("cut_after", operation="replace"))
    with pytest.raises(UpstreamError):
        await documents.replace(replace(stored, body={"n": 2}))
    assert asked(account, "replace") == 1
    read = await documents.read("customers", "p-1", "ada")
    assert read is not None
    assert read.body == {"n": 2}


async def test_batch_is_sent_once(account: CosmosStandIn, documents: CosmosDocuments) -> None:
    """The same, for several documents."""
    account.inject(Fault("cut_after", operation="batch"))
    with pytest.raises(UpstreamError):
        await documents.write_together("customers", "p-1", [ADA])
    assert asked(account, "batch") == 1


async def test_throttled_call_waits_as_long_as_it_is_told(
    account: CosmosStandIn, documents: CosmosDocuments
) -> None:
    """A busy database asks for a moment; nothing was done, so that writes are repeated too."""
    account.inject(*[Fault("throttle", operation="create", retry_after_ms=1)] * 3)
    await documents.create(ADA)
    assert asked(account, "create") == 4


async def test_call_that_stays_throttled_says_so(
    account: CosmosStandIn, documents: CosmosDocuments
) -> None:
    """With the time after which another attempt makes sense."""
    account.inject(*[Fault("throttle", operation="read", retry_after_ms=1)] * 20)
    with pytest.raises(UpstreamThrottledError) as failure:
        await documents.read("customers", "p-1", "ada")
    assert failure.value.retry_after_s == 0.001


@pytest.mark.parametrize("operation", ["read", "create", "query", "batch"])
async def test_call_ends_when_nobody_answers(account: CosmosStandIn, operation: str) -> None:
    """The SDK's own timeouts do not end every wait; and the client is of use afterwards."""
    async with connected_documents(account, timeout_s=1.0) as documents:
        await documents.check()
        account.inject(Fault.parse({"kind": "hang", "operation": operation}))
        calls: dict[str, Callable[[], Awaitable[object]]] = {
            "read": lambda: documents.read("customers", "p-1", "ada"),
            "create": lambda: documents.create(ADA),
            "query": lambda: documents.select("customers", "p-1"),
            "batch": lambda: documents.write_together("customers", "p-1", [ADA]),
        }
        with pytest.raises(UpstreamTimeoutError):
            async with asyncio.timeout(60):
                await calls[operation]()
    async with connected_documents(account) as documents:
        assert await documents.read("customers", "p-1", "ada") is None


async def test_wait_for_throttling_ends_with_the_deadline(account: CosmosStandIn) -> None:
    """A caller on the phone does not wait for half a minute."""
    async with connected_documents(account, timeout_s=1.0) as documents:
        await documents.check()
        account.inject(Fault("throttle", operation="read", retry_after_ms=30_000))
        with pytest.raises(UpstreamTimeoutError):
            async with asyncio.timeout(60):
                await documents.read("customers", "p-1", "ada")


@pytest.mark.parametrize("status", [400, 403, 408, 410, 449, 500, 503])
async def test_refusal_is_a_named_error(
    account: CosmosStandIn, documents: CosmosDocuments, status: int
) -> None:
    """None of them looks like a document that is not there."""
    faults = [Fault("error", operation="create", status=status)] * 12
    account.inject(*faults)
    with pytest.raises(UpstreamError):
        await documents.create(ADA)


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
async def test_document_that_is_too_large_is_refused(documents: CosmosDocuments) -> None:
    """The service keeps 2 MB; sending it again would not help."""
    with pytest.raises(InvalidRequestError):
        await documents.create(replace(ADA, body={"text": "x" * (2 * 1024 * 1024)}))


async def test_wrong_key_is_an_error_of_the_database(account: CosmosStandIn) -> None:
    """And not one of the caller's."""
    async with connected_documents(account, credential="d3Jvbmc=") as documents:
        with pytest.raises(UpstreamError, match="identity"):
            await documents.read("customers", "p-1", "ada")


async def test_database_that_is_away_is_an_error_until_it_is_back(unused_tcp_port: int) -> None:
    """Nothing of the failure is kept: the next call tries again."""
    address = f"http://127.0.0.1:{unused_tcp_port}"
    documents = CosmosDocuments(CosmosDatabase(address, EMULATOR_KEY, name=DATABASE))
    with pytest.raises(UpstreamError):
        await documents.read("customers", "p-1", "ada")
    async with running_account(port=unused_tcp_port):
        assert await documents.read("customers", "p-1", "ada") is None
        await documents.aclose()


async def test_container_that_lacks_is_not_a_document_that_lacks() -> None:
    """A database that was not set up must not tell callers that they have no account."""
    async with (
        running_account(has_containers=False) as account,
        connected_documents(account) as documents,
    ):
        for call in (
            documents.read("customers", "p-1", "ada"),
            documents.select("customers", "p-1"),
            documents.replace(replace(ADA, etag='"x"')),
            documents.check(),
        ):
            with pytest.raises(UpstreamError, match="lacks a container"):
                await call


async def test_clients_of_two_instances_race_for_a_document(account: CosmosStandIn) -> None:
    """Each has its own connections and its own session; the version decides."""
    async with connected_documents(account) as one, connected_documents(account) as two:
        stored = await one.create(ADA)
        seen = await two.read("customers", "p-1", "ada")
        assert seen == stored
        await two.replace(replace(stored, body={"n": 2}))
        with pytest.raises(ConflictError):
            await one.replace(replace(stored, body={"n": 3}))
        with pytest.raises(ConflictError):
            await one.write_together(
                "customers", "p-1", [Document("customers", "p-1", "bob", {})], [stored]
            )
        assert await one.read("customers", "p-1", "bob") is None


async def test_cancelled_call_leaves_the_client_usable(
    account: CosmosStandIn, documents: CosmosDocuments
) -> None:
    """A caller who hangs up takes nothing along."""
    account.inject(Fault("hang", operation="read"))
    before = len(account.exchanges)
    call = asyncio.create_task(documents.read("customers", "p-1", "ada"))
    await account.wait_for_requests(before + 1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert await documents.read("customers", "p-1", "ada") is None


async def test_log_has_no_ids_of_documents(
    documents: CosmosDocuments, caplog: pytest.LogCaptureFixture
) -> None:
    """The SDK would write the ids of customers into every line about a request (G7)."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.DEBUG, logger="azure.cosmos")
    await documents.read("customers", "p-1", "ada")
    assert "ada" in caplog.text  # or this test would prove nothing
    caplog.clear()
    configure_logging(level="INFO", is_json=True)
    await documents.read("customers", "p-1", "ada")
    assert "ada" not in caplog.text
    assert "p-1" not in caplog.text


async def test_client_outlives_a_restart_of_the_database(
    tmp_path: Path, unused_tcp_port: int
) -> None:
    """Its kept connections are dead then; nobody has to restart the app."""
    place: dict[str, Any] = {"file": tmp_path / "cosmos.sqlite", "port": unused_tcp_port}
    address = f"http://127.0.0.1:{unused_tcp_port}"
    documents = CosmosDocuments(CosmosDatabase(address, EMULATOR_KEY, name=DATABASE))
    async with running_account(**place):
        stored = await documents.create(ADA)
    with pytest.raises(UpstreamError):
        await documents.read("customers", "p-1", "ada")
    async with running_account(**place):
        assert await documents.read("customers", "p-1", "ada") == stored
        await documents.replace(replace(stored, body={"n": 2}))
        await documents.aclose()


async def test_connection_is_made_though_the_first_caller_leaves(account: CosmosStandIn) -> None:
    """A check that has two seconds must not begin anew each time on a slow start."""

    def connections() -> int:
        return sum(each.operation == "account" for each in account.exchanges)

    async with connected_documents(account) as documents:
        account.inject(Fault("slow", operation="account", delay_ms=300))
        before = len(account.exchanges)
        caller = asyncio.create_task(documents.check())
        await account.wait_for_requests(before + 1)
        caller.cancel()
        with pytest.raises(asyncio.CancelledError):
            await caller
        await documents.check()
    assert connections() <= 2  # the SDK reads the account again beside, unless it is closed before
