"""Logging in with tokens against a real server that knows the identity by its object id."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from shared.errors import UpstreamError
from shared.redis.entra import SCOPE, Credential, object_id
from shared.redis.manager import AzureRedisManager
from shared.redis.script import Script
from simulator.redis_server import RedisServerError
from tests.contract.redis_identity import (
    OID,
    FakeClock,
    FakeCredential,
    FakeSyncCredential,
    write_certificate,
)
from tests.contract.redis_wire import running_server

ONE = Script("return 1", hashlib.sha1(b"return 1").hexdigest())

USERS = ("--user", "default", "off", "--user", OID, "on", "nopass", "~*", "&*", "+@all")


@pytest.fixture
def acl_port() -> Iterator[int]:
    """A server that lets nobody in but our identity."""
    with running_server(*USERS) as port:
        yield port


@contextlib.asynccontextmanager
async def manager_of(
    port: int, clock: FakeClock, credential: Credential
) -> AsyncIterator[AzureRedisManager]:
    """A manager that logs in with *credential*, without TLS."""
    async with AzureRedisManager(
        "127.0.0.1", port, credential=credential, ssl=False, clock=clock
    ) as redis:
        yield redis


async def logins_total(redis: AzureRedisManager) -> int:
    """How often anybody has logged in to the server."""
    info = str(await redis.execute("INFO", "commandstats"))
    line = next(line for line in info.splitlines() if line.startswith("cmdstat_auth:"))
    return int(line.partition("calls=")[2].partition(",")[0])


async def test_entra_identity_is_the_object_id(acl_port: int) -> None:
    """The user name comes out of the token, so no setting has to repeat it."""
    clock = FakeClock()
    credential = FakeCredential(clock)
    async with manager_of(acl_port, clock, credential) as redis:
        assert await redis.execute("ACL", "WHOAMI") == OID
        assert credential.scopes == [SCOPE]


async def test_entra_open_connections_log_in_again_before_the_token_expires(
    acl_port: int,
) -> None:
    """Azure closes a connection whose token has run out, so ours is renewed on the open line."""
    clock = FakeClock()
    credential = FakeCredential(clock)
    async with manager_of(acl_port, clock, credential) as redis:
        before = await logins_total(redis)
        await clock.slept.wait()
        clock.move(751)
        await clock.slept.wait()

        assert await logins_total(redis) == before + 1
        assert len(credential.scopes) == 2
        assert redis.snapshot()["connections_lost_total"] == 0


async def test_entra_outage_leaves_the_old_token_in_use(acl_port: int) -> None:
    """A token service that is down harms nobody while the token is valid, and is asked again."""
    clock = FakeClock()
    credential = FakeCredential(clock)
    async with manager_of(acl_port, clock, credential) as redis:
        await redis.ping_async()
        await clock.slept.wait()
        credential.is_down = True
        clock.move(751)
        await clock.slept.wait()
        await redis.ping_async()
        credential.is_down = False
        clock.move(10)
        await clock.slept.wait()
        assert len(credential.scopes) == 3


async def test_entra_no_token_is_an_upstream_error(acl_port: int) -> None:
    """Without a token there is no session store, and the reason given holds no vendor text."""
    clock = FakeClock()
    credential = FakeCredential(clock)
    credential.is_down = True
    async with manager_of(acl_port, clock, credential) as redis:
        with pytest.raises(UpstreamError, match=r"^session store: no token$"):
            await redis.ping_async()


async def test_entra_token_without_object_id_asks_for_a_user_name(acl_port: int) -> None:
    """A token that names nobody is reported as what it is, not as a wrong password."""
    clock = FakeClock()
    async with manager_of(acl_port, clock, FakeCredential(clock, {})) as redis:
        with pytest.raises(UpstreamError, match="user name"):
            await redis.ping_async()
    for token in ("", "a.b", "a.!.c", "e30.W10.x"):
        with pytest.raises(UpstreamError):
            object_id(token)


async def test_entra_synchronous_credential_never_holds_up_the_loop(acl_port: int) -> None:
    """DefaultAzureCredential blocks for hundreds of milliseconds; calls in progress must not."""
    clock = FakeClock()
    credential = FakeSyncCredential(clock)
    async with manager_of(acl_port, clock, credential) as redis:
        call = asyncio.create_task(redis.execute("ACL", "WHOAMI"))
        await asyncio.to_thread(credential.asked.wait, 5)
        assert not call.done()
        credential.may_answer.set()
        assert await call == OID


async def test_entra_blocking_path_uses_the_token_that_is_there(acl_port: int) -> None:
    """The blocking path shares the token; with an asynchronous credential it needs one first."""
    clock = FakeClock()
    async with manager_of(acl_port, clock, FakeCredential(clock)) as redis:
        with pytest.raises(UpstreamError, match="no token yet"):
            redis.run_script_blocking(ONE, [])
        await redis.ping_async()
        assert redis.run_script_blocking(ONE, []) == 1
    credential = FakeSyncCredential(clock)
    credential.may_answer.set()
    async with manager_of(acl_port, clock, credential) as redis:
        assert redis.run_script_blocking(ONE, []) == 1


@pytest.fixture
def tls_server(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """The port of a server with TLS that knows our identity, and the file of its authority."""
    cert, key = (str(path) for path in write_certificate(tmp_path))
    options = ("--port", "0", "--tls-port", "{port}", "--tls-auth-clients", "no")
    files = ("--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", cert)
    with contextlib.ExitStack() as stack:
        try:
            port = stack.enter_context(running_server(*options, *files, *USERS))
        except RedisServerError:
            pytest.skip("the embedded server has no TLS")
        yield port, cert


async def test_entra_tls_verifies_the_server(tls_server: tuple[int, str]) -> None:
    """A server with a certificate of unknown origin is refused before any token is sent."""
    port, ca_file = tls_server
    clock = FakeClock()
    stranger = FakeCredential(clock)
    async with AzureRedisManager("localhost", port, credential=stranger, clock=clock) as redis:
        with pytest.raises(UpstreamError, match="unreachable"):
            await redis.ping_async()
    assert stranger.scopes == []
    known = FakeCredential(clock)
    async with AzureRedisManager(
        f"localhost:{port}", credential=known, clock=clock, ca_file=ca_file
    ) as redis:
        assert await redis.execute("ACL", "WHOAMI") == OID
        assert await asyncio.to_thread(redis.run_script_blocking, ONE, []) == 1


async def test_entra_key_login_works_too() -> None:
    """An access key is the other way in, for the laptop and for the old caches."""
    with running_server("--requirepass", "key") as port:
        async with AzureRedisManager("127.0.0.1", port, access_key="key", ssl=False, db=2) as redis:
            assert await redis.execute("ACL", "WHOAMI") == "default"
        async with AzureRedisManager("127.0.0.1", port, access_key="bad", ssl=False) as redis:
            with pytest.raises(UpstreamError):
                await redis.ping_async()


async def test_entra_login_refused_on_an_open_connection_replaces_it(acl_port: int) -> None:
    """A connection that no longer may stay is left before the server closes it on a caller."""
    clock = FakeClock()
    credential = FakeCredential(clock)
    async with manager_of(acl_port, clock, credential) as redis:
        await redis.ping_async()
        await clock.slept.wait()
        credential.claims = {"oid": "somebody-else"}
        clock.move(751)
        await clock.slept.wait()
        credential.claims = {"oid": OID}
        with pytest.raises(UpstreamError):
            await redis.ping_async()
        assert redis.snapshot()["connections_lost_total"] == 1
        clock.move(1001)
        await clock.slept.wait()
        await redis.ping_async()
