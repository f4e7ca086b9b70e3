"""What the first import costs on an instance: of the package, and of the same code unpackaged."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from infra.package import PYTHON_VERSION, ROOT, find_compiler
from simulator.functions_host.packaged import SITE_PACKAGES, unpack

RUNS = 2
_CODE = (
    "import time; a = time.process_time(); import azure.functions, function_app; "
    "b = time.process_time(); import importlib; from shared.resources import HEAVY; "
    "[importlib.import_module(name) for name in HEAVY]; c = time.process_time(); "
    "print((b - a) * 1000, (c - b) * 1000)"
)


def run(package: Path = ROOT / "dist" / "app.zip") -> list[str]:
    """All figures; a line that says why where there are none."""
    python = find_compiler(ROOT)
    own = ROOT / f".venv-{PYTHON_VERSION}" / "bin" / "python"
    if python is None or not own.exists() or not package.is_file():
        return [f"Import of the package: needs Python {PYTHON_VERSION} and make package"]
    with tempfile.TemporaryDirectory(prefix="voice-agent-bench-") as folder:
        app = unpack(package, Path(folder), python).app
        path = {"PYTHONPATH": str(app / SITE_PACKAGES), "PYTHONDONTWRITEBYTECODE": "1"}
        nowhere = {**path, "PYTHONPYCACHEPREFIX": str(Path(folder) / "empty")}
        rows = {
            "unpackaged, as installed": _least((str(own),), ROOT, {}, unused=1),
            "the package, from its zip": _least((str(python), "-S"), app, path),
            "the same, if its byte code did not count": _least((str(python), "-S"), app, nowhere),
        }
    lines = [f"Import on Python {PYTHON_VERSION} (CPU ms in a fresh process, minimum of {RUNS})"]
    for name, (first, rest) in rows.items():
        lines.append(f"  {name:<42} app {first:5.0f}, then everything else {rest:6.0f}")
    return lines


def _least(
    command: tuple[str, ...], folder: Path, env: Mapping[str, str], *, unused: int = 0
) -> tuple[float, float]:
    """CPU ms of the app, and of what it loads in the background after that.

    Of the *unused* first runs nothing is told: they write byte code where there is none.
    """
    found = []
    for _ in range(unused + RUNS):
        done = subprocess.run(
            [*command, "-c", _CODE],
            cwd=folder,
            env={**os.environ, **env},  # noqa: TID251 - the child starts from what this has
            check=True,
            capture_output=True,
            text=True,
        )
        first, rest = done.stdout.split()
        found.append((float(first), float(rest)))
    return min(one[0] for one in found[unused:]), min(one[1] for one in found[unused:])
