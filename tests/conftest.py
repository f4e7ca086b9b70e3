"""Rules for every test: the folder is the marker, and nobody talks to the world outside.

Unit tests reach nothing at all; the others reach this machine only. A test that would need the
network fails by name here, and not by a timeout somewhere else.
"""

import logging
import socket
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from shared.telemetry.logs import ROOT

TESTS = Path(__file__).parent
FOLDERS = {
    "unit": "our logic; opens no socket",
    "contract": "what we believe of each service; talks to this machine only",
    "e2e": "whole calls over HTTP; talks to this machine only",
}


class SocketRefusedError(RuntimeError):
    """A test reached for something that tests of its folder may not reach.

    Not an `OSError`: the app would take that for an outage and go on.
    """


def pytest_configure(config: pytest.Config) -> None:
    """Make the folders known as markers; let no test fail because the machine is busy."""
    busy = [HealthCheck.too_slow]
    settings.register_profile("here", deadline=None, suppress_health_check=busy)
    settings.load_profile("here")
    for name, meaning in FOLDERS.items():
        config.addinivalue_line("markers", f"{name}: {meaning}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test with its folder."""
    for item in items:
        if (folder := _folder_of(item)) in FOLDERS:
            item.add_marker(folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Guard the sockets from the first fixture of a test to the last."""
    with guarded_sockets(may_reach_this_machine=_folder_of(item) != "unit"):
        return (yield)


@contextmanager
def guarded_sockets(*, may_reach_this_machine: bool) -> Iterator[None]:
    """Refuse every address that is not allowed; the event loop's own pair of sockets needs none."""

    def check(address: object) -> None:
        if not (may_reach_this_machine and is_this_machine(address)):
            raise SocketRefusedError(f"this test may not reach {address!r}")

    def guard(name: str) -> Callable[..., Any]:
        original = getattr(socket.socket, name)

        def guarded(self: socket.socket, *args: Any) -> Any:
            check(args[-1])  # sendto may have flags before the address
            return original(self, *args)

        return guarded

    resolve = socket.getaddrinfo

    def guarded_getaddrinfo(host: Any, *args: Any, **options: Any) -> Any:
        if host is not None:
            check((host, 0))
        return resolve(host, *args, **options)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "bind", "sendto"):
            patch.setattr(socket.socket, name, guard(name))
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


def is_this_machine(address: object) -> bool:
    """Whether *address*, as `socket.connect` takes it, is a loopback or a UNIX socket."""
    if isinstance(address, str | bytes):
        return True
    if not isinstance(address, tuple) or not address:
        return False
    host = address[0].decode() if isinstance(address[0], bytes) else str(address[0])
    try:
        return host == "localhost" or ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _folder_of(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0] if item.path.is_relative_to(TESTS) else ""


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Reading the settings configures the app's logger: undo it, or the next test would feel it."""
    logger = logging.getLogger(ROOT)
    before = logger.handlers[:], logger.level, logger.propagate
    yield
    logger.handlers[:], logger.level, logger.propagate = before
