"""Plays the demo call with the package that gets deployed: ``python -m infra.trial``."""

import argparse
import asyncio
import logging
import sys
import tempfile
from pathlib import Path

from infra.package import PYTHON_VERSION, ROOT, find_compiler
from simulator.acs import Pace
from simulator.demo import run
from simulator.functions_host.packaged import unpack
from simulator.stack import Plan, Stack

SPEED = 8.0


async def try_package(package: Path, python: Path) -> list[str]:
    """Unpack, start, let the caller ring; return what went wrong."""
    with tempfile.TemporaryDirectory(prefix="voice-agent-package-") as folder:
        unpacked = await asyncio.to_thread(unpack, package, Path(folder), python)
        pace = Pace(speed=SPEED, ring_s=30 * SPEED, context_s=300 * SPEED)
        async with Stack(Plan(package=unpacked, pace=pace)) as stack:
            return await run(stack)


def main(arguments: list[str] | None = None) -> int:
    """Try the package of the last ``make package``; 0 if the call was answered to its end."""
    parser = argparse.ArgumentParser(prog="python -m infra.trial", description=__doc__)
    parser.add_argument("--package", type=Path, default=ROOT / "dist" / "app.zip")
    package = parser.parse_args(arguments).package
    python = find_compiler(ROOT)
    if python is None:
        print(f"No Python {PYTHON_VERSION} here: the package cannot be tried.")
        return 0
    if not package.is_file():
        print(f"{package} does not exist: make package", file=sys.stderr)
        return 1
    print(f"The app out of {package.name}, on {python}\n", flush=True)
    problems = asyncio.run(try_package(package, python))
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    logging.basicConfig(level=logging.WARNING)
    sys.exit(main())
