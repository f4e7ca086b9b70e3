"""Place a call, look at one, end one."""

from http import HTTPStatus

import azure.functions as func
from pydantic import BaseModel, Field

from functions.boundary import http_boundary
from functions.wire import json_response, parse_json
from shared.auth.access import Access
from shared.calls.events import CallPlaced, HangUpRequested, Party
from shared.resources import resources
from shared.state.session_ids import new_session_id, session_id_for
from shared.types import EventId, SessionId

bp = func.Blueprint()


class CallRequest(BaseModel, extra="forbid"):
    """A call to place."""

    to: str = Field(pattern=r"^(\+[1-9]\d{6,14}|8:acs:.+)$")
    """A phone number in E.164, or an ACS user's raw id."""
    reason: str = Field(default="", max_length=500)
    """What the call is about; the agent is told."""


@bp.route(route="calls", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_call(req: func.HttpRequest) -> func.HttpResponse:
    """Call someone; the same ``Idempotency-Key`` places one call, however often it is sent."""
    body = parse_json(req, CallRequest)
    key = req.headers.get("idempotency-key")
    session_id = session_id_for(f"call:{key}") if key else new_session_id(resources().clock.now())
    target = Party(body.to if body.to.startswith("8:") else f"4:{body.to}")
    runner = await resources().runner.get()
    placed = CallPlaced(EventId(f"placed:{session_id}"), target, body.reason)
    visit = await runner.receive(session_id, placed, begins_session=True)
    return json_response(visit.summary(), HTTPStatus.ACCEPTED)


@bp.route(route="calls/{session_id}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_call(req: func.HttpRequest) -> func.HttpResponse:
    """Where the call stands."""
    runner = await resources().runner.get()
    visit = await runner.look(SessionId(req.route_params["session_id"]))
    return json_response(visit.summary())


@bp.route(route="calls/{session_id}", methods=["DELETE"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def delete_call(req: func.HttpRequest) -> func.HttpResponse:
    """Hang up; again changes nothing."""
    session_id = SessionId(req.route_params["session_id"])
    runner = await resources().runner.get()
    visit = await runner.receive(session_id, HangUpRequested(EventId(f"hangup:{session_id}")))
    return json_response(visit.summary(), HTTPStatus.ACCEPTED)
