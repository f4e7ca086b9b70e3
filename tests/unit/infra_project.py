"""A copy of what gets deployed, in which a test may make a mistake."""

import shutil
from pathlib import Path

from infra.preflight.__main__ import offline
from infra.preflight.findings import Finding

ROOT = Path(__file__).parents[2]
_FILES = ("azure.yaml", "host.json", "local.settings.example.json", "Makefile")


def copied(folder: Path) -> Path:
    """A copy of the real files, in *folder*."""
    for name in _FILES:
        shutil.copy(ROOT / name, folder / name)
    shutil.copytree(
        ROOT / "infra", folder / "infra", ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    if (ROOT / ".github").exists():
        shutil.copytree(ROOT / ".github", folder / ".github")
    return folder


def changed(root: Path, name: str, before: str, after: str) -> None:
    """Replace the one place where *before* stands in a file."""
    path = root / name
    text = path.read_text(encoding="utf-8")
    assert text.count(before) >= 1, f"{name} has changed: {before!r} is not there"
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


def findings(root: Path) -> list[Finding]:
    """What the offline preflight says of a project."""
    return list(offline(root))
