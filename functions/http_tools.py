"""The tools over HTTP: the same tools, the same policy, the same ledger as the agent's."""

import azure.functions as func
from pydantic import BaseModel, Field

from functions.boundary import http_boundary
from functions.wire import json_response, parse_json
from shared.auth.access import Access
from shared.resources import resources
from shared.types import Json, SessionId

bp = func.Blueprint()


class ToolRequest(BaseModel, extra="forbid"):
    """A tool to run."""

    arguments: Json = Field(default_factory=dict)
    session_id: str | None = None
    """On whose behalf; tools that need an identified caller refuse without it."""


class ToolSummary(BaseModel):
    """A tool, in a list."""

    name: str
    description: str
    tags: list[str]


class ToolList(BaseModel):
    """The tools there are."""

    tools: list[ToolSummary]


@bp.route(route="tools", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def list_tools(req: func.HttpRequest) -> func.HttpResponse:
    """The tools that carry all of ``?tags=a,b``."""
    registry = await resources().registry.get()
    tags = {tag.strip() for tag in req.params.get("tags", "").split(",") if tag.strip()}
    found = (registry.get_tool_definition(name) for name in registry.list_tools(tags=tags))
    tools = [
        ToolSummary(name=one.name, description=one.description, tags=sorted(one.tags))
        for one in found
    ]
    return json_response(ToolList(tools=tools))


@bp.route(route="tools/{name}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_tool(req: func.HttpRequest) -> func.HttpResponse:
    """The tool's function schema."""
    registry = await resources().registry.get()
    return json_response(registry.get_tool_schema(req.route_params["name"]))


@bp.route(route="tools/{name}", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_tool(req: func.HttpRequest) -> func.HttpResponse:
    """Run a tool; one with side effects needs an ``Idempotency-Key`` and runs once for it."""
    body = parse_json(req, ToolRequest)
    desk = await resources().tool_desk.get()
    result = await desk.run(
        req.route_params["name"],
        body.arguments,
        session_id=SessionId(body.session_id) if body.session_id else None,
        idempotency_key=req.headers.get("idempotency-key", ""),
    )
    return json_response(result)
