"""Is the process alive, is it ready, and what does it hold?"""

from http import HTTPStatus

import azure.functions as func

from functions.boundary import http_boundary
from functions.wire import json_response
from shared import readiness
from shared.auth.access import Access
from shared.resources import resources

bp = func.Blueprint()


@bp.route(route="health/live", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@http_boundary(access=Access.PUBLIC)
async def get_live(req: func.HttpRequest) -> func.HttpResponse:
    """The process runs and its loop turns."""
    return json_response({"status": "alive"})


@bp.route(route="health/ready", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
@http_boundary(access=Access.PUBLIC)
async def get_ready(req: func.HttpRequest) -> func.HttpResponse:
    """Every warm part answers; 503 with the names of those that do not."""
    failing = await readiness.failing(resources())
    status = HTTPStatus.SERVICE_UNAVAILABLE if failing else HTTPStatus.OK
    return json_response({"status": "failing" if failing else "ready", "failing": failing}, status)


@bp.route(route="pools", methods=["GET"], auth_level=func.AuthLevel.FUNCTION)
@http_boundary(access=Access.KEY)
async def get_pools(req: func.HttpRequest) -> func.HttpResponse:
    """What this instance holds: the parts it has built, and its connections."""
    return json_response(resources().snapshot())
