"""``python -m infra.preflight``: everything that can be wrong before a deployment, at once."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from infra.preflight import (
    delivery,
    documents,
    hosting,
    live,
    names,
    policy,
    quotas,
    roles,
    secrets,
    stores,
    wiring,
)
from infra.preflight.findings import Finding
from infra.preflight.templates import load

ROOT = Path(__file__).resolve().parents[2]


def offline(root: Path) -> Iterator[Finding]:
    """Everything that needs neither network nor checkov."""
    infra = root / "infra"
    templates = load(infra)
    yield from templates.problems
    yield from secrets.check(root)
    if templates.problems:
        return  # what is missing from a file that does not parse would be found missing everywhere
    yield from wiring.check(templates, infra)
    yield from names.check(templates, root)
    yield from roles.check(templates)
    yield from hosting.check(templates, root)
    yield from stores.check(templates)
    yield from documents.check(templates)
    yield from delivery.check(templates, root)


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    """Print what is wrong and what quotas are needed; 1 if anything is wrong."""
    given = _options(arguments)
    infra = root / "infra"
    print("Templates, settings, roles, hosting, stores, secrets, azd ...", flush=True)
    found = list(offline(root))
    if given.without_checkov:
        print("checkov: left out")
    elif (checkov := policy.find_checkov(root)) is None:
        found.append(Finding(policy.CHECK, "checkov", "not installed: make infra-venv"))
    else:
        print("checkov ...", flush=True)
        found += policy.check(checkov, infra)
    if given.live:
        print("Azure ...", flush=True)
        model_location = given.model_location or given.location
        target = live.Target(
            environment=given.environment,
            location=given.location,
            model_location=model_location,
            models=quotas.models(load(infra)),
        )
        found += live.check(infra, target)
    for one in sorted(set(found)):
        print(f"FAILED  {one}")
    if not found:
        print("Nothing is wrong. Quotas that this needs:")
        for quota in quotas.listed(load(infra)):
            print(f"  {quota}")
    return 1 if found else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m infra.preflight", description=__doc__)
    parser.add_argument("--without-checkov", action="store_true", help="leave its policies out")
    parser.add_argument("--live", action="store_true", help="ask Azure as well (az login first)")
    parser.add_argument("--environment", default="preflight", help="of azd; for --live")
    parser.add_argument("--location", default="eastus2", help="for --live")
    parser.add_argument("--model-location", help="for --live; by default the same")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
