"""The hook that lets calls reach a new deployment, with an Azure CLI that only writes down."""

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOOK = ROOT / "infra" / "scripts" / "postdeploy.sh"
GIVEN = {
    "AZURE_RESOURCE_GROUP": "rg-voice",
    "AZURE_FUNCTION_APP_NAME": "func-abc",
    "EVENT_TOPIC_NAME": "evgt-abc",
    "DEAD_LETTER_STORAGE_NAME": "stdlabc",
    "RETRY_S": "0",
}


def run(
    folder: Path, env: dict[str, str] = GIVEN, *, refusals: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the hook; `az` refuses so many times."""
    (folder / "az").write_text(
        "#!/bin/sh\n"
        f'printf "%s\\n" "$*" >> {folder}/asked\n'
        f'[ "$(wc -l < {folder}/asked)" -gt {refusals} ]\n'
    )
    (folder / "curl").write_text("#!/bin/sh\nexit 0\n")
    for name in ("az", "curl"):
        (folder / name).chmod(0o755)
    path = {"PATH": f"{folder}:/usr/bin:/bin"}
    return subprocess.run(
        [str(HOOK)], env={**env, **path}, capture_output=True, text=True, check=False
    )


def asked(folder: Path) -> list[str]:
    """What the Azure CLI was asked."""
    file = folder / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_postdeploy_subscribes_the_functions(tmp_path: Path) -> None:
    """To the topic, with the dead letters, from the template beside it; every called number."""
    done = run(tmp_path)
    assert done.returncode == 0, done.stderr
    (command,) = asked(tmp_path)
    assert command.startswith("deployment group create")
    assert f"--template-file {ROOT / 'infra' / 'events.bicep'}" in command
    for value in ("functionAppName=func-abc", "topicName=evgt-abc", "calledNumbers=[]"):
        assert value in command


def test_postdeploy_passes_on_the_called_numbers(tmp_path: Path) -> None:
    """One resource may have numbers that somebody else answers."""
    run(tmp_path, {**GIVEN, "CALLED_NUMBERS": '["+15550001111"]'})
    assert 'calledNumbers=["+15550001111"]' in asked(tmp_path)[0]


def test_postdeploy_waits_for_functions_that_are_not_listed_yet(tmp_path: Path) -> None:
    """ARM lists them some time after the package is there."""
    assert run(tmp_path, refusals=3).returncode == 0
    assert len(asked(tmp_path)) == 4


def test_postdeploy_gives_up_and_says_what_to_do(tmp_path: Path) -> None:
    """A deployment that no call reaches must not look like one that works."""
    done = run(tmp_path, refusals=99)
    assert done.returncode == 1
    assert len(asked(tmp_path)) == 6
    assert "run this script again" in done.stderr


@pytest.mark.parametrize("name", [name for name in GIVEN if name != "RETRY_S"])
def test_postdeploy_needs_to_know_where(name: str, tmp_path: Path) -> None:
    """Run by hand without azd's environment it does nothing, and names what it lacks."""
    done = run(tmp_path, {key: value for key, value in GIVEN.items() if key != name})
    assert done.returncode != 0
    assert name in done.stderr
    assert asked(tmp_path) == []
