"""The names of the settings: in the code, in the example for laptops, in the template for Azure."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from infra.preflight.findings import Finding
from infra.preflight.templates import Templates
from shared.errors import SettingsError
from shared.settings import Settings

CHECK = "settings agree"
TEMPLATE = "app/settings.bicep"

LOCAL_ONLY: Mapping[str, str] = {
    "FUNCTIONS_WORKER_RUNTIME": "Flex takes it from functionAppConfig, and must not be told twice",
    "AzureWebJobsStorage": "in Azure by identity: the three AzureWebJobsStorage__ settings",
    "ACS_ACCESS_KEY": "a key; in Azure the app has an identity",
    "AZURE_OPENAI_API_KEY": "a key; in Azure the app has an identity",
    "SPEECH_KEY": "a key; in Azure the app has an identity",
    "COSMOS_KEY": "a key; in Azure the app has an identity",
    "REDIS_URL": "may hold a password; in Azure REDIS_HOST and the identity",
    "SPEECH_HOST": "a container or a stand-in; in Azure SPEECH_ENDPOINT",
    "ACS_STORAGE_GATEWAY": "a stand-in, which must not be given our token",
    "ACS_ISSUER": "a stand-in's; the default is that of Azure",
    "ACS_JWKS_URL": "a stand-in's; the default is that of Azure",
}
"""Settings of the example that the template leaves out, and why."""

AZURE_ONLY: Mapping[str, str] = {
    "AzureWebJobsStorage__accountName": "the host's storage, by identity",
    "AzureWebJobsStorage__credential": "the host's storage, by identity",
    "AzureWebJobsStorage__clientId": "the host's storage, by identity",
    "APPLICATIONINSIGHTS_AUTHENTICATION_STRING": "read by host and worker: which identity sends",
}
"""Settings that the platform reads there and nothing reads on a laptop."""

READ_BY_HOST: Mapping[str, str] = {
    "SWEEP_SCHEDULE": "in a trigger, as %SWEEP_SCHEDULE%",
    "KEEP_WARM_SCHEDULE": "in a trigger, as %KEEP_WARM_SCHEDULE%",
    "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "by the worker: it configures OpenTelemetry",
    "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "by the worker: our loggers, and no SDK's",
    "OTEL_TRACES_SAMPLER": "by OpenTelemetry; its default here drops most of a call",
    "OTEL_TRACES_SAMPLER_ARG": "by OpenTelemetry: the share of traces that is kept",
    "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": "by OpenTelemetry; our own spans tell of these",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "by OpenTelemetry: which app and instance this is",
    "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "by the exporter: no statistics about itself",
    "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "by the exporter: no settings from elsewhere",
}
"""Settings that host, worker or SDK read, and `Settings` does not."""

GIVEN_BY_AZURE = frozenset({"IDENTITY_ENDPOINT"})
"""The platform sets these by itself."""

FORBIDDEN: Mapping[str, str] = {
    "FUNCTIONS_WORKER_RUNTIME": "functionAppConfig.runtime says it",
    "FUNCTIONS_WORKER_RUNTIME_VERSION": "functionAppConfig.runtime says it",
    "FUNCTIONS_EXTENSION_VERSION": "Flex has one",
    "FUNCTIONS_WORKER_PROCESS_COUNT": "not on Flex; a second process would have pools of its own",
    "WEBSITE_RUN_FROM_PACKAGE": "Flex always does, from its container",
    "WEBSITE_CONTENTAZUREFILECONNECTIONSTRING": "no file share on Flex",
    "WEBSITE_CONTENTSHARE": "no file share on Flex",
    "WEBSITE_TIME_ZONE": "not on Flex",
    "WEBSITE_VNET_ROUTE_ALL": "Flex always does",
    "SCM_DO_BUILD_DURING_DEPLOYMENT": "would undo what `make package` compiled",
    "ENABLE_ORYX_BUILD": "would undo what `make package` compiled",
    "AzureWebJobsStorage": "a connection string; storage takes no keys",
    "AzureWebJobsDashboard": "a connection string; storage takes no keys",
    "APPINSIGHTS_INSTRUMENTATIONKEY": "a key; local authentication is off",
    "ApplicationInsightsAgent_EXTENSION_VERSION": "an agent: everything would be sent twice",
    "PYTHON_ISOLATE_WORKER_DEPENDENCIES": "the worker may not start with it",
    "PYTHON_ENABLE_OPENTELEMETRY": "any text, also false, switches it on in older workers",
}
"""What Flex ignores, refuses, or is harmed by, and what is a secret."""


class _Recording(dict[str, str]):
    """An environment that notes what it is asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: set[str] = set()

    def get(self, name: str, default: object = None, /) -> str:
        self.asked.add(name)
        return str(default)


def of_code() -> set[str]:
    """What `Settings` reads, and what triggers are given by name."""
    env = _Recording()
    with suppress(SettingsError):  # everything is missing: only the questions count
        Settings.from_env(env)
    return env.asked - GIVEN_BY_AZURE


def of_example(root: Path) -> dict[str, str]:
    """What a newcomer copies, with its values."""
    text = (root / "local.settings.example.json").read_text(encoding="utf-8")
    values: dict[str, str] = json.loads(text)["Values"]
    return values


def of_template(templates: Templates) -> dict[str, object]:
    """What the app gets in Azure, with its values as they stand in the template."""
    file = templates.files.get(TEMPLATE)
    if file is None:
        return {}
    return {
        name.strip("'"): value
        for one in file.resources()
        if one.type == "Microsoft.Web/sites/config"
        for name, value in (one.get("properties") or {}).items()
    }


def check(templates: Templates, root: Path) -> Iterator[Finding]:
    """Every difference between the three that is not in one of the lists above."""
    code = of_code() | set(READ_BY_HOST)
    example, template = of_example(root), of_template(templates)
    for name in sorted(code - set(example)):
        yield Finding(CHECK, "local.settings.example.json", f"{name} is missing; the code reads it")
    for name in sorted(set(example) - code - set(LOCAL_ONLY)):
        yield Finding(CHECK, "local.settings.example.json", f"{name} is read by nothing")
    for name in sorted(code - set(template) - set(LOCAL_ONLY)):
        yield Finding(CHECK, TEMPLATE, f"{name} is missing; the code reads it")
    for name in sorted(set(template) - code - set(AZURE_ONLY)):
        yield Finding(CHECK, TEMPLATE, f"{name} is read by nothing")
    for name in sorted(set(AZURE_ONLY) - set(template)):
        yield Finding(CHECK, TEMPLATE, f"{name} is missing: {AZURE_ONLY[name]}")
    for name in sorted((set(FORBIDDEN) | set(LOCAL_ONLY)) & set(template)):
        reason = FORBIDDEN.get(name) or LOCAL_ONLY[name]
        yield Finding(CHECK, TEMPLATE, f"{name} must not be set: {reason}")
    yield from _differing(example, template)
    yield from _outside(templates)


def _differing(example: Mapping[str, str], template: Mapping[str, object]) -> Iterator[Finding]:
    """A plain number in the template and another one in the example: nobody knows which counts."""
    for name, value in template.items():
        is_plain = isinstance(value, str) and re.fullmatch(r"[\d.]+|[*/\d ]+", value)
        if is_plain and name in example and example[name] != value:
            yield Finding(CHECK, TEMPLATE, f"{name} differs from local.settings.example.json")


def _outside(templates: Templates) -> Iterator[Finding]:
    for one in templates.resources("Microsoft.Web/sites"):
        if one.get("properties.siteConfig.appSettings") is not None:
            yield Finding(CHECK, one.place, f"settings stand in {TEMPLATE} only")
