"""Requests into typed values, values into responses."""

import json
from datetime import datetime
from http import HTTPStatus
from typing import TypeVar

import azure.functions as func
from pydantic import BaseModel, ValidationError

from shared.errors import AppError, InvalidRequestError
from shared.types import Json

T = TypeVar("T", bound=BaseModel)

MAX_BODY_BYTES = 256 * 1024
MAX_PROBLEMS = 10
"""A body of nothing but mistakes is not listed in full."""


def parse_json(req: func.HttpRequest, model: type[T]) -> T:
    """The request's body as *model*; an empty body is an empty object.

    Raises:
        InvalidRequestError: Names the fields that are wrong and what they must be, never a value.
    """
    try:
        return model.model_validate_json(body_of(req) or b"{}")
    except ValidationError as err:
        raise InvalidRequestError(_problems_of(err)) from None


def body_of(req: func.HttpRequest) -> bytes:
    """The request's body.

    Raises:
        InvalidRequestError: It is larger than anybody needs.
    """
    body = req.get_body()
    if len(body) > MAX_BODY_BYTES:
        raise InvalidRequestError("the body is too large")
    return body


def _problems_of(error: ValidationError) -> str:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    problems = [
        f"{'.'.join(str(part) for part in one['loc']) or 'body'}: {_rule_of(one['type'])}"
        for one in found[:MAX_PROBLEMS]
    ]
    if len(found) > MAX_PROBLEMS:
        problems.append("and more")
    return "; ".join(problems)


def _rule_of(error_type: str) -> str:
    """Pydantic's own texts may quote the value; its error types name only the rule."""
    return error_type.replace("_", " ")


def json_response(value: BaseModel | Json, status: int = HTTPStatus.OK) -> func.HttpResponse:
    """Answer with *value* as JSON."""
    text = _dumps(value.model_dump(mode="json") if isinstance(value, BaseModel) else value)
    return func.HttpResponse(text, status_code=status, mimetype="application/json")


def parse_choice(req: func.HttpRequest, name: str, *choices: str) -> str:
    """The query parameter *name*, the first of *choices* if it is not there.

    Raises:
        InvalidRequestError: It is none of them.
    """
    chosen = req.params.get(name) or choices[0]
    if chosen not in choices:
        raise InvalidRequestError(f"{name}: one of {', '.join(choices)}")
    return chosen


def text_response(text: str, mimetype: str = "text/plain") -> func.HttpResponse:
    """Answer with a text or a page; a page may load and run nothing."""
    headers = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
    return func.HttpResponse(text, mimetype=mimetype, charset="utf-8", headers=headers)


def time_of(event: object) -> datetime | None:
    """When an Event Grid event was made; None if it does not say.

    The subscription's schema decides which class the worker makes of it. The one for CloudEvents is
    not named here: a worker that brings an older library does not have it, and would lose the app.
    """
    time: datetime | None = getattr(event, "event_time", None) or getattr(event, "time", None)
    return time


def problem_response(error: AppError, status: HTTPStatus) -> func.HttpResponse:
    """Answer with an RFC 9457 problem; what went wrong inside is nobody's business outside."""
    problem: Json = {"title": status.phrase, "status": status.value, "code": error.code}
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        problem["detail"] = str(error)
    return func.HttpResponse(
        _dumps(problem), status_code=status, mimetype="application/problem+json"
    )


def _dumps(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # A model may write half of a character; the rest of the answer is still worth having.
    return text.encode(errors="replace").decode()
