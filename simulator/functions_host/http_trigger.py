"""HTTP requests in, HTTP responses out, by way of the library's own converters."""

import json
from collections.abc import Mapping
from http.cookies import SimpleCookie
from typing import cast

from aiohttp import web
from azure.functions.meta import Datum
from multidict import CIMultiDict

from simulator.functions_host.invocation import Execution, Outcome


async def request_datum(request: web.Request, params: Mapping[str, str]) -> Datum:
    """What the host hands to the worker for a request.

    Header names are lower case, values of one name are joined, empty query values vanish, and a
    body whose length is not announced does not arrive.
    """
    body = await request.read()
    if request.content_length is None:
        body = b""
    return Datum(
        type="http",
        value={
            "method": _text(request.method),
            "url": _text(f"{request.scheme}://{request.host}{request.raw_path}"),
            "headers": _texts({n.lower(): request.headers.getall(n) for n in request.headers}),
            "query": {
                name: value
                for name, value in _texts(
                    {name: request.query.getall(name) for name in request.query}
                ).items()
                if value.value
            },
            "params": {name: _text(value) for name, value in params.items()},
            "body": Datum(type="bytes", value=body),
        },
    )


def response(execution: Execution) -> web.Response:
    """What the client gets: the function's response, or 500 without a body."""
    datum = execution.returned
    if execution.outcome is not Outcome.SUCCEEDED or datum is None:
        return web.Response(status=500)
    if datum.type == "string":
        return _from_text(cast("str", datum.value))
    value = cast("dict[str, Datum]", datum.value)
    headers = CIMultiDict[str]()
    for name, header in cast("dict[str, Datum]", value["headers"]).items():
        headers.add(name, str(header.value))
    for cookie in cast("list[SimpleCookie] | None", value["cookies"]) or []:
        for morsel in cookie.values():
            headers.add("Set-Cookie", morsel.OutputString())
    body = value["body"].value
    return web.Response(status=int(value["status_code"].value), headers=headers, body=body)


def _from_text(text: str) -> web.Response:
    """A returned ``str``: the host reads JSON into it, also a response described in JSON."""
    try:
        document = json.loads(text)
    except ValueError:
        return web.Response(text=text)
    if isinstance(document, dict) and ("body" in document or "status" in document):
        body = document.get("body", "")
        return web.Response(
            status=int(document.get("status", 200)),
            headers={str(k): str(v) for k, v in dict(document.get("headers") or {}).items()},
            text=body if isinstance(body, str) else json.dumps(body),
        )
    return web.Response(text=json.dumps(document), content_type="application/json")


def _text(value: str) -> Datum:
    return Datum(type="string", value=value)


def _texts(values: Mapping[str, list[str]]) -> dict[str, Datum]:
    return {name: _text(",".join(texts)) for name, texts in values.items()}
