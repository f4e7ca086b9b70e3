"""What only Azure knows: asked through its command line, which must be logged in."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.preflight.findings import Finding

CHECK = "live"
TIMEOUT_S = 300

PROVIDERS = (
    *("Microsoft.App", "Microsoft.Cache", "Microsoft.CognitiveServices"),
    *("Microsoft.Communication", "Microsoft.DocumentDB", "Microsoft.EventGrid"),
    *("Microsoft.Insights", "Microsoft.KeyVault", "Microsoft.ManagedIdentity"),
    *("Microsoft.Network", "Microsoft.OperationalInsights", "Microsoft.Storage", "Microsoft.Web"),
)

Az = Callable[[list[str]], Any]
"""Runs ``az`` with arguments and returns its decoded JSON."""


class AzError(Exception):
    """The command line is missing, is not logged in, or refused."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the deployment would go."""

    environment: str
    location: str
    model_location: str
    models: Mapping[str, int]
    """Name of a model to the thousands of tokens a minute that its deployment takes."""


def run_az(arguments: list[str]) -> Any:
    """Run the Azure command line.

    Raises:
        AzError: With the end of what it said.
    """
    try:
        done = subprocess.run(
            ["az", *arguments, "--output", "json", "--only-show-errors"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError:
        raise AzError("the Azure CLI is missing: https://aka.ms/azure-cli, then az login") from None
    except subprocess.TimeoutExpired:
        raise AzError(f"az {arguments[0]} did not answer within {TIMEOUT_S} s") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"code {done.returncode}"]
        raise AzError(f"az {' '.join(arguments[:3])}: {lines[-1]}")
    return json.loads(done.stdout or "null")


def check(infra: Path, target: Target, az: Az = run_az) -> Iterator[Finding]:
    """Login, providers, the region's plans and models, the compiler, the deployment itself."""
    try:
        account = az(["account", "show"])
    except AzError as err:
        yield Finding(CHECK, "Azure CLI", str(err))
        return
    for one in (_providers, _hosting, _models, _deployment):
        try:
            yield from one(infra, target, az)
        except AzError as err:
            yield Finding(CHECK, str(account.get("name")), str(err))


def _providers(infra: Path, target: Target, az: Az) -> Iterator[Finding]:
    found = az(["provider", "list", "--query", "[].{n:namespace,s:registrationState}"])
    states = {one["n"].lower(): one["s"] for one in found}
    for name in PROVIDERS:
        if states.get(name.lower()) != "Registered":
            yield Finding(CHECK, name, f"not registered: az provider register --namespace {name}")


def _hosting(infra: Path, target: Target, az: Az) -> Iterator[Finding]:
    places = {_plain(one["name"]) for one in az(["functionapp", "list-flexconsumption-locations"])}
    if _plain(target.location) not in places:
        yield Finding(CHECK, target.location, "has no Flex Consumption")
        return
    command = ["functionapp", "list-flexconsumption-runtimes", "--runtime", "python"]
    runtimes = az([*command, "--location", target.location])
    if not any(str(one.get("version")) == "3.13" for one in runtimes):
        yield Finding(CHECK, target.location, "Flex Consumption has no Python 3.13 there")


def _models(infra: Path, target: Target, az: Az) -> Iterator[Finding]:
    usage = az(["cognitiveservices", "usage", "list", "--location", target.model_location])
    left = {one["name"]["value"]: one["limit"] - one["currentValue"] for one in usage}
    for model, needed in target.models.items():
        key = f"OpenAI.GlobalStandard.{model}"
        if left.get(key, 0) < needed:
            text = f"{key}: {left.get(key, 0):.0f} of the {needed} thousand tokens a minute left"
            yield Finding(CHECK, target.model_location, text)


def _deployment(infra: Path, target: Target, az: Az) -> Iterator[Finding]:
    """The compiler, then ARM: names, SKUs and policies of the subscription, without a change."""
    az(["bicep", "build", "--file", str(infra / "main.bicep"), "--stdout"])
    az(["bicep", "build", "--file", str(infra / "events.bicep"), "--stdout"])
    values = [
        f"environmentName={target.environment}",
        f"location={target.location}",
        f"openAiLocation={target.model_location}",
    ]
    command = ["deployment", "sub", "what-if", "--no-pretty-print", "--location", target.location]
    planned = az([*command, "--template-file", str(infra / "main.bicep"), "--parameters", *values])
    new = [one for one in planned.get("changes", []) if one.get("changeType") == "Create"]
    kind = "/providers/Microsoft.Storage/storageAccounts/"
    names = {one["resourceId"].partition(kind)[2].partition("/")[0] for one in new}
    for name in sorted(names - {""}):
        if not az(["storage", "account", "check-name", "--name", name])["nameAvailable"]:
            yield Finding(CHECK, name, "the name of the storage account is taken")
    yield from _deleted(new, az)


def _deleted(new: list[Any], az: Az) -> Iterator[Finding]:
    """Vaults and AI accounts keep their names for a while after they were deleted."""
    ids = " ".join(str(one["resourceId"]).lower() for one in new)
    for command in (["keyvault", "list-deleted"], ["cognitiveservices", "account", "list-deleted"]):
        for one in az(command) or []:
            if f"/{one['name'].lower()}" in ids:
                yield Finding(
                    CHECK, one["name"], "was deleted and must be purged: azd down --purge"
                )


def _plain(name: str) -> str:
    return name.replace(" ", "").lower()
