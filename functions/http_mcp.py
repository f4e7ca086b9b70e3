"""The tools for other agents: MCP over streamable HTTP, one JSON answer a request."""

from http import HTTPStatus

import azure.functions as func

from functions.boundary import http_boundary
from functions.wire import body_of, json_response
from shared.auth.access import Access
from shared.errors import ForbiddenError
from shared.resources import resources
from shared.tools.mcp_messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    INVALID_REQUEST,
    METHOD_NOT_FOUND,
    PARSE_ERROR,
    UNSUPPORTED_VERSION,
    McpAnswer,
)

bp = func.Blueprint()

_NO_REQUEST = dict.fromkeys((PARSE_ERROR, INVALID_REQUEST), HTTPStatus.BAD_REQUEST)
STATUS_OF = {
    False: _NO_REQUEST,
    True: {
        **_NO_REQUEST,
        HEADER_MISMATCH: HTTPStatus.BAD_REQUEST,
        INVALID_PARAMS: HTTPStatus.BAD_REQUEST,
        METHOD_NOT_FOUND: HTTPStatus.NOT_FOUND,
        UNSUPPORTED_VERSION: HTTPStatus.BAD_REQUEST,
    },
}
"""By whether the client is one of 2026-07-28 or later: older ones take 404 for the end of a
session."""


@bp.route(route="mcp", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_mcp(req: func.HttpRequest) -> func.HttpResponse:
    """Answer one message."""
    _check_origin(req)
    server = await resources().mcp.get()
    headers = {name.lower(): value for name, value in req.headers.items()}
    return _response(await server.answer(body_of(req), headers))


@bp.route(route="mcp", methods=["GET", "DELETE"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_mcp(req: func.HttpRequest) -> func.HttpResponse:
    """Say that there is no stream to listen to and no session to end."""
    return func.HttpResponse(status_code=HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": "POST"})


def _check_origin(req: func.HttpRequest) -> None:
    """Browsers say where a page is from; no page but ours has any business here."""
    own = resources().settings.public_base_url.rstrip("/")
    if req.headers.get("origin", own) != own:
        raise ForbiddenError("the origin is not allowed")


def _response(answer: McpAnswer) -> func.HttpResponse:
    if answer.body is None:
        return func.HttpResponse(status_code=HTTPStatus.ACCEPTED)
    code = answer.body.get("error", {}).get("code")
    return json_response(answer.body, STATUS_OF[answer.is_modern].get(code, HTTPStatus.OK))
