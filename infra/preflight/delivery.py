"""Do azd, its hooks and the templates speak of the same things?"""

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from infra.preflight.findings import Finding
from infra.preflight.templates import Templates

CHECK = "azd"
HOOKS = ("infra/scripts/postdeploy.sh", "infra/scripts/postdeploy.ps1")
_NEEDED = re.compile(r"\$(?:\{|env:)([A-Z][A-Z_]+)")
_OPTIONAL = frozenset({"CALLED_NUMBERS", "RETRY_S"})
"""Set by hand with ``azd env set``."""


def check(templates: Templates, root: Path) -> Iterator[Finding]:
    """The service's tag, the hooks' files, and what they need from the outputs."""
    azure = yaml.safe_load((root / "azure.yaml").read_text(encoding="utf-8"))
    outputs = set(templates.files["main.bicep"].declared("outputs")) if templates.files else set()
    tags = str([one.get("tags") for one in templates.resources("Microsoft.Web/sites")])
    for service, body in azure["services"].items():
        if "azd-service-name" not in tags or f"'{service}'" not in tags:
            text = f"no site has the tag azd-service-name: {service}"
            yield Finding(CHECK, "app/function.bicep", text)
        if body.get("remoteBuild") is not False:
            text = f"{service} must not be built remotely: that undoes what was compiled"
            yield Finding(CHECK, "azure.yaml", text)
    for system in ("posix", "windows"):
        script = azure["hooks"]["postdeploy"][system]["run"]
        if script.removeprefix("./") not in HOOKS or not (root / script).is_file():
            yield Finding(CHECK, "azure.yaml", f"the postdeploy hook {script} does not exist")
    for hook in HOOKS:
        text = (root / hook).read_text(encoding="utf-8")
        for name in sorted(set(_NEEDED.findall(text)) - outputs - _OPTIONAL):
            yield Finding(CHECK, hook, f"needs {name}, which main.bicep does not give out")
        if "events.bicep" not in text:
            yield Finding(CHECK, hook, "does not subscribe to the events")
