"""Every mistake that has cost somebody an evening is found before the deployment."""

from pathlib import Path

import pytest

from infra.preflight.__main__ import main
from infra.preflight.quotas import calls_at_once, listed, models
from infra.preflight.templates import load
from tests.unit.infra_project import ROOT, changed, copied, findings

FUNCTION, SETTINGS = "infra/app/function.bicep", "infra/app/settings.bicep"
ROLES, EVENTS, MAIN = "infra/app/roles.bicep", "infra/events.bicep", "infra/main.bicep"
SPEECH_ROLE = """  name: guid(speech.id, communicationPrincipalId, cognitiveServicesUser)
  scope: speech
  properties: {
    principalId: communicationPrincipalId
"""
OWN_ROLE = SPEECH_ROLE.replace(
    "principalId: communicationPrincipalId", "principalId: appPrincipalId"
)
DEAD_LETTER = "    deadLetterWithResourceIdentity: deadLetter\n"
ALWAYS_READY = """        alwaysReady: [
          {
            name: 'http'
            instanceCount: alwaysReadyInstances
          }
        ]
"""
CONCURRENCY = """        triggers: {
          http: {
            perInstanceConcurrency: httpConcurrency
          }
        }
"""
PUBLIC = "publicNetworkAccess: vnetEnabled ? 'Disabled' : 'Enabled'"
KEY_ACCESS = "accessKeysAuthentication: 'Disabled'"

MISTAKES = {
    # roles
    "a role is missing": (ROLES, SPEECH_ROLE, OWN_ROLE, "communicationPrincipalId needs"),
    "a role id is wrong": (ROLES, "'b7e6dc6d-", "'b7e6dc6e-", "needs Storage Blob Data Owner"),
    "a role goes to the wrong place": (ROLES, "scope: openAi", "scope: speech", "on openAi"),
    "a reason is missing": (
        ROLES,
        "// Telemetry is sent with a token; local authentication is off.\n",
        "",
        "the reason is missing",
    ),
    # settings
    "a setting has a wrong name": (SETTINGS, "REDIS_HOST:", "REDIS_HOSTNAME:", "REDIS_HOST is"),
    "a setting is missing": (SETTINGS, "    LEASE_S: '20'\n", "", "LEASE_S is missing"),
    "a setting differs": (SETTINGS, "LEASE_S: '20'", "LEASE_S: '25'", "LEASE_S differs"),
    "the example forgets a setting": (
        "local.settings.example.json",
        '    "LEASE_S": "20",\n',
        "",
        "LEASE_S is missing",
    ),
    "a key is set": (
        SETTINGS,
        "    LEASE_S: '20'\n",
        "    LEASE_S: '20'\n    SPEECH_KEY: 'x'\n",
        "SPEECH_KEY must not be set",
    ),
    "a setting is not for Flex": (
        SETTINGS,
        "    LEASE_S: '20'\n",
        "    LEASE_S: '20'\n    WEBSITE_RUN_FROM_PACKAGE: '1'\n",
        "WEBSITE_RUN_FROM_PACKAGE must not be set",
    ),
    # hosting
    "a consumption plan": (FUNCTION, "name: 'FC1'", "name: 'Y1'", "must be FC1"),
    "an untested Python": (FUNCTION, "version: '3.13'", "version: '3.14'", "runtime is 3.14"),
    "a quarter of a core": (FUNCTION, "MB: 2048", "MB: 512", "instanceMemoryMB must be 2048"),
    "nothing is warm": (FUNCTION, ALWAYS_READY, "", "alwaysReady must name http"),
    "nothing is warm by default": (
        MAIN,
        "param alwaysReadyInstances int = 1",
        "param alwaysReadyInstances int = 0",
        "alwaysReady must name http",
    ),
    "one call an instance": (FUNCTION, CONCURRENCY, "", "perInstanceConcurrency must be set"),
    "updates end calls": (FUNCTION, "'RollingUpdate'", "'Recreate'", "must be RollingUpdate"),
    "no time limit": ("host.json", '"functionTimeout"', '"functionTimeOut"', "functionTimeout"),
    "no Event Grid trigger": ("host.json", "extensionBundle", "bundle", "the bundle is missing"),
    # stores
    "a public Redis": (
        "infra/app/redis.bicep",
        PUBLIC,
        "publicNetworkAccess: 'Enabled'",
        "redis.b",
    ),
    "a Redis with keys": (
        "infra/app/redis.bicep",
        KEY_ACCESS,
        "accessKeysAuthentication: 'Enabled'",
        "accessKeysAuthentication must be Disabled",
    ),
    "a Redis of the wrong kind": (
        "infra/app/redis.bicep",
        "'EnterpriseCluster'",
        "'OSSCluster'",
        "clusteringPolicy must be EnterpriseCluster",
    ),
    "a public Cosmos": (
        "infra/app/cosmos.bicep",
        PUBLIC,
        "publicNetworkAccess: 'Enabled'",
        "cosmos",
    ),
    "a Cosmos with keys": (
        "infra/app/cosmos.bicep",
        "disableLocalAuth: true",
        "disableLocalAuth: false",
        "disableLocalAuth must be True",
    ),
    "a Cosmos without vectors": (
        "infra/app/cosmos.bicep",
        "name: 'EnableNoSQLVectorSearch'",
        "name: 'EnableMongo'",
        "EnableNoSQLVectorSearch is missing",
    ),
    "vectors in the ordinary index": (
        "infra/app/cosmos.bicep",
        "path: '/embedding/*'",
        "path: '/vector/*'",
        "/embedding must be a vector index",
    ),
    "storage with shared keys": (
        "infra/app/storage.bicep",
        "allowSharedKeyAccess: false",
        "allowSharedKeyAccess: true",
        "allowSharedKeyAccess must be False",
    ),
    "telemetry for everybody": (
        "infra/app/monitoring.bicep",
        "DisableLocalAuth: true",
        "DisableLocalAuth: false",
        "DisableLocalAuth must be True",
    ),
    "private only on request": (
        MAIN,
        "param vnetEnabled bool = true",
        "param vnetEnabled bool = false",
        "vnetEnabled must be true",
    ),
    "a container is missing": (
        "infra/app/cosmos.bicep",
        "name: 'cases'",
        "name: 'tickets'",
        "container cases is missing",
    ),
    "documents live too long": (
        "infra/app/cosmos.bicep",
        "archiveSeconds = 7776000",
        "archiveSeconds = 31104000",
        "documents of calls must live 7776000 s",
    ),
    "another partition": (
        "infra/app/cosmos.bicep",
        "partitionPath = '/partition'",
        "partitionPath = '/tenant'",
        "partitioned by /partition",
    ),
    # events
    "no dead letters": (EVENTS, DEAD_LETTER, "", "incomingCall: has no dead letters"),
    "calls tried for hours": (
        EVENTS,
        "maxDeliveryAttempts: 2",
        "maxDeliveryAttempts: 30",
        "2 times",
    ),
    "the wrong function": (
        EVENTS,
        "functions/on_incoming_call",
        "functions/incoming",
        "must go to",
    ),
    "recordings forgotten": (
        EVENTS,
        "RecordingFileStatusUpdated",
        "CallEnded",
        "nothing subscribes",
    ),
    # secrets
    "a key is read": (
        "infra/app/communication.bicep",
        "output name string = communication.name",
        "output name string = communication.listKeys().primaryKey",
        "a call that reads keys",
    ),
    "a connection string": (
        SETTINGS,
        "    LEASE_S: '20'\n",
        "    LEASE_S: '20' // AccountKey=abc\n",
        "a connection string with a key",
    ),
    # what the compiler would say
    "a bracket is missing": (MAIN, "module identity", "module {identity", "not Bicep"),
    "syntax that checkov cannot read": (
        MAIN,
        "param redisSku string =",
        "param other string?\nparam redisSku string =",
        "bicep parses: main.bicep",
    ),
    "a name is not declared": (
        FUNCTION,
        "serverFarmId: plan.id",
        "serverFarmId: farm.id",
        "farm is",
    ),
    "a parameter is not given": (
        MAIN,
        "    redisPort: redis.outputs.port\n",
        "",
        "parameter redisPort is missing",
    ),
    "a parameter does not exist": (
        MAIN,
        "    redisPort: redis.outputs.port\n",
        "    redisPort: redis.outputs.port\n    x: 1\n",
        "has no parameter x",
    ),
    "an output does not exist": (
        MAIN,
        "redis.outputs.port",
        "redis.outputs.ports",
        "no output ports",
    ),
    "a query does not exist": (
        "infra/app/alerts.bicep",
        "queries/failed-callbacks.kql",
        "queries/failed.kql",
        "does not exist",
    ),
    # azd
    "a remote build": ("azure.yaml", "remoteBuild: false", "remoteBuild: true", "built remotely"),
    "the wrong service": ("azure.yaml", "  api:\n", "  web:\n", "azd-service-name: web"),
    "a hook without its value": (
        MAIN,
        "output EVENT_TOPIC_NAME string",
        "output TOPIC_NAME string",
        "needs EVENT_TOPIC_NAME",
    ),
}


def test_preflight_finds_nothing_in_what_we_deploy() -> None:
    """The templates, the settings and the hooks as they stand may be deployed."""
    assert findings(ROOT) == []


@pytest.mark.parametrize("mistake", MISTAKES)
def test_preflight_finds_a_seeded_mistake(mistake: str, tmp_path: Path) -> None:
    """One mistake in a copy of the real files: it is found, and named."""
    name, before, after, expected = MISTAKES[mistake]
    root = copied(tmp_path)
    changed(root, name, before, after)
    assert any(expected in str(one) for one in findings(root)), findings(root)


def test_preflight_finds_a_missing_template(tmp_path: Path) -> None:
    """An empty folder is not a folder without mistakes."""
    root = copied(tmp_path)
    for path in (root / "infra").rglob("*.bicep"):
        path.unlink()
    assert any("there are no templates" in one.text for one in findings(root))


def test_preflight_prints_what_is_wrong_and_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit code is what CI looks at, the line is what its reader needs."""
    root = copied(tmp_path)
    changed(root, FUNCTION, "name: 'FC1'", "name: 'Y1'")
    assert main(["--without-checkov"], root) == 1
    assert "FAILED  hosting: app/function.bicep plan: must be FC1" in capsys.readouterr().out


def test_preflight_lists_the_quotas_that_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    """What nobody has granted yet stops a deployment halfway."""
    assert main(["--without-checkov"]) == 0
    text = capsys.readouterr().out
    quotas = list(listed(load(ROOT / "infra")))
    assert len(quotas) >= 5
    assert all(quota.name in text for quota in quotas)
    assert set(models(load(ROOT / "infra"))) == {"gpt-4o", "text-embedding-3-small"}


def test_quota_of_the_model_is_counted_in_calls() -> None:
    """A hundred thousand tokens a minute sound like a lot and are seven callers."""
    assert calls_at_once(100_000) == 7
    assert calls_at_once(0) == 0


def test_preflight_says_that_checkov_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Policies that were not looked at must not pass for policies that hold."""
    assert main([], copied(tmp_path)) == 1
    assert "make infra-venv" in capsys.readouterr().out
