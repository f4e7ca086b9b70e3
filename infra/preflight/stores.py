"""No keys, nothing public, nothing lost: what every store and account must say."""

from collections.abc import Iterator
from typing import Any

from infra.preflight.findings import Finding
from infra.preflight.templates import Resource, Templates

CHECK = "stores"

STORAGE = "Microsoft.Storage/storageAccounts"
SUBSCRIPTION = "Microsoft.EventGrid/systemTopics/eventSubscriptions"
_REDIS = "Microsoft.Cache/redisEnterprise"
_COSMOS = "Microsoft.DocumentDB/databaseAccounts"
_AI = "Microsoft.CognitiveServices/accounts"

WANTED: dict[str, dict[str, object]] = {
    STORAGE: {
        "properties.allowSharedKeyAccess": False,
        "properties.allowBlobPublicAccess": False,
        "properties.minimumTlsVersion": "TLS1_2",
        "properties.supportsHttpsTrafficOnly": True,
    },
    _AI: {"properties.disableLocalAuth": True},
    _COSMOS: {"properties.disableLocalAuth": True, "properties.minimalTlsVersion": "Tls12"},
    _REDIS: {"properties.minimumTlsVersion": "1.2", "properties.highAvailability": "Enabled"},
    f"{_REDIS}/databases": {
        "properties.accessKeysAuthentication": "Disabled",
        "properties.clientProtocol": "Encrypted",
        "properties.clusteringPolicy": "EnterpriseCluster",
        "properties.evictionPolicy": "NoEviction",
    },
    "Microsoft.Communication/communicationServices": {
        "properties.disableLocalAuth": True,
        "identity.type": "SystemAssigned",
    },
    "Microsoft.Insights/components": {"properties.DisableLocalAuth": True},
    "Microsoft.OperationalInsights/workspaces": {"properties.features.disableLocalAuth": True},
    "Microsoft.KeyVault/vaults": {"properties.enableRbacAuthorization": True},
    "Microsoft.Web/sites/basicPublishingCredentialsPolicies": {"properties.allow": False},
}
"""By type: what every resource of it must say. There must be at least one of each."""

PUBLIC: dict[tuple[str, str], str] = {
    ("app/storage.bicep", "deadLetters"): "Event Grid comes as a trusted service; all else is shut",
    ("app/ai.bicep", "speech"): "ACS comes from outside, by its identity",
}
"""The accounts that stay reachable, and why; all others follow `vnetEnabled`."""

_PRIVATE_TYPES = (STORAGE, _AI, _COSMOS, _REDIS, "Microsoft.KeyVault/vaults")
_EVENTS = {
    "Microsoft.Communication.IncomingCall": ("on_incoming_call", 2, 1),
    "Microsoft.Communication.RecordingFileStatusUpdated": ("on_recording_ready", 10, 720),
}
"""Event to function, attempts, and minutes to live: a ring lasts thirty seconds."""


def check(templates: Templates) -> Iterator[Finding]:
    """Local authentication, the public network, TLS, vectors, and how events are delivered."""
    for kind, wanted in WANTED.items():
        found = templates.resources(kind)
        if not found:
            yield Finding(CHECK, "main.bicep", f"there is no {kind}")
        for one in found:
            for path, value in wanted.items():
                if one.get(path) != value:
                    yield Finding(CHECK, one.place, f"{path} must be {value}")
    for kind in _PRIVATE_TYPES:
        for one in templates.resources(kind):
            yield from _network(one)
    main = templates.files.get("main.bicep")
    if main and main.declared("parameters").get("vnetEnabled", {}).get("default") is not True:
        yield Finding(CHECK, "main.bicep", "vnetEnabled must be true unless somebody says no")
    yield from _vectors(templates)
    yield from _events(templates)


def _network(one: Resource) -> Iterator[Finding]:
    access = one.get("properties.publicNetworkAccess")
    if (one.file, one.symbol) in PUBLIC:
        return
    if not _follows_network(access, "Disabled"):
        yield Finding(CHECK, one.place, "publicNetworkAccess must be off where vnetEnabled is on")
    rules = one.get("properties.networkAcls.defaultAction")
    if rules is not None and not _follows_network(rules, "Deny"):
        yield Finding(CHECK, one.place, "networkAcls must deny where vnetEnabled is on")


def _follows_network(value: Any, private: str) -> bool:
    if value == private:
        return True
    try:
        operands = value["operator"]["operands"]
        return bool(operands["condition"] == "vnetEnabled" and operands["true_value"] == private)
    except (KeyError, TypeError):
        return False


def _vectors(templates: Templates) -> Iterator[Finding]:
    for one in templates.resources(_COSMOS):
        has = {part.get("name") for part in one.get("properties.capabilities") or []}
        for name in sorted({"EnableNoSQLVectorSearch", "EnableNoSQLFullTextSearch"} - has):
            yield Finding(CHECK, one.place, f"capability {name} is missing")
    containers = templates.resources(f"{_COSMOS}/sqlDatabases/containers")
    policy = "properties.resource.vectorEmbeddingPolicy.vectorEmbeddings"
    vectors = [one for one in containers if one.get(policy)]
    if not vectors:
        yield Finding(CHECK, "app/cosmos.bicep", "no container has vectors")
    for one in vectors:
        index = one.get("properties.resource.indexingPolicy") or {}
        excluded = {part["path"] for part in index.get("excludedPaths", [])}
        indexed = {part["path"] for part in index.get("vectorIndexes", [])}
        for path in (part["path"] for part in one.get(policy)):
            if path not in indexed or f"{path}/*" not in excluded:
                text = f"{path} must be a vector index, and excluded from the other one"
                yield Finding(CHECK, one.place, text)


def _events(templates: Templates) -> Iterator[Finding]:
    if not any(one.get("identity.type") == "SystemAssigned" for one in _topics(templates)):
        yield Finding(CHECK, "app/communication.bicep", "the topic needs an identity")
    left = dict(_EVENTS)
    for one in templates.resources(SUBSCRIPTION):
        types = one.get("properties.filter.includedEventTypes") or []
        function, attempts, minutes = (
            left.pop(types[0], ("", 0, 0)) if len(types) == 1 else ("",) * 3
        )
        if not function:
            yield Finding(CHECK, one.place, "a subscription takes one known type of event")
            continue
        if not str(one.get("properties.destination.properties.resourceId")).endswith(
            f"/{function}"
        ):
            yield Finding(CHECK, one.place, f"must go to {function}")
        policy = one.get("properties.retryPolicy") or {}
        given = (policy.get("maxDeliveryAttempts"), policy.get("eventTimeToLiveInMinutes"))
        if given != (attempts, minutes):
            yield Finding(CHECK, one.place, f"must try {attempts} times within {minutes} minutes")
        if not one.get("properties.deadLetterWithResourceIdentity"):
            yield Finding(CHECK, one.place, "has no dead letters: what is lost would be unknown")
    for event in left:
        yield Finding(CHECK, "events.bicep", f"nothing subscribes to {event}")


def _topics(templates: Templates) -> list[Resource]:
    return templates.resources("Microsoft.EventGrid/systemTopics")
