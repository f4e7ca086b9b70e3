"""What came of sessions, for staff."""

import azure.functions as func

from functions.boundary import http_boundary
from functions.wire import json_response, parse_choice, text_response
from shared.auth.access import Access
from shared.resources import resources
from shared.types import SessionId

bp = func.Blueprint()


@bp.route(route="sessions/{session_id}/report", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_report(req: func.HttpRequest) -> func.HttpResponse:
    """Summary, transcript, tools, latency and cost; ``?format=html`` is a page.

    A session that Redis has forgotten is read from the archive.
    """
    reports = await resources().reports.get()
    session_id = SessionId(req.route_params["session_id"])
    if parse_choice(req, "format", "json", "html") == "html":
        return text_response(await reports.page(session_id), "text/html")
    return json_response(await reports.find(session_id))
