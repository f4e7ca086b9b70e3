"""What callers waited for: of one session turn by turn, and over all."""

import azure.functions as func

from functions.boundary import http_boundary
from functions.wire import json_response, parse_choice, text_response
from shared.auth.access import Access
from shared.latency.report import report_of
from shared.latency.waterfall import as_html, as_svg, as_text
from shared.resources import resources
from shared.types import SessionId

bp = func.Blueprint()


@bp.route(
    route="sessions/{session_id}/latency", methods=["GET"], auth_level=func.AuthLevel.FUNCTION
)
@http_boundary(access=Access.KEY)
async def get_session_latency(req: func.HttpRequest) -> func.HttpResponse:
    """Each turn as a waterfall, and the percentiles of each stage; ``?format=`` draws it."""
    form = parse_choice(req, "format", "json", "text", "svg", "html")
    runner = await resources().runner.get()
    visit = await runner.look(SessionId(req.route_params["session_id"]))
    report = report_of(visit.turn_records(), visit.memo.stage_notes())
    match form:
        case "text":
            return text_response(as_text(report.turns, report.stages))
        case "svg":
            return text_response(as_svg(report.turns), "image/svg+xml")
        case "html":
            page = as_html(f"Session {visit.session_id}", report.turns, report.stages)
            return text_response(page, "text/html")
    turns = [one.as_json() for one in report.turns]
    return json_response({"session_id": visit.session_id, "turns": turns, "stages": report.stages})


@bp.route(route="latency", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def list_latency(req: func.HttpRequest) -> func.HttpResponse:
    """The percentiles of each stage over all sessions of the last 24 hours."""
    form = parse_choice(req, "format", "json", "text", "html")
    store = await resources().store.get()
    stages = await store.tally.read()
    match form:
        case "text":
            return text_response(as_text((), stages))
        case "html":
            return text_response(as_html("Latency of the last 24 hours", (), stages), "text/html")
    return json_response({"hours": 24, "stages": stages})
