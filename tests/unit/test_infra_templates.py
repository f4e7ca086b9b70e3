"""What the templates say, looked at without the code that the preflight checks them with."""

import json
import re
from pathlib import Path

import pytest
import yaml

from infra.preflight.templates import Resource, Templates, load
from shared.telemetry import names
from shared.telemetry.metrics import INSTRUMENTS

ROOT = Path(__file__).parents[2]
INFRA = ROOT / "infra"
CALLBACKS = (ROOT / "functions" / "http_callbacks.py").read_text()
QUERIES = sorted((INFRA / "queries").glob("*.kql"))

ROLE_IDS = {
    "Storage Blob Data Owner": "b7e6dc6d-f1e8-4753-8033-0f276bb0955b",
    "Storage Blob Data Contributor": "ba92f5b4-2d11-453d-a403-e96b0029c9fe",
    "Cognitive Services OpenAI User": "5e0bd9bd-7b93-4f28-af87-19fc36ad61bd",
    "Cognitive Services Speech User": "f2dc8367-1007-4938-bd23-fe263f013447",
    "Cognitive Services User": "a97b65f3-24c7-4388-baec-2e87135dc908",
    "Monitoring Metrics Publisher": "3913510d-42f4-4e42-8a64-420c390055eb",
    "Communication and Email Service Owner": "09976791-48a7-449e-bb21-39d1a415f350",
    "Cosmos DB Built-in Data Contributor": "00000000-0000-0000-0000-000000000002",
    "Key Vault Secrets User": "4633458b-17de-408a-b874-0445c86b69e6",
}


@pytest.fixture(scope="module")
def templates() -> Templates:
    """All templates, parsed."""
    found = load(INFRA)
    assert found.problems == ()
    return found


def only(templates: Templates, kind: str) -> Resource:
    """The one resource of a type."""
    (one,) = templates.resources(kind)
    return one


@pytest.mark.parametrize("role", ROLE_IDS)
def test_roles_template_has_each_role_by_its_id(role: str) -> None:
    """An id that is one digit off grants nothing, and nobody says so."""
    assert f"'{ROLE_IDS[role]}'" in (INFRA / "app" / "roles.bicep").read_text()


def test_roles_template_has_no_id_but_these() -> None:
    """A role that is not in the table has no reason."""
    text = "".join(path.read_text() for path in INFRA.rglob("*.bicep"))
    guids = set(re.findall(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", text))
    assert guids == set(ROLE_IDS.values())


def test_templates_read_no_keys_and_leave_no_local_authentication() -> None:
    """We authenticate by identity, everywhere."""
    text = "".join(path.read_text() for path in INFRA.rglob("*.bicep"))
    assert "listkeys" not in text.lower()
    assert not re.search(r"disableLocalAuth:\s*false", text, re.IGNORECASE)
    assert not re.search(r"allowSharedKeyAccess:\s*true", text)
    assert len(re.findall(r"disableLocalAuth:\s*true", text, re.IGNORECASE)) == 6


def test_function_template_is_what_was_tested(templates: Templates) -> None:
    """Plan, runtime, memory, concurrency, warm instances, updates."""
    assert only(templates, "Microsoft.Web/serverfarms").get("sku.name") == "FC1"
    config = only(templates, "Microsoft.Web/sites").get("properties.functionAppConfig")
    assert config["runtime"] == {"name": "python", "version": "3.13"}
    assert config["siteUpdateStrategy"] == {"type": "RollingUpdate"}
    scale = config["scaleAndConcurrency"]
    assert scale["instanceMemoryMB"] == 2048
    assert scale["alwaysReady"] == [{"name": "http", "instanceCount": "alwaysReadyInstances"}]
    assert scale["triggers"]["http"]["perInstanceConcurrency"] == "httpConcurrency"
    defaults = templates.files["main.bicep"].declared("parameters")
    assert defaults["httpConcurrency"]["default"] == 16
    assert defaults["alwaysReadyInstances"]["default"] == 1


@pytest.mark.parametrize(
    "name", ["FUNCTIONS_WORKER_RUNTIME", "WEBSITE_RUN_FROM_PACKAGE", "AzureWebJobsStorage"]
)
def test_templates_set_nothing_that_flex_refuses(name: str) -> None:
    """As a setting's name; longer names that begin so are other settings."""
    text = (INFRA / "app" / "settings.bicep").read_text()
    assert not re.search(rf"^\s*{name}:", text, re.MULTILINE)


def test_signing_key_is_a_reference_into_the_vault(templates: Templates) -> None:
    """No setting holds a secret; the app reads this one by its identity."""
    settings = only(templates, "Microsoft.Web/sites/config").get("properties")
    assert str(settings["CALLBACK_SIGNING_KEY"]).startswith("@Microsoft.KeyVault(SecretUri=")
    site = only(templates, "Microsoft.Web/sites")
    assert site.get("properties.keyVaultReferenceIdentity") == "identityId"


def test_every_resource_that_can_be_tagged_is(templates: Templates) -> None:
    """`azd down` and the bill find what carries the environment's name."""
    taggable = [one for one in templates.resources() if one.get("location") is not None]
    assert len(taggable) > 20
    assert [one.place for one in taggable if one.get("tags") is None] == []


def test_parameters_file_takes_every_decision_of_whoever_deploys() -> None:
    """Values come from the azd environment, and none is a secret."""
    text = (INFRA / "main.parameters.json").read_text()
    values = json.loads(text)["parameters"]
    assert all(one["value"].startswith("${") for one in values.values())
    assert "newSigningKey" not in values


def test_hooks_are_the_same_on_both_systems() -> None:
    """Whoever deploys from Windows gets the same subscriptions."""
    azure = yaml.safe_load((ROOT / "azure.yaml").read_text())
    posix = (ROOT / azure["hooks"]["postdeploy"]["posix"]["run"]).read_text()
    windows = (ROOT / azure["hooks"]["postdeploy"]["windows"]["run"]).read_text()
    for name in ("functionAppName=", "topicName=", "deadLetterStorageName=", "calledNumbers="):
        assert name in posix, name
        assert name in windows, name
    assert (ROOT / azure["hooks"]["postdeploy"]["posix"]["run"]).stat().st_mode & 0o111


def test_every_query_is_a_chart_of_the_workbook() -> None:
    """Who is woken by an alert finds its curve."""
    workbook = (INFRA / "app" / "workbook.bicep").read_text()
    assert len(QUERIES) >= 8
    assert [path.name for path in QUERIES if f"queries/{path.name}" not in workbook] == []


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_begins_with_what_it_answers(path: Path) -> None:
    """It is read at three in the morning."""
    first, *rest = path.read_text().splitlines()
    assert first.startswith("// ")
    assert rest[0] in ("dependencies", "customMetrics", "requests")


def test_alerts_look_at_columns_that_their_queries_give() -> None:
    """A column with another name would never be more than any threshold."""
    alerts = (INFRA / "app" / "alerts.bicep").read_text()
    pairs = re.findall(r"queries/([\w-]+\.kql)'\)\s+column: '(\w+)'", alerts)
    assert len(pairs) == 3
    for name, column in pairs:
        assert f"{column} =" in (INFRA / "queries" / name).read_text(), name


@pytest.mark.parametrize("path", QUERIES, ids=lambda path: path.stem)
def test_query_asks_for_names_that_the_app_sends(path: Path) -> None:
    """A renamed metric leaves an empty chart and an alert that never fires."""
    text = path.read_text().partition("\n")[2]
    spans = set(re.findall(r'dependencies\s*\| where name == "([\w ]+)"', text))
    measured = set(re.findall(r'customMetrics\s*\| where name == "([\w.]+)"', text))
    functions = set(re.findall(r'requests\s*\| where name == "(\w+)"', text))
    assert len(spans | measured | functions) == 1
    known = {one for one in vars(names).values() if isinstance(one, str)}
    instruments = {one.name: one for one in INSTRUMENTS}
    assert spans <= known
    assert measured <= set(instruments)
    assert all(f"async def {one}(" in CALLBACKS for one in functions)
    labels = {label for one in measured for label in instruments[one].labels}
    asked = set(re.findall(r'(?:customDimensions\["|startswith ")([\w.]+)"', text))
    assert asked <= known | labels
