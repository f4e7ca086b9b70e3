"""Drives the real worker library, ``azure-functions-runtime``, without a host and without gRPC.

Run by an interpreter that has the library (Python 3.13 or later)::

    python worker_driver.py APP_DIR ANSWER_FILE < instructions.json

The instructions are a list of ``{"function": NAME, "input": {"type": ..., "value": ...}}``, perhaps
with a ``trace_parent``; the
answer is ``{"error": ..., "functions": [...], "results": [...]}``. It imports nothing of the
project: what it loads is the app in APP_DIR, as the worker would.
"""

import asyncio
import json
import os
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from azure_functions_runtime import (  # type: ignore[import-not-found]
    handle_event,
    native_invocation,
    start_threadpool_executor,
)
from azure_functions_runtime.bindings.datumdef import Datum  # type: ignore[import-not-found]


class BindingInfo(SimpleNamespace):
    """Stands for the message of that name; the numbers are those of the protocol."""

    undefined, out, inout = 0, 1, 2


class StatusResult(SimpleNamespace):
    """Stands for the message of that name."""

    Failure, Success = 0, 1


PROTOS = SimpleNamespace(
    BindingInfo=BindingInfo,
    StatusResult=StatusResult,
    RpcException=SimpleNamespace,
    RpcFunctionMetadata=SimpleNamespace,
    WorkerInitResponse=SimpleNamespace,
    WorkerMetadata=SimpleNamespace,
    FunctionMetadataResponse=SimpleNamespace,
)


async def index(app_dir: Path) -> tuple[str | None, list[dict[str, Any]]]:
    """Load the app as WorkerInit does: the error, or None, and the functions found."""
    init = SimpleNamespace(capabilities={}, function_app_directory=str(app_dir))
    answer = await handle_event.worker_init_request(
        SimpleNamespace(
            request=SimpleNamespace(worker_init_request=init),
            properties={"host": "127.0.0.1", "protos": PROTOS},
        )
    )
    if answer.result.status != StatusResult.Success:
        return answer.result.exception.message, []
    metadata = await handle_event.functions_metadata_request(None)
    found = []
    for function in metadata.function_metadata_results or []:
        info = handle_event._functions.get_function(function.function_id)
        found.append(
            {
                "name": function.name,
                "is_async": info.is_async,
                "bindings": [json.loads(binding) for binding in function.raw_bindings],
            }
        )
    return None, found


async def invoke(name: str, datum: Datum, parameter: str, trace_parent: str = "") -> dict[str, Any]:
    """Run one execution: how it ended, and for HTTP the response."""
    function_id = str(uuid.uuid5(uuid.NAMESPACE_OID, name))
    try:
        is_ok, returned, _, error, _ = await native_invocation.invocation_request_native(
            str(uuid.uuid4()), function_id, [(parameter, datum)], {}, trace_parent=trace_parent
        )
    except asyncio.CancelledError:
        return {"outcome": "never answered"}
    if not is_ok:
        return {"outcome": "failed", "error": error}
    if returned is None or returned.type != "http":
        return {"outcome": "succeeded", "value": returned.value if returned else None}
    body = returned.value["body"].value
    return {
        "outcome": "succeeded",
        "status": int(returned.value["status_code"].value),
        "body": body.decode(errors="replace"),
    }


def datum_of(given: dict[str, Any]) -> Datum:
    """An input as the host sends it; an HTTP request is given as a plain object."""
    if given["type"] != "http":
        return Datum(given["value"], given["type"])
    request = given["value"]

    def texts(values: dict[str, str]) -> dict[str, Datum]:
        return {name: Datum(value, "string") for name, value in values.items()}

    return Datum(
        {
            "method": Datum(request.get("method", "GET"), "string"),
            "url": Datum(request.get("url", "http://localhost/"), "string"),
            "headers": texts(request.get("headers", {})),
            "query": texts(request.get("query", {})),
            "params": texts(request.get("params", {})),
            "body": Datum(request.get("body", "").encode(), "bytes"),
        },
        "http",
    )


async def drive(app_dir: Path, instructions: list[dict[str, Any]]) -> dict[str, Any]:
    """Index the app, then run the instructions one after the other, on one loop."""
    error, functions = await index(app_dir)
    triggers = {f["name"]: _trigger(f["bindings"])["name"] for f in functions}
    results = [
        await asyncio.create_task(  # the worker, too, gives each a task of its own
            invoke(
                one["function"],
                datum_of(one["input"]),
                triggers[one["function"]],
                one.get("trace_parent", ""),
            )
        )
        for one in instructions
    ]
    return {"error": error, "functions": functions, "results": results}


def _trigger(bindings: list[dict[str, Any]]) -> dict[str, Any]:
    return next(binding for binding in bindings if binding["type"].endswith("Trigger"))


def main() -> None:
    """Read the instructions, write the answer."""
    app_dir, answer_file = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve()
    instructions = json.load(sys.stdin)
    sys.path[0] = str(app_dir)
    os.chdir(app_dir)
    start_threadpool_executor()
    answer = asyncio.run(drive(app_dir, instructions))
    answer_file.write_text(json.dumps(answer), encoding="utf-8")


if __name__ == "__main__":
    main()
