"""The app's functions by name, indexed once: the library lets nobody ask twice."""

from typing import Any

from function_app import app

FUNCTIONS = {str(one.get_function_name()): one for one in app.get_functions()}


def code_of(name: str) -> Any:
    """What the worker calls for the function *name*."""
    return FUNCTIONS[name].get_user_function()
