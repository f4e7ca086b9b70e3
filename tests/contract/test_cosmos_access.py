"""Who may talk to the Cosmos DB stand-in, and what it says to requests that no SDK would send."""

import asyncio
import base64
import hashlib
import hmac
import json
import sqlite3
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import aiohttp
import pytest
from azure.core.credentials import AccessToken
from azure.cosmos.aio import CosmosClient
from azure.cosmos.exceptions import CosmosHttpResponseError

from shared.errors import UpstreamError
from shared.records.documents import Document
from simulator.cosmos import CosmosStandIn, seed_containers
from tests.contract.cosmos_stage import (
    DATABASE,
    LAYOUT,
    connected_container,
    connected_documents,
    running_account,
)
from tests.contract.redis_identity import write_certificate

ROOT = Path(__file__).parents[2]
DOCS = f"dbs/{DATABASE}/colls/cases/docs"
TOKEN = "e30.e30.sig"


class FakeCredential:
    """An identity with one token; notes what it is asked for."""

    def __init__(self, token: str = TOKEN) -> None:
        self._token = token
        self.scopes: list[str] = []

    async def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        """The token."""
        self.scopes += scopes
        return AccessToken(self._token, 2**31)

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        return None


@pytest.fixture
async def account() -> AsyncIterator[CosmosStandIn]:
    """An account with the app's containers."""
    async with running_account() as account:
        yield account


def signed(
    method: str, kind: str, link: str, key: str, *, at: datetime | None = None, version: str = "1.0"
) -> dict[str, str]:
    """The headers of a request, as the protocol's documentation has them."""
    date = format_datetime(at or datetime.now(UTC), usegmt=True)
    text = f"{method.lower()}\n{kind}\n{link}\n{date.lower()}\n\n"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    token = quote(f"type=master&ver={version}&sig={signature}", safe="")
    return {"x-ms-date": date, "authorization": token}


async def post(
    account: CosmosStandIn, body: object, headers: Mapping[str, str]
) -> tuple[int, str | None, str]:
    """Post to the documents of a container; gives status, substatus and message."""
    address = f"{account.endpoint}{DOCS}/"
    data = body if isinstance(body, str) else json.dumps(body)
    authorization = signed("POST", "docs", DOCS.removesuffix("/docs"), account.key)
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, data=data, headers={**authorization, **headers}) as answer,
    ):
        message = (await answer.json()).get("message", "")
        return answer.status, answer.headers.get("x-ms-substatus"), message


IN_P = {"x-ms-documentdb-partitionkey": '["p"]'}
QUERY = {"x-ms-documentdb-isquery": "True"}
BATCH = {"x-ms-cosmos-is-batch-request": "True", "x-ms-cosmos-batch-atomic": "True"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": "Bearer x"}, 401),
        (signed("GET", "", "", "d3Jvbmc="), 401),
        ({"x-ms-date": "yesterday"}, 401),
        ({"version": "2.0"}, 401),
        ({"hours": "1"}, 403),
        ({"hours": "0"}, 200),
    ],
)
async def test_request_needs_the_key(
    account: CosmosStandIn, headers: dict[str, str], status: int
) -> None:
    """And a date that is not an hour old: what was overheard is of no use."""
    if "hours" in headers or "version" in headers:
        at = datetime.now(UTC) - timedelta(hours=int(headers.get("hours", "0")))
        version = headers.get("version", "1.0")
        headers = signed("GET", "", "", account.key, at=at, version=version)
    async with (
        aiohttp.ClientSession() as session,
        session.get(account.endpoint, headers=headers) as answer,
    ):
        assert answer.status == status
        assert answer.headers["x-ms-activity-id"]


async def test_account_names_itself_as_it_was_called(account: CosmosStandIn) -> None:
    """Clients go on with the address that the account gives them."""
    headers = signed("GET", "", "", account.key) | {"host": "cosmos.example:8081"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(account.endpoint, headers=headers) as answer,
    ):
        [location] = (await answer.json())["writableLocations"]
    assert location["databaseAccountEndpoint"] == "http://cosmos.example:8081/"


@pytest.mark.parametrize(
    ("body", "headers", "status", "substatus", "text"),
    [
        ({"id": "a", "partition": "p"}, {}, 400, None, "partition"),
        ({"id": "a", "partition": "q"}, IN_P, 400, "1001", "doesn't match"),
        ({"id": "a/b", "partition": "p"}, IN_P, 400, None, "id"),
        ({"id": 7, "partition": "p"}, IN_P, 400, None, "id"),
        ("{", IN_P, 400, None, "payload"),
        ('{"id": "a", "partition": "p", "n": NaN}', IN_P, 400, None, "payload"),
        ([], IN_P, 400, None, "payload"),
        ({"id": "a"}, {"x-ms-documentdb-partitionkey": "p"}, 400, None, "invalid"),
        ({"id": "a"}, {"x-ms-documentdb-partitionkey": '["p","q"]'}, 400, None, "invalid"),
        ({"query": "SELECT * FROM c"}, QUERY, 400, None, "disabled"),
        ({}, IN_P | BATCH, 400, None, "list"),
        ([], IN_P | BATCH, 400, None, "none"),
        ([{}], IN_P | BATCH | {"x-ms-cosmos-batch-atomic": "False"}, 400, None, "atomic"),
        ([{}], BATCH, 400, None, "partition"),
        ({"query": 1}, IN_P | QUERY, 400, None, "text"),
        (
            {"query": "SELECT * FROM c", "parameters": [{"name": "x", "value": 1}]},
            IN_P | QUERY,
            400,
            None,
            "@",
        ),
        ({"query": "SELECT * FROM c"}, IN_P | QUERY | {"x-ms-max-item-count": "x"}, 400, None, ""),
    ],
)
async def test_request_that_no_client_should_send_is_refused(
    account: CosmosStandIn,
    body: object,
    headers: dict[str, str],
    status: int,
    substatus: str | None,
    text: str,
) -> None:
    """The SDK prevents some of these; other clients would not."""
    answer = await post(account, body, headers)
    assert answer[:2] == (status, substatus)
    assert text in answer[2]


@pytest.mark.parametrize(
    "operation",
    [
        {},
        {"operationType": "Create"},
        {"operationType": "Replace", "resourceBody": {}},
        {"operationType": "Rename", "id": "a"},
    ],
)
async def test_batch_of_something_else_fails_as_a_whole(
    account: CosmosStandIn, operation: dict[str, Any]
) -> None:
    """The answer is a list all the same, as of any batch that fails."""
    address = f"{account.endpoint}{DOCS}/"
    headers = signed("POST", "docs", DOCS.removesuffix("/docs"), account.key) | IN_P | BATCH
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, json=[operation, operation], headers=headers) as answer,
    ):
        assert answer.status == 207
        assert [each["statusCode"] for each in await answer.json()] == [400, 424]


async def test_what_is_left_out_says_so(account: CosmosStandIn) -> None:
    """Nothing is answered as if it had been done."""
    async with CosmosClient(account.endpoint, account.key) as client:
        database = client.get_database_client(DATABASE)
        container = database.get_container_client("cases")
        calls: list[Any] = [
            container.get_throughput(),
            anext(container.query_items_change_feed()),
            anext(client.query_databases("SELECT * FROM r")),
            anext(database.query_containers("SELECT * FROM r")),
        ]
        for call in calls:
            with pytest.raises(CosmosHttpResponseError, match="does not support"):
                await call


async def test_faults_and_requests_are_reached_over_http(account: CosmosStandIn) -> None:
    """For a process other than the one the stand-in lives in."""
    fault = {"kind": "error", "status": 503, "operation": "create"}
    async with aiohttp.ClientSession(account.endpoint) as session:
        async with session.put("/_sim/faults", json={"faults": [fault]}) as answer:
            assert answer.status == 204
        async with session.get("/_sim/faults") as answer:
            [waiting] = (await answer.json())["faults"]
        assert waiting.items() >= fault.items()
        status, _, _ = await post(account, {"id": "a", "partition": "p"}, IN_P)
        assert status == 503
        async with session.get("/_sim/requests") as answer:
            assert (await answer.json())["requests"][-1]["status"] == 503
        for wrong in ({"kind": "mischief"}, {"kind": "cut", "operation": "x"}, {"x": 1}, "cut"):
            async with session.put("/_sim/faults", json={"faults": [wrong]}) as answer:
                assert answer.status == 400


async def test_slow_fault_answers_all_the_same(account: CosmosStandIn) -> None:
    """Late, and complete."""
    async with aiohttp.ClientSession(account.endpoint) as session:
        fault = {"kind": "slow", "delay_ms": 1}
        async with session.put("/_sim/faults", json={"faults": [fault]}) as answer:
            assert answer.status == 204
    status, _, _ = await post(account, {"id": "a", "partition": "p"}, IN_P)
    assert status == 201


# --- tokens --------------------------------------------------------------------------------------


async def test_identity_reads_and_writes_documents(tmp_path: Path) -> None:
    """As in Azure: no key, a token for the account's own scope, over https."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*write_certificate(tmp_path))
    account = CosmosStandIn(bearer_tokens=[TOKEN])
    seed_containers(account.store, LAYOUT)
    await account.start(tls=tls)
    ours, stranger = FakeCredential(), FakeCredential("e30.e30.other")
    try:
        async with connected_documents(account, credential=ours) as documents:
            await documents.create(Document("cases", "p", "a", {"n": 1}))
            assert len(await documents.select("cases", "p")) == 1
        assert set(ours.scopes) == {"https://127.0.0.1/.default"}
        async with connected_documents(account, credential=stranger) as documents:
            with pytest.raises(UpstreamError, match="identity"):
                await documents.read("cases", "p", "a")
        async with CosmosClient(account.endpoint, ours) as client:
            with pytest.raises(CosmosHttpResponseError) as refusal:
                await client.create_database("new")
        assert (refusal.value.status_code, refusal.value.sub_status) == (403, 5300)
    finally:
        await account.aclose()


async def test_token_is_never_sent_in_the_clear(account: CosmosStandIn) -> None:
    """The SDK refuses, and the app names it as what it is: a database out of reach."""
    async with connected_documents(account, credential=FakeCredential()) as documents:
        with pytest.raises(UpstreamError):
            await documents.read("cases", "p", "a")
    assert account.exchanges == []


# --- a process of its own ------------------------------------------------------------------------


async def test_process_keeps_its_file(tmp_path: Path) -> None:
    """Killed without notice and started again, it has everything it had answered for."""
    records = tmp_path / "records.yaml"
    records.write_text('cases: [{id: "seeded", partition: p, n: 1}]', encoding="utf-8")
    for start, expected in ((1, ["seeded"]), (2, ["seeded", "added 1"])):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "simulator.cosmos", "--file", tmp_path / "db.sqlite"),
            *("--containers", LAYOUT, "--records", records),
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        try:
            assert process.stdout is not None
            where = json.loads(await process.stdout.readline())
            async with CosmosClient(where["endpoint"], where["key"]) as client:
                database = client.get_database_client(where["database"])
                container = database.get_container_client("cases")
                assert [each["id"] async for each in container.read_all_items()] == expected
                await container.create_item({"id": f"added {start}", "partition": "p"})
        finally:
            process.kill()
            await process.communicate()


async def test_file_has_one_owner(tmp_path: Path) -> None:
    """Two processes would each believe that they know everything."""
    file = tmp_path / "cosmos.sqlite"
    async with running_account(file=file):
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            CosmosStandIn(file=file)
    async with running_account(file=file):
        pass


async def test_seed_leaves_what_is_there(account: CosmosStandIn) -> None:
    """A second start changes neither containers nor items."""
    async with connected_container(account, "cases") as container:
        await container.create_item({"id": "a", "partition": "p"})
        before = await container.read()
        assert seed_containers(account.store, LAYOUT) == DATABASE
        assert await container.read() == before
        assert await container.read_item("a", "p")
