"""Requests into values: the field at fault is named, what it held is not."""

import json
from http import HTTPStatus

import azure.functions as func
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from functions.wire import (
    MAX_BODY_BYTES,
    MAX_PROBLEMS,
    json_response,
    parse_json,
    problem_response,
)
from shared.errors import InvalidRequestError
from shared.types import Json


class Order(BaseModel, extra="forbid"):
    """Something to ask for."""

    to: str = Field(default="", max_length=3, pattern=r"^[a-c]*$")
    count: int = Field(default=1, ge=0, le=9)
    tags: list[bool] = Field(default_factory=list)


class Named(BaseModel):
    """Something that cannot be left out."""

    name: str


def request(body: bytes) -> func.HttpRequest:
    """A POST of *body*."""
    return func.HttpRequest(method="POST", url="https://app.example/api/orders", body=body)


def detail_of(body: bytes, model: type[BaseModel] = Order) -> str:
    """Why *body* is refused."""
    with pytest.raises(InvalidRequestError) as caught:
        parse_json(request(body), model)
    # Pydantic's own error quotes the body: a traceback must not show it.
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return str(caught.value)


def test_parse_json_reads_a_typed_value() -> None:
    """What arrives inside the app has been checked."""
    order = parse_json(request(b'{"to":"abc","count":2}'), Order)
    assert (order.to, order.count) == ("abc", 2)


def test_parse_json_takes_an_empty_body_for_an_empty_object() -> None:
    """A POST without anything to say needs no braces; what is required is still required."""
    assert parse_json(request(b""), Order) == Order()
    assert detail_of(b"", Named) == "name: missing"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (b'{"to":"abcd"}', "to: string too long"),
        (b'{"to":"xyz"}', "to: string pattern mismatch"),
        (b'{"count":"many"}', "count: int parsing"),
        (b'{"count":-1,"to":7}', "to: string type; count: greater than equal"),
        (b'{"tags":[true,"x"]}', "tags.1: bool parsing"),
        (b'{"extra":1}', "extra: extra forbidden"),
        (b"not json", "body: json invalid"),
        (b'{"to":', "body: json invalid"),
        (b"\xff\xfe", "body: json invalid"),
        (b"   ", "body: json invalid"),
        (b'{"to":"\\ud800"}', "body: json invalid"),
        (b"[" * 10_000, "body: json invalid"),
        (b"[]", "body: model type"),
        (b"null", "body: model type"),
    ],
)
def test_parse_json_names_the_field_and_the_rule(body: bytes, detail: str) -> None:
    """The client can mend the request without seeing our code."""
    assert detail_of(body) == detail


_marked = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30).map(
    "zq{}qz".format
)


@given(text=_marked, number=st.integers(10**9) | st.floats(1e12, 1e30))
def test_parse_json_never_repeats_a_value(text: str, number: float) -> None:
    """What a person typed must not come back in an error, nor end up in a log through it."""
    assume(str(number) not in "0123456789")
    for value in (text, number, {text: number}, [text, [number]]):
        body: Json = {"to": value, "count": value, "tags": [value]}
        detail = detail_of(json.dumps(body).encode())
        assert text not in detail
        assert str(number) not in detail
        assert {"to", "count", "tags.0"} == {one.split(":")[0] for one in detail.split("; ")}


@given(body=st.binary(max_size=200))
def test_parse_json_answers_any_bytes(body: bytes) -> None:
    """Garbage is the client's mistake, never a crash of ours."""
    try:
        parse_json(request(body), Order)
    except InvalidRequestError as error:
        assert str(error)


def test_parse_json_refuses_a_body_that_is_too_large_unread() -> None:
    """A body of megabytes costs no parsing."""
    assert detail_of(b" " * (MAX_BODY_BYTES + 1)) == "the body is too large"
    padded = b'{"to":"a"}'.ljust(MAX_BODY_BYTES)
    assert parse_json(request(padded), Order).to == "a"


def test_parse_json_lists_a_few_mistakes_of_many() -> None:
    """An answer is not as large as the nonsense that caused it."""
    body = json.dumps({f"f{number}": 1 for number in range(1000)}).encode()
    parts = detail_of(body).split("; ")
    assert len(parts) == MAX_PROBLEMS + 1
    assert parts[-1] == "and more"


def test_json_response_writes_models_and_objects_alike() -> None:
    """Text stays readable: no escapes for letters beyond ASCII."""
    for value in (Named(name="Zoë"), {"name": "Zoë"}):
        response = json_response(value, 201)
        assert (response.status_code, response.mimetype) == (201, "application/json")
        assert response.get_body() == '{"name":"Zoë"}'.encode()


def test_problem_response_answers_as_rfc_9457_says() -> None:
    """Clients tell a problem by its media type and read its code, not its text."""
    response = problem_response(InvalidRequestError("to: too long"), HTTPStatus.BAD_REQUEST)
    assert response.mimetype == "application/problem+json"
    assert json.loads(response.get_body()) == {
        "title": "Bad Request",
        "status": 400,
        "code": "invalid_request",
        "detail": "to: too long",
    }


def test_response_with_half_a_character_is_still_a_response() -> None:
    """A model may write one; the rest of what was said is still worth reading."""
    answer = json_response({"text": "a\ud83db"})
    assert json.loads(answer.get_body()) == {"text": "a?b"}
