"""Are the database's containers those that the app names? The app itself may create none."""

from collections.abc import Iterator
from typing import Any

from infra.preflight.findings import Finding
from infra.preflight.templates import Template, Templates
from shared.records.containers import CONTAINERS, KNOWLEDGE, PARTITION_FIELD

CHECK = "documents"
TEMPLATE = "app/cosmos.bicep"


def check(templates: Templates) -> Iterator[Finding]:
    """Names, lifetimes and partition of the containers."""
    file = templates.files.get(TEMPLATE)
    if file is None:
        yield Finding(CHECK, TEMPLATE, "is missing or does not parse")
        return
    given = {one["name"]: _number(file, one["ttl"]) for one in _value(file, "records") or []}
    if any(one.symbol == "knowledge" for one in file.resources()):
        given[KNOWLEDGE.name] = -1
    wanted = {one.name: one.ttl_s or -1 for one in CONTAINERS}
    for name in sorted(set(wanted) - set(given)):
        yield Finding(CHECK, TEMPLATE, f"container {name} is missing")
    for name in sorted(set(given) - set(wanted)):
        yield Finding(CHECK, TEMPLATE, f"container {name} is used by nothing")
    for name in sorted(set(given) & set(wanted)):
        if given[name] != wanted[name]:
            yield Finding(CHECK, TEMPLATE, f"documents of {name} must live {wanted[name]} s")
    if _value(file, "partitionPath") != f"/{PARTITION_FIELD}":
        yield Finding(CHECK, TEMPLATE, f"containers are partitioned by /{PARTITION_FIELD}")


def _value(file: Template, name: str) -> Any:
    return file.declared("variables").get(name, {}).get("value")


def _number(file: Template, value: Any) -> int | None:
    """A number, a negative one, or the variable that holds it."""
    if isinstance(value, str):
        value = _value(file, value)
    if isinstance(value, dict):
        value = -value["operator"]["operands"]["integer_value"]
    return value if isinstance(value, int) else None
