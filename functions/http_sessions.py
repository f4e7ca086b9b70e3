"""Text sessions: open one, take turns, read state and history."""

from http import HTTPStatus

import azure.functions as func
from pydantic import BaseModel, Field

from functions.boundary import http_boundary
from functions.wire import json_response, parse_json
from shared.auth.access import Access
from shared.resources import resources
from shared.types import AgentName, Json, SessionId

bp = func.Blueprint()


class SessionRequest(BaseModel, extra="forbid"):
    """A text session to open."""

    agent: str = Field(default="", max_length=64)
    """Who talks; the entry agent by default."""


class TurnRequest(BaseModel, extra="forbid"):
    """Something to say to the agent."""

    text: str = Field(min_length=1, max_length=4000)


class ReplyResponse(BaseModel):
    """What the agent answered."""

    session_id: str
    turn: int
    agent: str
    text: str
    stages_ms: dict[str, float]
    """Where the time went; the sum is what the client waited for, as far as we see it."""


class HistoryResponse(BaseModel):
    """What was said, oldest first."""

    session_id: str
    messages: list[Json]


@bp.route(route="sessions", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_session(req: func.HttpRequest) -> func.HttpResponse:
    """Open a text session; the agent greets."""
    body = parse_json(req, SessionRequest)
    chat = await resources().chat.get()
    key = req.headers.get("idempotency-key")
    reply = await chat.open(AgentName(body.agent) if body.agent else None, key=key)
    return json_response(ReplyResponse(**reply), HTTPStatus.CREATED)


@bp.route(route="sessions/{session_id}/turns", methods=["POST"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def post_turn(req: func.HttpRequest) -> func.HttpResponse:
    """Run one turn of a session; the same ``Idempotency-Key`` gets the same reply."""
    body = parse_json(req, TurnRequest)
    chat = await resources().chat.get()
    session_id = SessionId(req.route_params["session_id"])
    reply = await chat.turn(session_id, body.text, key=req.headers.get("idempotency-key"))
    return json_response(ReplyResponse(**reply))


@bp.route(route="sessions/{session_id}", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_session(req: func.HttpRequest) -> func.HttpResponse:
    """The session's state, its turns with where their time went, its facts, and what it cost."""
    runner = await resources().runner.get()
    visit = await runner.look(SessionId(req.route_params["session_id"]))
    prices = resources().settings.prices
    return json_response({**visit.details(), "cost": visit.cost(prices)})


@bp.route(
    route="sessions/{session_id}/history", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
@http_boundary(access=Access.KEY)
async def get_history(req: func.HttpRequest) -> func.HttpResponse:
    """What was said in the session, by everyone, in order."""
    runner = await resources().runner.get()
    visit = await runner.look(SessionId(req.route_params["session_id"]))
    return json_response(HistoryResponse(session_id=visit.session_id, messages=visit.transcript()))
