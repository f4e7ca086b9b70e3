"""An app is loaded by the rules of the worker and of the host."""

import asyncio
import json
import sys
from pathlib import Path

import aiohttp
import pytest

from tests.contract.broken_apps import BROKEN
from tests.contract.functions_host_stage import (
    SAMPLE,
    StartHost,
    app_in,
)

pytest_plugins = ("tests.contract.host_and_grid_fixtures",)


async def test_unresolved_setting_costs_only_its_function(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """The host puts one function in error and serves the others."""
    source = (SAMPLE / "function_app.py").read_text(encoding="utf-8")
    app = app_in(tmp_path / "app", source.replace("%TICK_SCHEDULE%", "%NOT_SET_ANYWHERE%", 1))
    host = await start_host(app)
    async with http.get(f"{host.url}/admin/host/status") as answer:
        status = await answer.json()
    assert status["state"] == "Running"
    assert len(status["errors"]) == 1
    assert "%NOT_SET_ANYWHERE%" in status["errors"][0]
    async with http.get(f"{host.url}/api/sync") as answer:
        assert answer.status == 200


@pytest.mark.parametrize("fault", BROKEN)
async def test_broken_app_loses_every_function_and_the_host_stays(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path, fault: str
) -> None:
    """All or nothing, as with the worker: one bad line and every route is 404."""
    host = await start_host(app_in(tmp_path / "app", BROKEN[fault]))
    async with http.get(f"{host.url}/api/x") as answer:
        assert answer.status == 404
    async with http.get(f"{host.url}/admin/host/status") as answer:
        assert (await answer.json())["state"] == "Error"
    assert "No functions: the app cannot be loaded" in host.output()


async def test_host_rules_cost_only_the_function_that_breaks_them(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A reserved route or a route used twice takes one function away, the later one by name."""
    source = (
        "import azure.functions as func\napp = func.FunctionApp(func.AuthLevel.ANONYMOUS)\n"
        + "".join(
            f"@app.route(route='{route}', methods={methods})\n"
            f"async def {name}(req: func.HttpRequest) -> func.HttpResponse:\n"
            f"    return func.HttpResponse('{name}')\n"
            for name, route, methods in [
                ("zulu", "same", ["GET"]),
                ("alpha", "Same", ["GET", "POST"]),
                ("mike", "same", ["PUT"]),
                ("reserved", "admin/x", ["GET"]),
                ("good", "good", ["GET"]),
            ]
        )
    )
    host = await start_host(app_in(tmp_path / "app", source))
    answers = {}
    for method, path in [("GET", "same"), ("PUT", "same"), ("GET", "good"), ("GET", "admin/x")]:
        async with http.request(method, f"{host.url}/api/{path}") as answer:
            answers[method, path] = await answer.text() if answer.status == 200 else answer.status
    assert answers == {
        ("GET", "same"): "alpha",
        ("PUT", "same"): "mike",
        ("GET", "good"): "good",
        ("GET", "admin/x"): 404,
    }


async def test_settings_file_fills_only_what_is_not_set(
    start_host: StartHost, http: aiohttp.ClientSession, tmp_path: Path
) -> None:
    """A variable of the shell wins over local.settings.json, as with Core Tools."""
    source = (
        "import os\nimport azure.functions as func\n"
        "app = func.FunctionApp(func.AuthLevel.ANONYMOUS)\n@app.route(route='env')\n"
        "async def env(req: func.HttpRequest) -> func.HttpResponse:\n"
        "    return func.HttpResponse(os.environ['TICK_SCHEDULE'] + os.environ['FROM_FILE'])\n"
    )
    settings = tmp_path / "local.settings.json"
    settings.write_text(
        json.dumps({"Values": {"TICK_SCHEDULE": "file", "FROM_FILE": "!"}}), encoding="utf-8"
    )
    host = await start_host(
        app_in(tmp_path / "app", source, {"extensions": {"http": {"routePrefix": ""}}}),
        schedule="shell",
        arguments=("--settings", str(settings)),
    )
    async with http.get(f"{host.url}/env") as answer:
        assert await answer.text() == "shell!"


async def test_host_imports_nothing_heavy(tmp_path: Path) -> None:
    """Instances are started by the dozen, so the host itself must be light."""
    program = (
        "import sys, simulator.functions_host.__main__\n"
        "print(sorted({m.split('.')[0] for m in sys.modules} & "
        "{'openai', 'redis', 'pydantic', 'jwt', 'cryptography', 'shared', 'functions'}))"
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        program,
        stdout=asyncio.subprocess.PIPE,
        cwd=SAMPLE.parents[2],
    )
    output, _ = await process.communicate()
    assert output.decode().strip() == "[]"
