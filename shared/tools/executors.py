"""The shapes an executor may have, reduced to one.

An executor is a function, a callable object or a partial, sync or async. It takes nothing, the
arguments as one object, a Pydantic model of them, or the schema's properties by keyword; and, if
it asks for it (by the name ``context`` or the annotation), the `ToolContext`. Parameters with a
default that the schema does not know are left alone. Which of these it is, is decided once, when
the tool is registered.
"""

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable
from inspect import Parameter
from typing import TypeGuard

from pydantic import BaseModel, ValidationError

from shared.tools.context import ToolContext
from shared.tools.failures import InvalidArgumentsError, ToolDefinitionError
from shared.tools.registration import Executor
from shared.types import Json

Bound = tuple[list[object], dict[str, object]]
Bind = Callable[[Json, ToolContext], Bound]
Invoke = Callable[[Json, ToolContext], Awaitable[object]]

_CONTEXT = "context"


def build_invoke(executor: Executor, schema: Json) -> Invoke:
    """How to call *executor* with validated arguments.

    Args:
        executor: See above. A sync one runs in a thread, so a timeout leaves it running.
        schema: The parameters, as `closed_parameters` returns them.

    Raises:
        ToolDefinitionError: The signature does not fit the schema.
    """
    bind = _build_bind(_parameters(executor, schema), schema)
    is_async = _is_async(executor)

    async def invoke(arguments: Json, context: ToolContext) -> object:
        positional, named = bind(arguments, context)
        if is_async:
            outcome = executor(*positional, **named)
        else:
            outcome = await asyncio.to_thread(executor, *positional, **named)
        return await outcome if inspect.isawaitable(outcome) else outcome

    return invoke


def _is_async(executor: Executor) -> bool:
    while isinstance(executor, functools.partial):
        executor = executor.func
    return inspect.iscoroutinefunction(executor) or inspect.iscoroutinefunction(
        getattr(type(executor), "__call__", None)  # noqa: B004 - the function itself is wanted
    )


def _parameters(executor: Executor, schema: Json) -> list[Parameter]:
    if not callable(executor):
        raise ToolDefinitionError("the executor cannot be called")
    try:
        signature = inspect.signature(executor, eval_str=True)
    except NameError:
        # An annotation that exists only for type checkers; names have to do.
        signature = inspect.signature(executor)
    except (TypeError, ValueError) as err:
        raise ToolDefinitionError("the executor has no readable signature") from err
    return [
        parameter
        for parameter in signature.parameters.values()
        if parameter.kind is not Parameter.VAR_POSITIONAL
        and (
            parameter.default is Parameter.empty
            or parameter.name in schema["properties"]
            or _is_context(parameter, schema)
        )
    ]


def _is_context(parameter: Parameter, schema: Json) -> bool:
    if parameter.kind is Parameter.VAR_KEYWORD:
        return False
    is_named_so = parameter.name == _CONTEXT and _CONTEXT not in schema["properties"]
    return is_named_so or parameter.annotation is ToolContext


def _build_bind(parameters: list[Parameter], schema: Json) -> Bind:
    rest = [each for each in parameters if not _is_context(each, schema)]
    if len(rest) == 1 and _takes_object(rest[0], schema):
        return _bind_object(parameters, rest[0])
    _check_keywords(parameters, rest, schema)
    contexts = [each.name for each in parameters if _is_context(each, schema)]

    def bind(arguments: Json, context: ToolContext) -> Bound:
        keywords: dict[str, object] = dict(arguments) if rest else {}
        keywords.update(dict.fromkeys(contexts, context))
        return [], keywords

    return bind


def _takes_object(only: Parameter, schema: Json) -> bool:
    """Whether a lone parameter takes all arguments at once, or is itself one of them."""
    if only.kind is Parameter.VAR_KEYWORD:
        return False
    if only.name not in schema["properties"] or _is_model(only.annotation):
        return True
    return getattr(only.annotation, "__origin__", only.annotation) is dict


def _is_model(annotation: object) -> TypeGuard[type[BaseModel]]:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _bind_object(parameters: list[Parameter], whole: Parameter) -> Bind:
    annotation = whole.annotation

    def bind(arguments: Json, context: ToolContext) -> Bound:
        value = _as_model(annotation, arguments) if _is_model(annotation) else arguments
        positional: list[object] = []
        named: dict[str, object] = {}
        for each in parameters:
            item = value if each is whole else context
            if each.kind is Parameter.POSITIONAL_ONLY:
                positional.append(item)
            else:
                named[each.name] = item
        return positional, named

    return bind


def _as_model(model: type[BaseModel], arguments: Json) -> BaseModel:
    try:
        return model.model_validate(arguments)
    except ValidationError as err:
        problems = "; ".join(
            f"{'/'.join(str(part) for part in each['loc']) or 'the arguments'}: {each['type']}"
            for each in err.errors(include_input=False, include_url=False, include_context=False)
        )
        # Without its cause, which quotes the values.
        raise InvalidArgumentsError(f"Invalid arguments: {problems}.") from None


def _check_keywords(parameters: list[Parameter], rest: list[Parameter], schema: Json) -> None:
    properties = set(schema["properties"])
    always = set(schema.get("required", ())) | {
        name
        for name, declared in schema["properties"].items()
        if isinstance(declared, dict) and "default" in declared
    }
    named = {each.name for each in rest if each.kind is not Parameter.VAR_KEYWORD}
    takes_all = len(named) < len(rest) or not rest
    needed = {each.name for each in rest if each.default is Parameter.empty and each.name in named}
    for names, problem in (
        (named - properties, "parameters that are not in the schema"),
        (set() if takes_all else properties - named, "properties that the executor does not take"),
        (needed & properties - always, "parameters without a default for optional properties"),
    ):
        if names:
            raise ToolDefinitionError(f"{problem}: {', '.join(sorted(names))}")
    if any(each.kind is Parameter.POSITIONAL_ONLY for each in parameters):
        raise ToolDefinitionError("properties are passed by keyword")
