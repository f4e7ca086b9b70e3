"""The pipeline does what everybody can do, and holds no secret."""

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8")
WORKFLOW: dict[str, Any] = yaml.safe_load(TEXT)
JOBS: dict[str, Any] = WORKFLOW["jobs"]


def commands(job: str) -> list[str]:
    """What a job runs itself."""
    return [step["run"] for step in JOBS[job]["steps"] if "run" in step]


def test_workflow_runs_what_the_checkout_runs() -> None:
    """Nothing is checked only there: each command is one of .ci/run."""
    everything = (ROOT / ".ci" / "run").read_text().splitlines()
    for job in ("check", "test", "package"):
        assert commands(job), job
        assert set(commands(job)) <= set(everything), job


def test_workflow_deploys_only_what_was_checked_tested_and_tried() -> None:
    """From the main branch, after the three jobs, the very zip of the third."""
    deploy = JOBS["deploy"]
    assert set(deploy["needs"]) == {"check", "test", "package"}
    assert "refs/heads/main" in deploy["if"]
    assert "pull_request" in deploy["if"]
    assert deploy["env"]["PACKAGED"] == "true"
    uploaded = next(one for one in JOBS["package"]["steps"] if "upload" in one.get("uses", ""))
    assert uploaded["with"]["path"] == "dist/app.zip"
    assert any("--from-package dist/app.zip" in one for one in commands("deploy"))
    assert "make smoke" in commands("deploy")[-1]


def test_workflow_logs_in_by_trust_and_without_a_secret() -> None:
    """Only the deploying job may ask for a token, and nothing is read from the secrets."""
    assert "secrets." not in TEXT
    assert WORKFLOW["permissions"] == {"contents": "read"}
    may_ask = [name for name, job in JOBS.items() if "id-token" in job.get("permissions", {})]
    assert may_ask == ["deploy"]


def test_workflow_hands_over_parameters_that_exist() -> None:
    """A misspelt variable would deploy the default without a word."""
    parameters = (ROOT / "infra" / "main.parameters.json").read_text()
    taken = set(re.findall(r"\$\{([A-Z_]+)", parameters))
    own = {"AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_SUBSCRIPTION_ID", "PACKAGED"}
    assert set(JOBS["deploy"]["env"]) - own <= taken


def test_workflow_jobs_end() -> None:
    """A job that hangs is stopped, and not six hours later."""
    assert all(job["timeout-minutes"] <= 60 for job in JOBS.values())
