"""What ACS tells us in the middle of a call."""

import asyncio
from http import HTTPStatus

import azure.functions as func

from functions.boundary import http_boundary
from shared.auth.access import Access
from shared.calls.callbacks import parse_callbacks
from shared.resources import resources
from shared.types import SessionId

bp = func.Blueprint()


@bp.route(route="callbacks/{session_id}", methods=["POST"], auth_level=func.AuthLevel.ANONYMOUS)
@http_boundary(access=Access.ACS)
async def post_callbacks(req: func.HttpRequest) -> func.HttpResponse:
    """Apply mid-call events; acknowledged once the change is durable and the work under way."""
    callbacks = parse_callbacks(req.get_body())
    session_id = SessionId(req.route_params["session_id"])
    runner = await resources().runner.get()
    events = [one.event for one in callbacks if one.event is not None]
    await asyncio.gather(*(runner.receive(session_id, event) for event in events))
    return func.HttpResponse(status_code=HTTPStatus.OK)
