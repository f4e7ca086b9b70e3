"""What goes into the package, and that it is the same every time."""

import os
import re
import sys
import zipfile
from fnmatch import fnmatch
from pathlib import Path

from infra.package import (
    APP,
    PYTHON_VERSION,
    compile_all,
    find_compiler,
    requirements,
    write_zip,
)
from infra.preflight import hosting
from simulator.functions_host.packaged import unpack

ROOT = Path(__file__).parents[2]


def tree(folder: Path) -> list[Path]:
    """A small app in *folder*; names in an order that is not that of the alphabet."""
    folder.mkdir()
    for name in ("b.py", "a.py", "pages/c.py"):
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"NAMES = {{'x', 'y', 'z'}}  # {name}\n", encoding="utf-8")
    compile_all(Path(sys.executable), folder)
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_package_is_the_same_bytes_each_time(tmp_path: Path) -> None:
    """Two builds of one commit can be compared by a number, and deploys without a change seen."""
    zips = []
    for name in ("one", "two"):
        files = tree(tmp_path / name)
        os.utime(files[0], (1, 1) if name == "one" else None)
        write_zip(files, tmp_path / name, tmp_path / f"{name}.zip")
        zips.append((tmp_path / f"{name}.zip").read_bytes())
    assert zips[0] == zips[1]


def test_package_keeps_byte_code_that_no_time_can_spoil(tmp_path: Path) -> None:
    """Flag 1 without 2 in its header: keyed on a hash that is not checked (PEP 552)."""
    files = tree(tmp_path / "app")
    write_zip(files, tmp_path / "app", tmp_path / "app.zip")
    with zipfile.ZipFile(tmp_path / "app.zip") as archive:
        names = archive.namelist()
        compiled = [name for name in names if name.endswith(".pyc")]
        assert len(compiled) == 3
        assert {archive.read(name)[4:8] for name in compiled} == {b"\x01\x00\x00\x00"}
        assert str(tmp_path).encode() not in archive.read(compiled[0])
    assert names == sorted(names)


def test_package_takes_the_dependencies_of_azure(tmp_path: Path) -> None:
    """By Azure's Python and system, whatever runs this; each pinned."""
    found = requirements(ROOT / "requirements.txt")
    assert "azure-functions==2.3.0" in found
    assert not any(one.startswith("azure-functions==1") for one in found)
    assert not any("jsfetch" in one for one in found)  # for browsers
    assert any(one.startswith("httpcore2==") for one in found)
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", one) for one in found)
    lock = tmp_path / "lock.txt"
    lock.write_text("a==1 ; sys_platform == 'win32'\nb==2 ; python_full_version >= '3.13'\n# c\n")
    assert requirements(lock) == ["b==2"]


def test_package_is_for_the_python_that_is_deployed_and_tested() -> None:
    """One version in the template, in the package and in the test with the real worker."""
    template = (ROOT / "infra" / "app" / "function.bicep").read_text()
    assert f"version: '{PYTHON_VERSION}'" in template
    assert hosting.tested_python(ROOT) == PYTHON_VERSION


def test_package_leaves_out_what_is_not_deployed() -> None:
    """And Core Tools, which go by .funcignore, agree."""
    ignored = (ROOT / ".funcignore").read_text().split()
    ours = ("tests", "simulator", "infra", "docs", "dist", "azure.yaml", "Makefile", ".github")
    files = [path.name for path in ROOT.glob("requirements-*.txt")]
    for name in (*ours, *files, "local.settings.json", "README.md", "pyproject.toml"):
        assert any(fnmatch(name, pattern) for pattern in ignored), name
        assert name not in APP
    assert [one for one in APP if any(fnmatch(one, pattern) for pattern in ignored)] == []


def test_package_finds_the_python_it_is_made_for(tmp_path: Path) -> None:
    """A Python of another version in its place is not taken."""
    impostor = tmp_path / f".venv-{PYTHON_VERSION}" / "bin" / "python"
    impostor.parent.mkdir(parents=True)
    impostor.write_text("#!/bin/sh\necho 3.9\n")
    impostor.chmod(0o755)
    assert find_compiler(tmp_path) != impostor
    impostor.write_text(f"#!/bin/sh\necho {PYTHON_VERSION}\n")
    assert find_compiler(tmp_path) == impostor or sys.version_info[:2] == (3, 13)


def test_unpacked_package_sees_nothing_of_the_checkout(tmp_path: Path) -> None:
    """A file that was forgotten must be missing, not found next door."""
    files = tree(tmp_path / "tree")
    write_zip(files, tmp_path / "tree", tmp_path / "app.zip")
    unpacked = unpack(tmp_path / "app.zip", tmp_path / "instance", Path(sys.executable))
    assert (unpacked.app / "a.py").is_file()
    assert {path.name for path in unpacked.home.iterdir()} == {"simulator", "croniter", "dateutil"}
