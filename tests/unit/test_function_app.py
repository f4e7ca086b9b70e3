"""The app as the worker sees it: every function guarded, and nothing heavy loaded."""

import ast
import inspect
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import azure.functions as func
import pytest
from azure.functions.decorators.http import HttpTrigger

import functions
from functions import boundary
from shared.auth.access import Access
from shared.types import Json
from tests.indexed import FUNCTIONS, code_of

ROOT = Path(__file__).parents[2]

HEAVY_SDKS = (
    *("openai", "azure.cosmos", "azure.identity", "azure.cognitiveservices.speech"),
    *(
        "azure.monitor",
        "opentelemetry",
        "azure.communication.callautomation",
        "redis",
        "jinja2",
        "jsonschema",
    ),
    *("jwt", "aiohttp", "azure.communication.sms", "azure.communication.email", "msrest"),
)
MAX_IMPORTED_MODULES = 160
"""Beyond those of `azure.functions`; 138 when this was written."""
AUTH_LEVEL_OF = {
    Access.PUBLIC: func.AuthLevel.ANONYMOUS,
    Access.ACS: func.AuthLevel.ANONYMOUS,  # proved by token and signature, not by a key
    Access.SIGNED: func.AuthLevel.ANONYMOUS,  # proved by a signature that ends
    Access.KEY: func.AuthLevel.FUNCTION,
}
PARAMETER_OF = {
    "httpTrigger": ("req", func.HttpRequest),
    "eventGridTrigger": ("event", func.EventGridEvent),
    "timerTrigger": ("timer", func.TimerRequest),
    "warmupTrigger": ("context", None),
}
each_function = pytest.mark.parametrize("name", sorted(FUNCTIONS))


def trigger_of(name: str) -> Any:
    """What calls it."""
    return FUNCTIONS[name].get_trigger()


def is_http(name: str) -> bool:
    """Whether a request calls it."""
    return isinstance(trigger_of(name), HttpTrigger)


def test_app_has_the_functions_it_is_described_with() -> None:
    """One bad decorator makes a function vanish without a word."""
    assert set(FUNCTIONS) == {
        *(
            "on_incoming_call",
            "on_recording_ready",
            "post_callbacks",
            "post_call",
            "get_call",
            "delete_call",
        ),
        *("post_session", "post_turn", "get_session", "get_history", "get_report"),
        *("get_session_latency", "list_latency"),
        *("list_tools", "get_tool", "post_tool", "get_live", "get_ready", "get_pools"),
        *("post_mcp", "get_mcp"),
        *("post_synthesis", "post_transcription", "get_prompt"),
        *("on_warm_up", "on_keep_warm", "on_sweep"),
    }


def test_every_module_with_a_blueprint_is_registered() -> None:
    """A new file of functions that nobody lists would never be called."""
    defining = set()
    for path in (ROOT / "functions").glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        targets = [
            one for node in tree.body if isinstance(node, ast.Assign) for one in node.targets
        ]
        if any(isinstance(one, ast.Name) and one.id == "bp" for one in targets):
            defining.add(path.stem)
    listed = {name for name in defining if getattr(functions, name).bp in functions.BLUEPRINTS}
    assert listed == defining
    assert len(functions.BLUEPRINTS) == len(defining)


@each_function
def test_every_function_has_a_boundary(name: str) -> None:
    """Outermost, directly below the route: without it there is no access check and no answer."""
    code = code_of(name)
    assert code.__name__ == name
    assert Path(code.__code__.co_filename) == Path(boundary.__file__)
    if is_http(name):
        assert isinstance(code.access, Access)
    else:
        assert code.access is None
    assert not hasattr(code.__wrapped__, "__wrapped__")  # one boundary, and nothing between


@each_function
def test_every_function_is_as_open_as_its_access_says(name: str) -> None:
    """The host checks keys and nothing else; what it lets through the boundary must check."""
    if is_http(name):
        assert trigger_of(name).auth_level is AUTH_LEVEL_OF[code_of(name).access]


def test_only_what_tells_nothing_is_public() -> None:
    """A new anonymous function is a decision, taken here."""
    by_access = {access: set[str]() for access in Access}
    for name in filter(is_http, FUNCTIONS):
        by_access[code_of(name).access].add(name)
    assert by_access[Access.PUBLIC] == {"get_live", "get_ready"}
    assert by_access[Access.ACS] == {"post_callbacks"}
    assert by_access[Access.SIGNED] == {"get_prompt"}


@each_function
def test_every_function_is_async(name: str) -> None:
    """A sync function occupies one of a few threads for a whole turn."""
    assert inspect.iscoroutinefunction(code_of(name))
    assert inspect.iscoroutinefunction(code_of(name).__wrapped__)


@each_function
def test_every_function_is_named_for_what_it_does(name: str) -> None:
    """HTTP functions are a verb and a noun, event functions say what has happened."""
    pattern = r"(get|list|post|put|patch|delete)_[a-z_]+" if is_http(name) else r"on_[a-z_]+"
    assert re.fullmatch(pattern, name)


@each_function
def test_every_function_takes_what_the_worker_gives(name: str) -> None:
    """The worker matches parameters by name and wants annotations that are real classes."""
    wanted, annotation = PARAMETER_OF[trigger_of(name).get_binding_name()]
    parameters = inspect.signature(code_of(name)).parameters
    assert list(parameters) == [wanted]
    assert inspect.isclass(parameters[wanted].annotation)
    assert annotation in (None, parameters[wanted].annotation)


def test_routes_are_distinct_and_lower_case() -> None:
    """The host compares without regard to case and drops the second of two that are alike."""
    routes = [
        (method.value, trigger.route)
        for trigger in map(trigger_of, filter(is_http, FUNCTIONS))
        for method in trigger.methods
    ]
    assert len(set(routes)) == len(routes)
    for _, route in routes:
        plain = re.sub(r"\{\w+\}", "", route)
        assert plain == plain.lower()


# --- what importing it costs ------------------------------------------------------------------

MEASURE = """
import json, sys
import azure.functions
before = set(sys.modules)
import function_app
print(json.dumps({"added": sorted(set(sys.modules) - before), "modules": sorted(sys.modules)}))
"""


def import_in_a_fresh_process() -> Json:
    """Import the app as a cold worker does: the modules it added, and all that are loaded."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    measured: Json = json.loads(done.stdout)
    return measured


def test_import_pulls_in_no_sdk() -> None:
    """Each SDK costs up to a second of a cold start; they load in the background or on demand."""
    modules = import_in_a_fresh_process()["modules"]
    assert "functions.http_calls" in modules
    loaded = [
        sdk for sdk in HEAVY_SDKS if any(one == sdk or one.startswith(f"{sdk}.") for one in modules)
    ]
    assert loaded == []


def test_import_stays_small() -> None:
    """A cold caller waits for it; modules are counted, since time differs with the machine.

    What it costs in milliseconds is a figure of ``make bench``.
    """
    loaded = len(import_in_a_fresh_process()["added"])
    assert loaded <= MAX_IMPORTED_MODULES, "see: python -X importtime -c 'import function_app'"
