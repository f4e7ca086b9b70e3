"""Is the function app what it was tested as, and does Flex Consumption take it?"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.preflight.findings import Finding
from infra.preflight.templates import Resource, Templates

CHECK = "hosting"
PLAN, SITE = "Microsoft.Web/serverfarms", "Microsoft.Web/sites"

_SCALE = "properties.functionAppConfig.scaleAndConcurrency"
_WANTED: dict[str, tuple[object, str]] = {
    "kind": ("functionapp,linux", "Python runs on Linux only"),
    "properties.httpsOnly": (True, "callbacks carry tokens"),
    "properties.functionAppConfig.runtime.name": ("python", "the app is Python"),
    f"{_SCALE}.instanceMemoryMB": (2048, "512 MB has a quarter of a core: 8 s to import the app"),
    "properties.functionAppConfig.siteUpdateStrategy.type": (
        "RollingUpdate",
        "else an update ends calls in progress",
    ),
    "properties.functionAppConfig.deployment.storage.authentication.type": (
        "UserAssignedIdentity",
        "storage takes no keys",
    ),
    "identity.type": ("UserAssigned", "its roles must be there before the app is"),
}
_MAX_TIMEOUT_S = 230
"""The front end of Azure gives up on a request after this."""


def tested_python(root: Path) -> str:
    """The version of Python that the contract test with the real worker library runs on."""
    makefile = (root / "Makefile").read_text(encoding="utf-8")
    return "3.13" if ".venv-3.13/.ready:" in makefile else ""


def check(templates: Templates, root: Path) -> Iterator[Finding]:
    """Plan, runtime, concurrency, always-ready, updates; and host.json."""
    plans, sites = templates.resources(PLAN), templates.resources(SITE)
    if len(plans) != 1 or len(sites) != 1:
        yield Finding(CHECK, "app/function.bicep", "there must be one plan and one site on it")
    for plan in plans:
        if plan.get("sku.name") != "FC1" or plan.get("sku.tier") != "FlexConsumption":
            text = "must be FC1: Linux Consumption has no Python 3.13, always-ready or network"
            yield Finding(CHECK, plan.place, text)
    for site in sites:
        yield from _site(site, templates, tested_python(root))
    yield from _host_json(root)


def _site(site: Resource, templates: Templates, python: str) -> Iterator[Finding]:
    for path, (wanted, reason) in _WANTED.items():
        if site.get(path) != wanted:
            yield Finding(CHECK, site.place, f"{path} must be {wanted}: {reason}")
    version = site.get("properties.functionAppConfig.runtime.version")
    if version != python:
        text = f"runtime is {version}, and {python or 'none'} is what the tests run on"
        yield Finding(CHECK, site.place, text)
    ready = site.get(f"{_SCALE}.alwaysReady") or []
    counts = [one.get("instanceCount") for one in ready if one.get("name") == "http"]
    if not counts or _number(counts[0], templates) < 1:
        text = "alwaysReady must name http: else the first caller waits for a cold start"
        yield Finding(CHECK, site.place, text)
    concurrency = site.get(f"{_SCALE}.triggers.http.perInstanceConcurrency")
    if _number(concurrency, templates) < 2:
        text = "perInstanceConcurrency must be set: its default for Python is one call an instance"
        yield Finding(CHECK, site.place, text)
    if _number(site.get(f"{_SCALE}.maximumInstanceCount"), templates) < 1:
        yield Finding(CHECK, site.place, "maximumInstanceCount must be set: it bounds the bill")
    if site.get("properties.siteConfig.linuxFxVersion"):
        yield Finding(CHECK, site.place, "linuxFxVersion is not for Flex")


def _number(value: Any, templates: Templates) -> int:
    """*value*, or what main.bicep gives the parameter of that name by default."""
    if isinstance(value, str) and "main.bicep" in templates.files:
        known = templates.files["main.bicep"].declared("parameters")
        value = known.get(value, {}).get("default")
    return value if isinstance(value, int) else 0


def _host_json(root: Path) -> Iterator[Finding]:
    host: dict[str, Any] = json.loads((root / "host.json").read_text(encoding="utf-8"))
    if host.get("version") != "2.0":
        yield Finding(CHECK, "host.json", "version must be 2.0")
    bundle = host.get("extensionBundle", {})
    if bundle.get("id") != "Microsoft.Azure.Functions.ExtensionBundle" or "version" not in bundle:
        yield Finding(CHECK, "host.json", "the bundle is missing: it holds the Event Grid trigger")
    elif not str(bundle["version"]).startswith("[4."):
        yield Finding(CHECK, "host.json", "the bundle must be of version 4")
    for name in ("customHandler", "managedDependency"):
        if name in host:
            yield Finding(CHECK, "host.json", f"{name} is not for Python")
    parts = str(host.get("functionTimeout", "")).split(":")
    seconds = sum(int(part) * 60**n for n, part in enumerate(reversed(parts)) if part.isdigit())
    if not 0 < seconds <= 1800 or seconds < _MAX_TIMEOUT_S:
        text = f"functionTimeout must be set, between {_MAX_TIMEOUT_S} s and half an hour"
        yield Finding(CHECK, "host.json", text)
