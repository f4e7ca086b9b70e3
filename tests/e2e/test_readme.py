"""What the README tells a newcomer to type is typed here."""

import asyncio
import re
import signal
import sys
from pathlib import Path

import pytest

from simulator.stack import Plan, Stack
from tests.e2e.calls import QUICK

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def commands() -> list[str]:
    """The commands in the README's shell blocks, continued lines joined."""
    blocks = re.findall(r"^```sh\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip()]


@pytest.mark.parametrize("command", [one for one in commands() if one.startswith("make ")])
def test_readme_names_make_targets_that_ci_runs(command: str) -> None:
    """A target that CI does not run may be broken by the time somebody types it."""
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


async def test_readme_curl_commands_succeed() -> None:
    """Each of them, as printed, against everything that `make run` keeps up."""
    curls = [one for one in commands() if one.startswith("curl ")]
    assert len(curls) >= 5
    async with Stack(Plan(pace=QUICK)) as stack:
        app, acs, key = stack.front_door.url, stack.acs.endpoint, stack.function_key
        variables = f"APP={app} ACS={acs} KEY={key};"
        for command in curls:
            process = await asyncio.create_subprocess_shell(
                variables + command.replace("curl -s", "curl -sS --fail --max-time 20"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            output, errors = await process.communicate()
            assert process.returncode == 0, (command, errors)
            assert output.startswith(b"{"), command


async def test_readme_run_keeps_everything_up_until_interrupted() -> None:
    """`make run` prints where everything is, with commands to paste, and ends on Ctrl-C with 0."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "simulator.run", "--port", "0", "--acs-port", "0"),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            text = (await process.stdout.readuntil(b"Ctrl-C")).decode()
        assert text.count("curl -s") >= 3
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(30):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_readme_files_exist() -> None:
    """Every file and folder that the README points to is there."""
    named = re.findall(r"`((?:tests|shared|simulator|functions|docs)/[\w./]*)`", README)
    linked = re.findall(r"\]\(([\w./-]+)\)", README)
    missing = [name for name in {*named, *linked} if not (ROOT / name).exists()]
    assert missing == []
