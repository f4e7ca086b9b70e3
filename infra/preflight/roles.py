"""Who may do what: the table, and whether the template grants exactly that."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from infra.preflight.findings import Finding
from infra.preflight.templates import Resource, Templates

CHECK = "roles are complete"
TEMPLATE = "app/roles.bicep"

RBAC = "Microsoft.Authorization/roleAssignments"
COSMOS = "Microsoft.DocumentDB/databaseAccounts/sqlRoleAssignments"
REDIS = "Microsoft.Cache/redisEnterprise/databases/accessPolicyAssignments"


@dataclass(frozen=True, slots=True, order=True)
class Grant:
    """One role for one identity on one resource."""

    who: str
    """The parameter that holds the principal."""
    on: str
    """The symbol of the resource."""
    role: str
    """The id of the role, or the name of the policy."""


_APP, _ACS, _TOPIC = "appPrincipalId", "communicationPrincipalId", "topicPrincipalId"
_DEPLOYER = "deployerPrincipalId"

GRANTS: dict[Grant, str] = {
    Grant(_APP, "storage", "b7e6dc6d-f1e8-4753-8033-0f276bb0955b"): "Storage Blob Data Owner",
    Grant(_APP, "vault", "4633458b-17de-408a-b874-0445c86b69e6"): "Key Vault Secrets User",
    Grant(_APP, "insights", "3913510d-42f4-4e42-8a64-420c390055eb"): "Monitoring Metrics Publisher",
    Grant(
        _APP, "communication", "09976791-48a7-449e-bb21-39d1a415f350"
    ): "Communication and Email Service Owner",
    Grant(_APP, "speech", "f2dc8367-1007-4938-bd23-fe263f013447"): "Cognitive Services Speech User",
    Grant(_ACS, "speech", "a97b65f3-24c7-4388-baec-2e87135dc908"): "Cognitive Services User",
    Grant(_APP, "openAi", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"): "Cognitive Services OpenAI User",
    Grant(
        _DEPLOYER, "openAi", "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd"
    ): "Cognitive Services OpenAI User",
    Grant(
        _TOPIC, "deadLetters", "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
    ): "Storage Blob Data Contributor",
    Grant(_APP, "redisDatabase", "default"): "the only access policy of Azure Managed Redis",
    Grant(
        _APP, "cosmos", "00000000-0000-0000-0000-000000000002"
    ): "Cosmos DB Built-in Data Contributor",
    Grant(
        _DEPLOYER, "cosmos", "00000000-0000-0000-0000-000000000002"
    ): "Cosmos DB Built-in Data Contributor",
}
"""Every grant there must be and the name of its role; the reasons stand in the template."""


def check(templates: Templates) -> Iterator[Finding]:
    """Grants that are missing, that nobody asked for, or that stand elsewhere or unexplained."""
    for one in _assignments(templates.resources()):
        if one.file != TEMPLATE:
            yield Finding(CHECK, one.place, f"roles stand in {TEMPLATE} only")
    file = templates.files.get(TEMPLATE)
    if file is None:
        yield Finding(CHECK, TEMPLATE, "is missing or does not parse")
        return
    ids = {name: str(one["value"]) for name, one in file.declared("variables").items()}
    assigned = _assignments(file.resources())
    yield from _compared(Counter(_grant_of(one, ids) for one in assigned))
    lines = file.text.splitlines()
    for one in assigned:
        at = next(n for n, line in enumerate(lines) if line.startswith(f"resource {one.symbol} "))
        if not lines[at - 1].startswith("// "):
            yield Finding(CHECK, one.place, "the reason is missing above it")


def _assignments(every: Iterable[Resource]) -> list[Resource]:
    return [one for one in every if one.type in (RBAC, COSMOS, REDIS)]


def _compared(found: Counter[Grant]) -> Iterator[Finding]:
    for grant, name in GRANTS.items():
        if grant not in found:
            yield Finding(CHECK, TEMPLATE, f"{grant.who} needs {name} on {grant.on}")
    for grant, count in found.items():
        if grant not in GRANTS:
            text = f"{grant.who} has {grant.role} on {grant.on}, which is not in the table"
            yield Finding(CHECK, TEMPLATE, text)
        if count > 1:
            yield Finding(CHECK, TEMPLATE, f"{grant.who} has {grant.role} on {grant.on} twice")


def _grant_of(one: Resource, ids: dict[str, str]) -> Grant:
    if one.type == REDIS:
        who, role = one.get("properties.user.objectId"), one.get("properties.accessPolicyName")
        return Grant(str(who), str(one.get("parent")), str(role))
    role = _role_name(one.get("properties.roleDefinitionId"))
    on = one.get("parent") if one.type == COSMOS else one.get("scope")
    return Grant(str(one.get("properties.principalId")), str(on), ids.get(role, role))


def _role_name(value: Any) -> str:
    """The variable in ``subscriptionResourceId(type, x)`` or ``${cosmos.id}/…/${x}``."""
    if isinstance(value, str):
        return value.rpartition("${")[2].removesuffix("}")
    parameters = value["function"]["parameters"] if isinstance(value, dict) else {}
    return str(parameters.get("resource_name_1", value))
