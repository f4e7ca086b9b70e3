"""Loads ``function_app.py`` and reads its functions by the worker's rules.

The rules are those of ``azure_functions_runtime`` (`loader`, `functions`): one app at the top
level, parameters equal to bindings, annotations that exist at run time. One broken function
loses the whole app. The host's own rules (names, routes, settings) cost only the function.
"""

import importlib
import inspect
import re
import sys
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import azure.functions as func
from azure.functions.meta import InConverter, OutConverter

SIMULATED_TRIGGERS = ("httpTrigger", "eventGridTrigger", "timerTrigger", "warmupTrigger")

_FUNCTION_NAME = re.compile(r"(?!host$)[a-z][\w-]{0,127}", re.IGNORECASE)
_BINDING_NAME = re.compile(r"\$return|[a-z](?:_?[a-z0-9])*", re.IGNORECASE)
_SETTING = re.compile(r"%([^%]+)%")


class IndexingError(Exception):
    """The app cannot be indexed; all of its functions are gone."""


class FunctionRejectedError(Exception):
    """The host refuses one function; the others are served."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexedFunction:
    """A function as the worker knows it."""

    name: str
    call: Callable[..., object]
    directory: str
    is_async: bool
    requires_context: bool
    trigger_type: str
    trigger_parameter: str
    decoder: type[InConverter]
    encoder: type[OutConverter] | None
    """None: the function has no ``$return`` binding and must return None."""
    route: str
    methods: tuple[str, ...]
    auth_level: str
    schedule: str
    is_run_on_startup: bool


def load_app(app_dir: Path) -> list[IndexedFunction]:
    """Import ``function_app`` of *app_dir* and index it; call it once per process.

    Whatever the app raises while it is imported comes through unchanged.

    Raises:
        IndexingError: The app breaks a rule of the worker.
    """
    sys.path.insert(0, str(app_dir))
    importlib.invalidate_caches()
    module = importlib.import_module("function_app")
    apps = [n for n in dir(module) if isinstance(getattr(module, n, None), func.FunctionRegister)]
    if len(apps) > 1:
        raise IndexingError("More than one FunctionApp or other top level function app instances")
    if not apps:
        raise IndexingError("Could not find top level function app instances in function_app.py")
    app: func.FunctionRegister = getattr(module, apps[0])
    return [_index(function) for function in app.get_functions()]


def check_by_host(function: IndexedFunction) -> None:
    """Apply the host's naming rules.

    Raises:
        FunctionRejectedError: This function is not served.
    """
    if not _FUNCTION_NAME.fullmatch(function.name):
        raise FunctionRejectedError(f"{function.name!r} is not a valid function name")
    if not _BINDING_NAME.fullmatch(function.trigger_parameter):
        raise FunctionRejectedError(f"the binding name {function.trigger_parameter!r} is not valid")


def resolve_settings(text: str, settings: Mapping[str, str]) -> str:
    """Replace every ``%NAME%`` in *text* by the setting of that name.

    Raises:
        FunctionRejectedError: There is no such setting.
    """

    def value(match: re.Match[str]) -> str:
        try:
            return settings[match[1]]
        except KeyError:
            raise FunctionRejectedError(f"%{match[1]}% does not resolve to a value") from None

    return _SETTING.sub(value, text)


def _index(function: func.Function) -> IndexedFunction:
    name = str(function.get_function_name())
    user_function = function.get_user_function()
    parameters = set(inspect.signature(user_function).parameters)
    annotations = typing.get_type_hints(user_function)
    bindings = {binding.name: binding for binding in function.get_bindings()}
    trigger = function.get_trigger()
    if trigger is None or trigger.type not in SIMULATED_TRIGGERS:
        raise IndexingError(f"{name}: this host simulates only {', '.join(SIMULATED_TRIGGERS)}")
    requires_context = _takes_context(name, parameters, set(bindings), annotations)
    returns = bindings.pop("$return", None)
    _match_parameters(name, parameters - {"context"} if requires_context else parameters, bindings)
    facts = trigger.get_dict_repr()
    return IndexedFunction(
        name=name,
        call=user_function,
        directory=str(Path(inspect.getfile(user_function)).parent),
        is_async=inspect.iscoroutinefunction(user_function),
        requires_context=requires_context,
        trigger_type=trigger.type,
        trigger_parameter=trigger.name,
        decoder=_decoder(name, trigger.type, annotations.get(trigger.name)),
        encoder=_encoder(name, str(returns.type), annotations.get("return")) if returns else None,
        route=str(facts.get("route") or name),
        methods=tuple(str(method) for method in facts.get("methods") or ()),
        auth_level=str(facts.get("authLevel") or "function").lower(),
        schedule=str(facts.get("schedule") or ""),
        is_run_on_startup=bool(facts.get("runOnStartup")),
    )


def _takes_context(
    name: str, parameters: set[str], bindings: set[str], annotations: Mapping[str, object]
) -> bool:
    if "context" not in parameters or "context" in bindings:
        return False
    annotation = annotations.get("context")
    if "context" in annotations and getattr(annotation, "__name__", "") != "Context":
        raise IndexingError(
            f"cannot load the {name} function: the context parameter is expected to be of type "
            f"azure.functions.Context, got {annotation!r}"
        )
    return True


def _match_parameters(name: str, parameters: set[str], bindings: Mapping[str, object]) -> None:
    if undeclared := parameters - set(bindings):
        raise IndexingError(
            f"cannot load the {name} function: the following parameters are declared in Python "
            f"but not in the function definition: {undeclared!r}"
        )
    if missing := set(bindings) - parameters:
        raise IndexingError(
            f"cannot load the {name} function: the following parameters are declared as bindings "
            f"but are not present in Python: {missing!r}"
        )


def _decoder(name: str, binding_type: str, annotation: object) -> type[InConverter]:
    converter: type[InConverter] = _converter(binding_type)
    if annotation is None:
        return converter
    if not isinstance(annotation, type):
        raise IndexingError(
            f"cannot load the {name} function: invalid non-type annotation {annotation!r}"
        )
    if not converter.check_input_type_annotation(annotation):
        raise IndexingError(
            f"cannot load the {name} function: type of the {binding_type} binding does not match "
            f"its Python annotation {annotation.__name__!r}"
        )
    return converter


def _encoder(name: str, binding_type: str, annotation: object) -> type[OutConverter]:
    if binding_type != "http":
        raise IndexingError(f"{name}: this host simulates no {binding_type} output")
    converter: type[OutConverter] = _converter(binding_type)
    if annotation is None:
        return converter
    if not isinstance(annotation, type):
        raise IndexingError(
            f"cannot load the {name} function: invalid non-type return annotation {annotation!r}"
        )
    if not converter.check_output_type_annotation(annotation):
        raise IndexingError(
            f"cannot load the {name} function: Python return annotation {annotation.__name__!r} "
            f"does not match binding type {binding_type!r}"
        )
    return converter


def _converter(binding_type: str) -> Any:
    # The library registers input and output converters in one untyped table.
    return func.get_binding_registry().get(binding_type)
