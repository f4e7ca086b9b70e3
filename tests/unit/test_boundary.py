"""Where the platform ends: every failure of an HTTP function becomes an answer."""

import asyncio
import json
from http import HTTPStatus

import azure.functions as func
import pytest

from functions.boundary import STATUS_OF, http_boundary, status_of
from functions.wire import json_response
from shared import errors
from shared.auth.access import Access
from tests.unit.boundary_parts import (
    SAID,
    answer_of,
    every_error,
    make,
    nothing,
    problem_in,
    raising,
)
from tests.unit.span_fakes import traced


@pytest.mark.parametrize("kind", every_error(), ids=lambda kind: kind.__name__)
async def test_every_named_error_has_a_status(kind: type[errors.AppError]) -> None:
    """A failure the app can name is answered as a problem whose code says which it was."""
    error = make(kind)
    status = status_of(error)
    assert 400 <= status < 600
    response = await answer_of(raising(error))
    problem = problem_in(response)
    assert response.status_code == status
    assert problem["title"] == status.phrase
    assert problem["code"] == error.code
    if status < 500:
        assert set(problem) == {"title", "status", "code", "detail"}
        assert problem["detail"] == str(error)
    else:
        assert set(problem) == {"title", "status", "code"}  # the inside is nobody's business
        assert SAID not in response.get_body().decode()


def test_every_error_has_a_code_of_its_own() -> None:
    """Clients tell failures apart by their code; only a kind of another may share that one's."""
    by_code: dict[str, list[type[errors.AppError]]] = {}
    for kind in every_error():
        by_code.setdefault(make(kind).code, []).append(kind)
    for code, kinds in by_code.items():
        general = min(kinds, key=lambda kind: len(kind.__mro__))
        assert all(issubclass(kind, general) for kind in kinds), code


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.SessionNotFoundError, 404),
        (errors.ToolNotFoundError, 404),
        (errors.AgentNotFoundError, 404),
        (errors.TurnInProgressError, 409),
        (errors.UpstreamTimeoutError, 504),
        (errors.UpstreamThrottledError, 502),
        (errors.ContentFilteredError, 502),
        (errors.SettingsError, 500),
    ],
)
def test_status_of_an_error_is_that_of_its_nearest_ancestor(
    kind: type[errors.AppError], status: int
) -> None:
    """A new error needs no new line in the table."""
    assert status_of(kind("x")) == status
    assert set(STATUS_OF).issubset(every_error())


async def test_http_boundary_passes_an_answer_on() -> None:
    """A function that succeeds is not touched."""
    response = await answer_of(nothing)
    assert (response.status_code, json.loads(response.get_body())) == (200, {"ok": True})


async def test_http_boundary_answers_a_crash_without_a_word_of_it() -> None:
    """A bug is a 500; what it was about is in our log, as frames, not in the answer."""
    response = await answer_of(raising(KeyError(SAID)))
    assert problem_in(response) == {
        "title": "Internal Server Error",
        "status": 500,
        "code": "internal",
    }


async def test_http_boundary_counts_whom_it_turns_away() -> None:
    """Somebody who tries keys or signatures shows up in a chart."""
    with traced() as told:
        response = await answer_of(raising(errors.UnauthorizedError(SAID)))
    assert response.status_code == 401
    assert told.values == [("voice.refusals", 1, {"what": "request"})]


async def test_http_boundary_answers_when_it_is_cancelled() -> None:
    """The worker never answers a function that leaves with CancelledError: clients would hang."""
    has_begun = asyncio.Event()

    async def wait_for_ever() -> None:
        has_begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(answer_of(wait_for_ever))
    await has_begun.wait()
    task.cancel()
    assert problem_in(await task)["status"] == HTTPStatus.GATEWAY_TIMEOUT


async def test_http_boundary_lets_the_process_end() -> None:
    """Only exceptions are answered: an exit is an exit."""
    with pytest.raises(SystemExit):
        await answer_of(raising(SystemExit()))


def test_boundary_keeps_name_signature_and_docstring() -> None:
    """The worker reads them through the wrapper; without them a function is silently lost."""

    @http_boundary(access=Access.PUBLIC)
    async def get_thing(req: func.HttpRequest) -> func.HttpResponse:
        """A thing."""
        return json_response({})

    assert get_thing.__name__ == "get_thing"
    assert get_thing.__doc__ == "A thing."
    assert get_thing.__annotations__ == {"req": func.HttpRequest, "return": func.HttpResponse}
    assert asyncio.iscoroutinefunction(get_thing)
