"""What the host serves of an app: its functions, sorted by how they are triggered."""

import logging
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from simulator.functions_host.configuration import HostJson, environment
from simulator.functions_host.indexing import (
    FunctionRejectedError,
    IndexedFunction,
    IndexingError,
    check_by_host,
    load_app,
    resolve_settings,
)
from simulator.functions_host.invocation import Invoker
from simulator.functions_host.routes import Route, RouteError, compile_route, without_duplicates
from simulator.functions_host.timers import Timer

logger = logging.getLogger("host.startup")


@dataclass(slots=True)
class HostedApp:
    """The functions by trigger; all empty when the app could not be loaded."""

    functions: dict[str, IndexedFunction] = field(default_factory=dict)
    routes: list[Route] = field(default_factory=list)
    timers: list[Timer] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    is_loaded: bool = False

    def of_type(self, trigger_type: str) -> dict[str, IndexedFunction]:
        """The functions with this trigger, by name."""
        return {n: f for n, f in self.functions.items() if f.trigger_type == trigger_type}


def host_app(app_dir: Path, host_json: HostJson, invoker: Invoker) -> HostedApp:
    """Load the app of *app_dir* inside the running loop.

    An app that cannot be loaded leaves the host without functions; a function the host rejects
    is left out. Both are logged and kept in `errors`; nothing is raised.
    """
    hosted = HostedApp()
    try:
        functions = load_app(app_dir)
    except Exception as err:  # noqa: BLE001 - whatever the app raises, the host stays up
        logger.critical("No functions: the app cannot be loaded\n%s", traceback.format_exc())
        text = str(err) if isinstance(err, IndexingError) else type(err).__name__
        hosted.errors.append(text)
        return hosted
    hosted.is_loaded = True
    candidates: list[Route] = []
    for function in functions:
        try:
            check_by_host(function)
            if function.trigger_type == "httpTrigger":
                route = resolve_settings(function.route, environment())
                candidates.append(
                    compile_route(function.name, route, function.methods, host_json.route_prefix)
                )
            elif function.trigger_type == "timerTrigger":
                schedule = resolve_settings(function.schedule, environment())
                hosted.timers.append(Timer(function, schedule, invoker))
            hosted.functions[function.name] = function
        except (FunctionRejectedError, RouteError) as err:
            _reject(hosted, f"The function {function.name} is in error: {err}")
    hosted.routes, dropped = without_duplicates(candidates)
    for loser in dropped:
        del hosted.functions[loser.function]
        _reject(hosted, f"The function {loser.function} is in error: its route is already in use")
    logger.info("Found the following functions: %s", ", ".join(sorted(hosted.functions)))
    return hosted


def _reject(hosted: HostedApp, message: str) -> None:
    logger.error("%s", message)
    hosted.errors.append(message)
