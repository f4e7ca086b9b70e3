"""Builds the zip that Flex Consumption takes: ``python -m infra.package``.

Dependencies are those of Azure's machines (Linux x86_64, Python 3.13), whatever this machine is.
Byte code is keyed on nothing: the default is keyed on modification times, which a zip does not
keep, and would be made again at every cold start. The same sources give the same bytes.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[1]

PYTHON_VERSION = "3.13"
"""As in app/function.bicep; a test compares."""
APP = ("function_app.py", "host.json", "requirements.txt", "functions", "shared")
"""What is deployed; everything else is not."""
SITE_PACKAGES = ".python_packages/lib/site-packages"
"""Where the worker looks for dependencies."""

_GLIBC_MINORS = (28, 27, 26, 24, 17, 12, 5)
_PLATFORMS = (
    *(f"manylinux_2_{minor}_x86_64" for minor in _GLIBC_MINORS),
    *("manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"),
)
_MARKERS = {
    "python_version": PYTHON_VERSION,
    "python_full_version": f"{PYTHON_VERSION}.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "platform_machine": "x86_64",
    "os_name": "posix",
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
}
_LEFT_OUT = ("__pycache__", "tests", "test", "bin")
"""Folders of dependencies that nothing imports."""
_OLDEST = (1980, 1, 1, 0, 0, 0)
"""The earliest time a zip can say."""


class PackageError(Exception):
    """The package could not be built."""


@dataclass(frozen=True, slots=True)
class Package:
    """What was built."""

    path: Path
    files: int
    unpacked_bytes: int
    is_compiled_for_target: bool

    @property
    def digest(self) -> str:
        """The SHA-256 of the zip."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()


def build(output: Path, root: Path = ROOT) -> Package:
    """Build ``app/`` and ``app.zip`` in *output*, replacing what was there.

    Raises:
        PackageError: A dependency has no wheel for Azure's machines, or something does not compile.
    """
    folder = output / "app"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    _copy_app(root, folder)
    _install(root / "requirements.txt", folder / SITE_PACKAGES)
    compiler = find_compiler(root)
    tag = compile_all(compiler or Path(sys.executable), folder)
    name = "app.zip" if compiler else f"app.{tag}.zip"
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    write_zip(files, folder, output / name)
    unpacked_bytes = sum(path.stat().st_size for path in files)
    return Package(output / name, len(files), unpacked_bytes, compiler is not None)


def requirements(lock: Path) -> list[str]:
    """The pinned dependencies that count on Azure's machines, whatever this one is."""
    lines = [line.strip() for line in lock.read_text(encoding="utf-8").splitlines()]
    every = [Requirement(line) for line in lines if line and not line.startswith("#")]
    return [
        f"{one.name}{one.specifier}"
        for one in every
        if one.marker is None or one.marker.evaluate(dict(_MARKERS))
    ]


def find_compiler(root: Path) -> Path | None:
    """A Python of the version that runs in Azure, if this machine has one."""
    name = f"python{PYTHON_VERSION}"
    candidates: list[Path | str] = [root / f".venv-{PYTHON_VERSION}" / "bin" / "python"]
    candidates += [found for found in [shutil.which(name)] if found]
    candidates += sorted(Path.home().glob(f".pyenv/versions/{PYTHON_VERSION}*/bin/python"))
    return next((Path(one) for one in [sys.executable, *candidates] if _is_target(one)), None)


def _is_target(python: Path | str) -> bool:
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=False)
    except OSError:
        return False
    return done.stdout.strip() == PYTHON_VERSION


def _copy_app(root: Path, folder: Path) -> None:
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in APP:
        if (root / name).is_dir():
            shutil.copytree(root / name, folder / name, ignore=ignored)
        else:
            shutil.copy(root / name, folder / name)


def _install(lock: Path, target: Path) -> None:
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--no-compile", "--only-binary=:all:", "--target", str(target)]
    # pip compares with this interpreter, not with the target; the lock has compared already.
    command += ["--ignore-requires-python"]
    command += ["--implementation", "cp", "--python-version", PYTHON_VERSION]
    command += [f"--abi=cp{PYTHON_VERSION.replace('.', '')}", "--abi=abi3", "--abi=none"]
    command += [f"--platform={one}" for one in _PLATFORMS]
    done = subprocess.run(
        [*command, *requirements(lock)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        lines = done.stderr.splitlines()
        raise PackageError("\n".join(one for one in lines if not one.startswith("WARNING")))
    for path in sorted(target.rglob("*"), reverse=True):
        if path.is_dir() and path.name in _LEFT_OUT:
            shutil.rmtree(path)


def compile_all(python: Path, folder: Path) -> str:
    """Compile everything below *folder*, and trust it for ever; return the interpreter's tag."""
    command = [str(python), "-m", "compileall", "-q", "-j", "1"]
    command += ["--invalidation-mode", "unchecked-hash"]
    command += ["-s", str(folder), "-p", "/home/site/wwwroot", str(folder)]
    env = {**os.environ, "PYTHONHASHSEED": "0"}  # noqa: TID251 - sets would differ each time
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        raise PackageError(done.stdout.strip() or done.stderr.strip())
    code = "import sys; print(sys.implementation.cache_tag)"
    tag = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    return tag.stdout.strip()


def write_zip(files: list[Path], folder: Path, path: Path) -> None:
    """Write *files* under their names below *folder*, without their times and owners."""
    path.unlink(missing_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, data in _entries(files, folder):
            info = zipfile.ZipInfo(name, _OLDEST)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)


def _entries(files: list[Path], folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in files:
        yield path.relative_to(folder).as_posix(), path.read_bytes()


def main(arguments: list[str] | None = None) -> int:
    """Build and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m infra.package", description=__doc__)
    parser.add_argument("--output", type=Path, default=ROOT / "dist")
    given = parser.parse_args(arguments)
    try:
        package = build(given.output.resolve())
    except PackageError as err:
        print(err, file=sys.stderr)
        return 1
    size_mb, unpacked_mb = package.path.stat().st_size / 1e6, package.unpacked_bytes / 1e6
    print(f"{package.path}: {size_mb:.1f} MB, {package.files} files, {unpacked_mb:.1f} MB unpacked")
    print(f"sha256 {package.digest}")
    if not package.is_compiled_for_target:
        print(
            f"No Python {PYTHON_VERSION} here: the byte code is that of {sys.version.split()[0]},"
            " and Azure will make its own at every cold start. Do not deploy this one for good."
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
