"""The numbers and names in the guides of deployment and operation."""

import re
from pathlib import Path

import pytest

from infra.preflight.quotas import TOKENS_PER_TURN, TURNS_PER_MINUTE, calls_at_once
from infra.preflight.roles import GRANTS

ROOT = Path(__file__).parents[2]
DEPLOYMENT = (ROOT / "docs" / "deployment.md").read_text(encoding="utf-8")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
ROWS = re.findall(
    r"^\| ([^|]+) \| ([\d.,]+)[^|]* \| ([\d.]+) \| ([\d.]+) \|$", DEPLOYMENT, re.MULTILINE
)


@pytest.mark.parametrize(("item", "quantity", "price", "usd"), ROWS, ids=lambda value: value[:24])
def test_cost_table_is_multiplied_correctly(item: str, quantity: str, price: str, usd: str) -> None:
    """Whoever changes a unit price changes the sum."""
    assert float(quantity.replace(",", "")) * float(price) == pytest.approx(float(usd), abs=0.006)


def test_cost_table_follows_from_what_it_assumes() -> None:
    """40 turns of 1.5 requests; 1,600 tokens in, 100 out; 120 characters; 24 seconds a minute."""
    quantities = {item: float(quantity.replace(",", "")) for item, quantity, _, _ in ROWS}
    assert len(ROWS) == 15
    assert quantities["Model, input tokens (uncached)"] == 1000 * 40 * 1.5 * 1600 / 1e6
    assert quantities["Model, output tokens"] == 1000 * 40 * 1.5 * 100 / 1e6
    assert quantities["Speech, neural voice"] == 1000 * 40 * 120 / 1e6
    assert quantities["Speech, recognition"] == round(1000 * 10 * 24 / 3600)
    assert quantities["Functions, one ready instance of 2 GB"] == pytest.approx(
        2 * 730 * 3600 / 1e6, abs=0.01
    )


def test_operations_guide_computes_as_the_preflight_does() -> None:
    """One arithmetic of the model's quota, in two places."""
    assert f"{TURNS_PER_MINUTE} turns a minute" in OPERATIONS
    assert f"{TOKENS_PER_TURN:,} tokens for a turn" in OPERATIONS
    assert f"100,000 tokens carry {calls_at_once(100_000)} calls" in OPERATIONS
    assert f"1,000,000 carry {calls_at_once(1_000_000)}" in OPERATIONS


def test_operations_guide_names_every_query() -> None:
    """A query that nobody explains is one that nobody looks at."""
    names = {path.name for path in (ROOT / "infra" / "queries").glob("*.kql")}
    listed = set(
        re.findall(r"^\| \[([\w-]+\.kql)\]\(\.\./infra/queries/\1\)", OPERATIONS, re.MULTILINE)
    )
    assert listed == names


def test_deployment_guide_names_variables_that_are_read() -> None:
    """By the parameters or by the hook."""
    read = (ROOT / "infra" / "main.parameters.json").read_text()
    read += (ROOT / "infra" / "scripts" / "postdeploy.sh").read_text()
    rows = re.findall(r"^\| (`[A-Z_]+`(?:, `[A-Z_]+`)*) \|", DEPLOYMENT, re.MULTILINE)
    table = [name for row in rows for name in re.findall(r"[A-Z_]+", row)]
    assert len(table) >= 8
    assert [name for name in table if f"${{{name}" not in read] == []


def test_deployment_guide_names_roles_as_azure_does() -> None:
    """Names are what people search for in the portal."""
    for name in ("Cognitive Services User", "Communication and Email Service Owner"):
        assert name in GRANTS.values()
        assert name in DEPLOYMENT


def test_guides_point_to_files_that_exist() -> None:
    """Of the templates too, which the test of all guides does not look for."""
    for name in re.findall(r"`((?:app/[\w-]+|events)\.bicep)`", DEPLOYMENT + OPERATIONS):
        assert (ROOT / "infra" / name).is_file(), name
    templates = {path.name for path in (ROOT / "infra" / "app").glob("*.bicep")}
    named = set(re.findall(r"app/([\w-]+\.bicep)", DEPLOYMENT))
    assert templates - named == {"alerts.bicep", "workbook.bicep"}
