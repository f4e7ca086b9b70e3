"""checkov's policies, with the ones that do not apply and the reason for each.

checkov lives in a virtual environment of its own (``make infra-venv``): it brings ninety packages.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.preflight.findings import Finding

CHECK = "policy"
MIN_RESOURCES = 100
"""checkov counts parameters and outputs too; far fewer means that it has lost a file."""
TIMEOUT_S = 120

_PREMIUM = "of App Service plans; Flex Consumption has neither"
_LOGS = "of App Service; functions log to Application Insights"
_PRIVATE = "Disabled where vnetEnabled is on, which checkov cannot evaluate; see stores.py"

SKIPPED: Mapping[tuple[str, str], str] = {
    ("CKV_AZURE_101", "account"): _PRIVATE,
    ("CKV_AZURE_99", "account"): _PRIVATE,
    ("CKV_AZURE_109", "vault"): _PRIVATE,
    ("CKV_AZURE_134", "openAi"): _PRIVATE,
    ("CKV_AZURE_35", "storage"): _PRIVATE,
    ("CKV_AZURE_134", "speech"): "ACS comes from outside, by its identity",
    ("CKV_AZURE_59", "deadLetters"): "Event Grid comes as a trusted service; all else is denied",
    (
        "CKV_AZURE_110",
        "vault",
    ): "the only secret can be made again; a protected name is lost a week",
    ("CKV_AZURE_42", "vault"): "as above: soft delete is on, purge protection is not",
    (
        "CKV_AZURE_41",
        "signingKey",
    ): "replaced by hand (docs/operations.md); expired, calls would end",
    ("CKV_AZURE_114", "signingKey"): "it has a content type; checkov does not look behind the if",
    ("CKV_AZURE_206", "storage"): "packages and locks: made again by the next deployment",
    ("CKV_AZURE_206", "deadLetters"): "letters live thirty days, for an inquiry",
    ("CKV_AZURE_43", "deadLetters"): "the name is a parameter",
    ("CKV_AZURE_225", "plan"): "a choice of cost: docs/operations.md, disaster cases",
    ("CKV_AZURE_212", "site"): _PREMIUM,
    ("CKV_AZURE_213", "site"): _PREMIUM,
    ("CKV_AZURE_222", "site"): "ACS and Event Grid come from outside; the code checks who they are",
    ("CKV_AZURE_17", "site"): "ACS has no client certificate; it brings a token",
    ("CKV_AZURE_13", "settings"): "would stand before ACS and Event Grid; the code authenticates",
    ("CKV_AZURE_222", "settings"): "not a site: checkov takes the app settings for one",
    ("CKV_AZURE_63", "settings"): _LOGS,
    ("CKV_AZURE_65", "settings"): _LOGS,
    ("CKV_AZURE_66", "settings"): _LOGS,
    ("CKV_AZURE_80", "settings"): "the app is not .NET",
    ("CKV_AZURE_88", "settings"): "a function app needs no file share; Flex cannot have one",
    ("CKV_AZURE_131", "newSigningKey"): "its default is drawn anew each time and is no constant",
}
"""By policy and resource: why it may fail. An entry that nothing fails is a finding as well."""

BROKEN: Mapping[str, str] = {
    "CKV_AZURE_189": "crashes on a value that depends on a parameter; stores.py checks the same",
}


def find_checkov(root: Path) -> Path | None:
    """The program, where it is installed."""
    places = (
        root / ".venv-infra" / "bin",
        root / ".venv-infra" / "Scripts",
        Path(sys.prefix) / "bin",
    )
    return next((one / "checkov" for one in places if (one / "checkov").is_file()), None)


def check(checkov: Path, infra: Path) -> Iterator[Finding]:
    """Run checkov over the templates, without network."""
    command = [str(checkov), "--directory", str(infra), "--framework", "bicep"]
    command += ["--skip-download", "--output", "json", "--quiet", "--skip-check", ",".join(BROKEN)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield Finding(CHECK, "checkov", f"did not end within {TIMEOUT_S} s")
        return
    try:
        report = json.loads(done.stdout)
    except ValueError:
        yield Finding(CHECK, "checkov", f"gave no report (code {done.returncode})")
        return
    yield from judged(report)


def judged(report: Mapping[str, Any]) -> Iterator[Finding]:
    """What checkov's report means. A file it cannot parse is only a number there, and code 0."""
    summary = report.get("summary", {})
    if summary.get("parsing_errors", 1):
        yield Finding(CHECK, "checkov", "could not parse a template")
    if summary.get("resource_count", 0) < MIN_RESOURCES:
        count = summary.get("resource_count", 0)
        yield Finding(CHECK, "checkov", f"saw {count} things only; {MIN_RESOURCES} is the least")
    unused = dict(SKIPPED)
    for one in report.get("results", {}).get("failed_checks", []):
        symbol = one["resource"].rpartition(".")[2]
        if unused.pop((one["check_id"], symbol), None) is None:
            place = f"{one['file_path'].lstrip('/')} {symbol}"
            yield Finding(CHECK, place, f"{one['check_id']} {one['check_name']}")
    for policy, symbol in unused:
        yield Finding(CHECK, "policy.py", f"{policy} of {symbol} need not be skipped any more")
