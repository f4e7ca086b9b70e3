"""What ACS and Event Grid tell us, and what we make of it."""

import json
from pathlib import Path

import pytest

from shared.calls import events as ev
from shared.calls.callbacks import Callback, parse_callbacks
from shared.errors import InvalidRequestError
from shared.types import CallConnectionId, EventId, Json

BODIES: dict[str, list[Json]] = {
    case["label"]: case["body"]
    for case in json.loads((Path(__file__).parents[1] / "data/callback-events.json").read_text())
}
CALL = CallConnectionId("421f2e00-3a51-4d0c-9b8e-6d1c55b7a001")
SERVER_CALL = "aHR0cHM6Ly9jb252LmV4YW1wbGUvY29udi9TSU0wMT9pPTEmZT0y"
ANY_ID = EventId("any")
FAILED = ev.RecognizeFailure

EXPECTED: dict[str, ev.Event] = {
    "CallConnected": ev.CallConnected(ANY_ID, CALL, SERVER_CALL),
    "CallDisconnected - the app hung up / terminated": ev.CallEnded(ANY_ID, ev.Result(200, 7000)),
    "CallDisconnected - PSTN party hung up (outbound leg 560000; inbound leg 540000)": ev.CallEnded(
        ANY_ID, ev.Result(200, 560000)
    ),
    "AnswerFailed": ev.CallEnded(ANY_ID, ev.Result(487, 10004)),
    "CreateCallFailed - callee declined (followed/preceded by CallDisconnected)": ev.CallEnded(
        ANY_ID, ev.Result(200, 5002)
    ),
    "CreateCallFailed - PSTN busy from carrier, with SIP/Q.850 detail": ev.CallEnded(
        ANY_ID, ev.Result(486, 560486)
    ),
    "ConnectFailed": ev.CallEnded(ANY_ID, ev.Result(404, 8522)),
    "PlayStarted": ev.PromptStarted(ANY_ID, "play-1"),
    "PlayCompleted": ev.PromptFinished(ANY_ID, "play-1"),
    "PlayFailed - bad file": ev.PromptFailed(ANY_ID, "play-1", ev.Result(400, 8535)),
    "PlayFailed - file not reachable": ev.PromptFailed(ANY_ID, "play-1", ev.Result(400, 8536)),
    "PlayFailed - TTS resource/auth/voice problem": ev.PromptFailed(
        ANY_ID, "play-1", ev.Result(401, 8565)
    ),
    "PlayCanceled": ev.PromptFinished(ANY_ID, "play-1"),
    "RecognizeCompleted - dtmf (max digits)": ev.TonesCollected(ANY_ID, "rec-1", "56#"),
    "RecognizeCompleted - dtmf (stop tone)": ev.TonesCollected(ANY_ID, "rec-1", "12"),
    "RecognizeCompleted - choices by voice": ev.SpeechRecognized(ANY_ID, "rec-1", "Support", 0.9),
    "RecognizeCompleted - choices by keypad": ev.SpeechRecognized(ANY_ID, "rec-1", "Marketing"),
    "RecognizeCompleted - speech": ev.SpeechRecognized(
        ANY_ID, "rec-1", "I would like to check my order.", 0.93
    ),
    "RecognizeFailed - initial silence": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.SILENCE, ev.Result(400, 8510)
    ),
    "RecognizeFailed - prompt could not be played": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.SERVICE, ev.Result(500, 8511)
    ),
    "RecognizeFailed - inter-digit timeout": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.NOT_UNDERSTOOD, ev.Result(400, 8532)
    ),
    "RecognizeFailed - wrong keypad option": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.NOT_UNDERSTOOD, ev.Result(400, 8534)
    ),
    "RecognizeFailed - phrase matches no choice": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.NOT_UNDERSTOOD, ev.Result(400, 8547)
    ),
    "RecognizeFailed - speech not recognized": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.NOT_UNDERSTOOD, ev.Result(400, 8563)
    ),
    "RecognizeFailed - recognition timed out": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.SERVICE, ev.Result(408, 8570)
    ),
    "RecognizeFailed - generic server error": ev.RecognizeFailed(
        ANY_ID, "rec-1", FAILED.SERVICE, ev.Result(500, 9999)
    ),
    "RecognizeCanceled": ev.RecognizeCanceled(ANY_ID, "rec-1"),
    "CallTransferAccepted": ev.TransferAccepted(ANY_ID, "xfer-1"),
    "CallTransferFailed": ev.TransferFailed(
        ANY_ID, "xfer-1", ev.TransferFailure.BUSY, ev.Result(486, 560486)
    ),
}
"""By label; every body that is not listed means nothing to the flow."""


def parse_one(element: object) -> Callback:
    """The only callback of a body with one element."""
    (callback,) = parse_callbacks(json.dumps([element]).encode())
    return callback


def element_of(kind: str, **data: object) -> Json:
    """A minimal element of *kind* with *data*."""
    return {
        "id": "e1",
        "type": f"Microsoft.Communication.{kind}",
        "data": {"callConnectionId": CALL, "operationContext": "op", **data},
    }


def with_id(event: ev.Event, event_id: str) -> ev.Event:
    """*event* under another id."""
    values = {name: getattr(event, name) for name in type(event).__dataclass_fields__}
    return type(event)(**{**values, "id": EventId(event_id)})


@pytest.mark.parametrize("label", BODIES)
def test_callbacks_every_known_body_is_read(label: str) -> None:
    """Each recorded or documented body means exactly one event, or nothing, to the flow."""
    element = BODIES[label][0]
    callback = parse_one(element)
    expected = EXPECTED.get(label)
    assert callback.event == (expected and with_id(expected, element["id"]))
    assert callback.call_connection_id == CALL
    assert element["type"] == f"Microsoft.Communication.{callback.type}"
    assert callback.operation_context == element["data"].get("operationContext")
    assert callback.correlation_id == "a0619022-0b2b-4ff2-a622-ff6aaee5c60a"
    assert callback.server_call_id == SERVER_CALL


def test_callbacks_all_expectations_have_a_body() -> None:
    """No expectation is skipped because a label was misspelt, and no body got lost."""
    assert len(BODIES) == 54
    assert not EXPECTED.keys() - BODIES.keys()


def test_callbacks_all_bodies_in_one_request_keep_their_order() -> None:
    """ACS may send several events at once, and their order is the only hint of time."""
    elements = [body[0] for body in BODIES.values()]
    callbacks = parse_callbacks(json.dumps(elements).encode())
    assert [f"Microsoft.Communication.{callback.type}" for callback in callbacks] == [
        element["type"] for element in elements
    ]


def test_callbacks_a_single_object_is_read_like_an_array() -> None:
    """The array is observed, not promised."""
    element = BODIES["PlayCompleted"][0]
    assert parse_callbacks(json.dumps(element).encode()) == (parse_one(element),)


def test_callbacks_an_empty_array_is_no_error() -> None:
    """Nothing happened, which is not a failure that ACS should hear of."""
    assert parse_callbacks(b"[]") == ()


def test_callbacks_a_redelivery_is_equal() -> None:
    """A second delivery must be recognised by its id, or it would be applied twice."""
    body = json.dumps(BODIES["RecognizeCompleted - speech"]).encode()
    assert parse_callbacks(body) == parse_callbacks(body)


def test_callbacks_without_an_id_get_one_from_their_content() -> None:
    """Without an id a redelivery is still recognised, whatever the order of its fields."""
    element = {k: v for k, v in BODIES["PlayCompleted"][0].items() if k != "id"}
    shuffled = dict(reversed(element.items()))
    other = {**element, "time": "2026-11-22T08:00:00+00:00"}
    first, second, third = (parse_one(each).event for each in (element, shuffled, other))
    assert first is not None
    assert third is not None
    assert first == second
    assert first.id != third.id
    assert first.id.startswith("sha256:")


def test_callbacks_a_bad_element_does_not_cost_the_good_ones() -> None:
    """One broken event in a batch must not lose the hang-up beside it."""
    good = BODIES["CallDisconnected - the app hung up / terminated"][0]
    body = json.dumps([{"type": "x"}, 7, None, good]).encode()
    assert parse_callbacks(body) == (parse_one(good),)


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b"", "JSON"),
        (b"{", "JSON"),
        (b"\xff\xfe\xfd", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[1" + b"0" * 5000 + b"]", "JSON"),
        (b"null", "object"),
        (b'"text"', "object"),
        (b"[[]]", "object"),
        (b"{}", "callback.type"),
        (b'[{"type":"","data":{"callConnectionId":"c"}}]', "callback.type"),
        (b'[{"type":["x"],"data":{"callConnectionId":"c"}}]', "callback.type"),
        (b'[{"type":"Microsoft.Communication.PlayCompleted"}]', "data.callConnectionId"),
        (b'[{"type":"PlayCompleted","data":null}]', "data.callConnectionId"),
        (b'[{"type":"PlayCompleted","data":{"callConnectionId":""}}]', "data.callConnectionId"),
    ],
)
def test_callbacks_unreadable_bodies_name_what_is_wrong(body: bytes, named: str) -> None:
    """Whoever reads the answer learns which field is missing."""
    with pytest.raises(InvalidRequestError, match=named):
        parse_callbacks(body)


def test_callbacks_unknown_types_and_fields_are_ignored() -> None:
    """ACS adds events and fields without notice; a call must not break on them."""
    unknown = parse_one(element_of("HologramStarted", extra={"deep": [1]}))
    assert (unknown.type, unknown.event) == ("HologramStarted", None)
    known = parse_one(element_of("PlayCompleted", extra={"deep": [1]}))
    assert known.event == ev.PromptFinished(EventId("e1"), "op")
