"""Is there a secret in what is deployed, or a way in which one would get there?"""

import re
from collections.abc import Iterator
from pathlib import Path

from infra.preflight.findings import Finding

CHECK = "no secrets"

_PATTERNS = {
    "a call that reads keys": re.compile(
        r"\blist(?:Account)?(?:Keys|Sas|Secrets|Credentials)\w*\(", re.IGNORECASE
    ),
    "a connection string with a key": re.compile(
        r"(?:AccountKey|SharedAccessKey|accesskey)=", re.IGNORECASE
    ),
    "a key": re.compile(r"(?<![\w/+=-])[A-Za-z0-9+/]{43}=(?![\w=])|(?<![\w/+])[A-Za-z0-9+/]{86}=="),
    "a private key": re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----"),
    "a shared access signature": re.compile(r"[?&]sig=[A-Za-z0-9%+/]{20,}"),
    "a publish profile": re.compile(
        r"publish-?profile|AZURE_CREDENTIALS|client-secret", re.IGNORECASE
    ),
    "a token": re.compile(r"\b(?:eyJ[\w-]{20,}\.[\w-]{20,}|gh[pousr]_\w{30,})"),
}
_ENDINGS = (".bicep", ".json", ".yaml", ".yml", ".sh", ".ps1", ".kql")
_PLACES = ("infra", ".github", "azure.yaml", "host.json", "local.settings.example.json")


def check(root: Path) -> Iterator[Finding]:
    """Every file that goes into a deployment, line by line; no line is ever repeated."""
    for name in _PLACES:
        place = root / name
        files = [place] if place.is_file() else sorted(place.rglob("*")) if place.exists() else []
        for path in files:
            if path.suffix in _ENDINGS:
                yield from _in_file(path, path.relative_to(root).as_posix())


def _in_file(path: Path, name: str) -> Iterator[Finding]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        for what, pattern in _PATTERNS.items():
            if pattern.search(line):
                yield Finding(CHECK, f"{name}:{number}", what)
