"""What the host is told: ``host.json``, ``local.settings.json`` and the command line."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

DEFAULT_FUNCTION_TIMEOUT_S = 1800.0
"""Flex Consumption and Premium; an app without ``functionTimeout`` in ``host.json``."""

THREADS_SET_BY_HOST = 1000
"""What the host puts into ``PYTHON_THREADPOOL_THREAD_COUNT`` where the app does not set it."""


class ConfigurationError(Exception):
    """A configuration file cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The host's keys; a key that is None is not enforced, as on a developer's machine."""

    function: str | None = None
    system: str | None = None
    master: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostJson:
    """What the host obeys of ``host.json``; -1 is unlimited."""

    route_prefix: str = "api"
    max_concurrent_requests: int = -1
    max_outstanding_requests: int = -1
    function_timeout_s: float = DEFAULT_FUNCTION_TIMEOUT_S


def read_host_json(app_dir: Path) -> HostJson:
    """Read ``host.json`` of an app; a missing file means the defaults.

    Raises:
        ConfigurationError: It is not JSON, or a value has the wrong form.
    """
    path = app_dir / "host.json"
    if not path.exists():
        return HostJson()
    document = _read_json(path)
    http = document.get("extensions", {}).get("http", {})
    return HostJson(
        route_prefix=str(http.get("routePrefix", "api")).strip("/"),
        max_concurrent_requests=int(http.get("maxConcurrentRequests", -1)),
        max_outstanding_requests=int(http.get("maxOutstandingRequests", -1)),
        function_timeout_s=_timeout_s(document.get("functionTimeout")),
    )


def apply_local_settings(path: Path) -> None:
    """Put ``Values`` of a settings file into the environment; what is set already stays.

    Raises:
        ConfigurationError: The file is not JSON, or ``Values`` is not an object of texts.
    """
    values = _read_json(path).get("Values", {})
    if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
        raise ConfigurationError(f"{path.name}: Values must be an object of texts")
    for name, value in values.items():
        environment().setdefault(name, value)


def environment() -> "os._Environ[str]":
    """The environment of this process, which is the app's."""
    return os.environ  # noqa: TID251 - the host makes the environment that the app reads


def thread_count() -> int:
    """How many threads run sync functions."""
    return int(environment().get("PYTHON_THREADPOOL_THREAD_COUNT", str(THREADS_SET_BY_HOST)))


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as err:
        raise ConfigurationError(f"{path.name} cannot be read: {err}") from err
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path.name} must be a JSON object")
    return cast("dict[str, Any]", document)


def _timeout_s(text: object) -> float:
    """``[d.]hh:mm:ss``, or -1 for no limit."""
    if text is None:
        return DEFAULT_FUNCTION_TIMEOUT_S
    if str(text) == "-1":
        return float("inf")
    days, _, clock = str(text).rpartition(".") if str(text).count(":") == 2 else ("", "", "")
    try:
        hours, minutes, seconds = (int(part) for part in clock.split(":"))
        return int(days or 0) * 86400.0 + hours * 3600 + minutes * 60 + seconds
    except ValueError as err:
        raise ConfigurationError("host.json: functionTimeout must be hh:mm:ss or -1") from err
