"""What the tests of the functions' boundary share."""

import importlib
import json
import pkgutil
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import azure.functions as func

import shared
from functions.boundary import http_boundary
from functions.wire import json_response
from shared import errors
from shared.auth.access import Access
from shared.calls.events import CommandFailure
from shared.calls.failures import TelephonyError
from shared.tools.failures import ToolRefusedError
from shared.types import Json

SAID = "my pin is 1234"

ARGUMENTS: dict[type[errors.AppError], Callable[[], errors.AppError]] = {
    ToolRefusedError: lambda: ToolRefusedError(SAID, missing="mfa"),
    TelephonyError: lambda: TelephonyError("play", CommandFailure.UNAVAILABLE, status=500),
}
"""How to make the errors that want more than a text."""


def every_error() -> list[type[errors.AppError]]:
    """Every named failure of the app, found by importing all of it."""
    for module in pkgutil.walk_packages(shared.__path__, "shared."):
        importlib.import_module(module.name)

    def below(kind: type[errors.AppError]) -> Iterator[type[errors.AppError]]:
        yield kind
        for one in kind.__subclasses__():
            yield from below(one)

    found = [one for one in below(errors.AppError) if one.__module__.startswith("shared.")]
    return sorted(set(found), key=lambda one: one.__qualname__)


def make(kind: type[errors.AppError]) -> errors.AppError:
    """An error of *kind*."""
    return ARGUMENTS.get(kind, lambda: kind(SAID))()


def request(**options: Any) -> func.HttpRequest:
    """A GET."""
    return func.HttpRequest(
        method="GET", url="https://app.example/api/x", body=b"", **{"params": {}, **options}
    )


async def answer_of(
    act: Callable[[], Awaitable[Any]], access: Access = Access.KEY, **options: Any
) -> func.HttpResponse:
    """What a function that does *act* answers."""

    @http_boundary(access=access)
    async def get_thing(req: func.HttpRequest) -> func.HttpResponse:
        """A thing."""
        await act()
        return json_response({"ok": True})

    return await get_thing(request(**options))


def raising(error: BaseException) -> Callable[[], Awaitable[None]]:
    """Something that fails with *error*."""

    async def act() -> None:
        raise error

    return act


async def nothing() -> None:
    """Something that does not fail."""


def problem_in(response: func.HttpResponse) -> Json:
    """The problem of an answer."""
    assert response.mimetype == "application/problem+json"
    problem: Json = json.loads(response.get_body())
    assert problem["status"] == response.status_code
    return problem
