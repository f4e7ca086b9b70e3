"""Runs an app as it is deployed: from its zip, with the dependencies in it and no others."""

import importlib.util
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from simulator.functions_host.configuration import Keys
from simulator.functions_host.process import FunctionsHost

SITE_PACKAGES = ".python_packages/lib/site-packages"
"""Where the worker looks for an app's dependencies."""

_OWN = ("simulator", "croniter", "dateutil")
"""What the host needs and a package does not bring: itself, and what reads timers' schedules."""


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A package on the disk of an instance."""

    app: Path
    home: Path
    """Where the host finds its own code."""
    python: Path
    """Of the version that the package was made for."""


def unpack(package: Path, folder: Path, python: Path) -> Unpacked:
    """Lay a package out below *folder*, with times as a zip keeps them."""
    app, home = folder / "app", folder / "host"
    with zipfile.ZipFile(package) as archive:
        archive.extractall(app)
    home.mkdir()
    for name in _OWN:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(name)
        (home / name).symlink_to(Path(spec.origin).parent, target_is_directory=True)
    return Unpacked(app, home, python)


class PackagedHost(FunctionsHost):
    """One instance of a packaged app."""

    def __init__(
        self,
        package: Unpacked,
        *,
        log_path: Path,
        env: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> None:
        """Describe the instance; nothing is started."""
        path = {"PYTHONPATH": str(package.app / SITE_PACKAGES)}
        super().__init__(package.app, log_path=log_path, env={**(env or {}), **path}, keys=keys)
        self.interpreter = (str(package.python), "-S")  # no packages but those on the path
        self.home = package.home
