"""Rules of the tree that no linter knows."""

import ast
import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import SocketRefusedError, is_this_machine

ROOT = Path(__file__).parents[2]
MAX_LINES = 300
SOURCES = ("function_app.py", "functions", "shared", "simulator")
APP = ("function_app.py", "functions", "shared")


def files(*names: str, ending: str = "py") -> Iterator[Path]:
    """Every file below *names*."""
    for name in names:
        path = ROOT / name
        yield from [path] if path.is_file() else sorted(path.rglob(f"*.{ending}"))


def place(path: Path) -> str:
    """Where *path* is, for a message."""
    return path.relative_to(ROOT).as_posix()


def tree_of(path: Path) -> ast.Module:
    """The parsed source."""
    return ast.parse(path.read_text(encoding="utf-8"))


def imports_of(path: Path) -> set[str]:
    """The modules a file imports, wherever in it."""
    found: set[str] = set()
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def uses(path: Path, module: str) -> bool:
    """Whether a file imports *module* or something below it."""
    return any(one == module or one.startswith(f"{module}.") for one in imports_of(path))


def test_no_file_is_long() -> None:
    """A file holds one idea; one that needs more than 300 lines holds two."""
    counted = {
        place(path): len(path.read_text(encoding="utf-8").splitlines())
        for path in (
            *files(*SOURCES, "infra"),
            *files("shared", ending="lua"),
            *files("infra", ending="bicep"),
        )
    }
    assert len(counted) > 100
    assert {name: lines for name, lines in counted.items() if lines > MAX_LINES} == {}


def test_only_functions_import_the_runtime() -> None:
    """Everything else runs on any host, which the media host of later work relies on."""
    allowed = ("function_app.py", "functions/", "simulator/functions_host/")
    guilty = [
        place(path)
        for path in files(*SOURCES)
        if uses(path, "azure.functions") and not place(path).startswith(allowed)
    ]
    assert guilty == []


def test_app_and_simulator_do_not_import_each_other() -> None:
    """The stand-ins prove nothing if they share code with what they stand in for."""
    crossing = [place(path) for path in files(*APP) if uses(path, "simulator")]
    crossing += [
        place(path)
        for path in files("simulator")
        if uses(path, "shared") or uses(path, "functions") or uses(path, "function_app")
    ]
    assert crossing == []


def test_nothing_prints() -> None:
    """Output of a function is a log line with facts; only commands of the simulator talk."""
    entry_points = {"simulator/demo.py", "simulator/run.py"}
    guilty = [
        f"{place(path)}:{node.lineno}"
        for path in files(*SOURCES)
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
        and place(path) not in entry_points
    ]
    assert guilty == []


def test_only_resources_read_the_environment() -> None:
    """Settings are a pure function of a mapping, handed over in one place."""
    names = {"environ", "getenv", "environb", "putenv"}
    guilty = {
        place(path)
        for path in files(*APP)
        for node in ast.walk(tree_of(path))
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and names & {one.name for one in node.names})
    }
    assert guilty == {"shared/resources.py"}


def test_nothing_below_resources_imports_it() -> None:
    """Collaborators arrive as arguments; who fetches them from the root cannot be tested."""
    starting_points = {"shared/readiness.py", "shared/knowledge/ingest.py"}
    guilty = [
        place(path)
        for path in files("shared")
        if uses(path, "shared.resources") and place(path) not in starting_points
    ]
    assert guilty == []


@pytest.mark.parametrize("word", ["utils", "helpers", "common", "base", "v2", "legacy", "compat"])
def test_no_module_has_a_name_that_says_nothing(word: str) -> None:
    """Such a module becomes the place for whatever has no place."""
    assert [place(path) for path in files(*SOURCES) if path.stem == word] == []


def test_no_test_patches_the_app() -> None:
    """Fakes are passed in; a patched module proves that patching works."""
    patching = {"unittest.mock", "mock", "pytest_mock"}
    guilty = [
        place(path) for path in files("tests") if any(uses(path, module) for module in patching)
    ]
    assert guilty == []


def test_every_test_says_what_holds() -> None:
    """A failing test whose name is all there is costs an hour of archaeology."""
    silent = [
        f"{place(path)}:{node.name}"
        for path in files("tests")
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


# --- the tests' own rule about sockets (tests/conftest.py) --------------------------------------


@pytest.mark.parametrize("address", [("127.0.0.1", 9), ("192.0.2.1", 9), ("example.invalid", 9)])
def test_unit_tests_reach_nothing(address: tuple[str, int]) -> None:
    """Not even this machine: what needs a server is a contract test."""
    with pytest.raises(SocketRefusedError):
        socket.create_connection(address, timeout=1)
    with socket.socket() as unbound, pytest.raises(SocketRefusedError):
        unbound.connect_ex(address)


def test_other_tests_reach_this_machine_only(tmp_path: Path) -> None:
    """A contract test that meets the real service by mistake fails by name."""
    assert is_this_machine(("127.0.0.1", 9))
    assert is_this_machine(("::1", 9, 0, 0))
    assert is_this_machine(("localhost", 9))
    assert is_this_machine(os.fspath(tmp_path / "socket"))
    for outside in (("192.0.2.1", 9), ("0.0.0.0", 9), ("example.com", 9), ("", 9), (), None):
        assert not is_this_machine(outside)


async def test_event_loop_works_without_sockets_of_ours() -> None:
    """The loop wakes itself through a pair of sockets, which is nobody's connection."""
    assert await asyncio.to_thread(lambda: 7) == 7
