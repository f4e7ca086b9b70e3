"""What a callback says in detail: codes, words, digits, and why a transfer failed."""

import json

import pytest

from shared.calls import events as ev
from shared.calls.callbacks import Callback, parse_callbacks
from shared.types import CallConnectionId, EventId, Json

CALL = CallConnectionId("421f2e00-3a51-4d0c-9b8e-6d1c55b7a001")
FAILED = ev.RecognizeFailure


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


def test_callbacks_codes_may_be_text() -> None:
    """Error answers of the same service carry their codes as text."""
    information = {"code": "400", "subCode": "8510"}
    callback = parse_one(element_of("RecognizeFailed", resultInformation=information))
    assert callback.result == ev.Result(400, 8510)
    assert isinstance(callback.event, ev.RecognizeFailed)
    assert callback.event.reason is FAILED.SILENCE


@pytest.mark.parametrize("junk", [None, True, [], {}, "many", 1e999, -1e999])
def test_callbacks_unusable_codes_count_as_none(junk: object) -> None:
    """A result that cannot be read must not lose the event it came with."""
    callback = parse_one(
        element_of("CallDisconnected", resultInformation={"code": junk, "subCode": junk})
    )
    assert callback.event == ev.CallEnded(EventId("e1"), ev.Result())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"recognitionType": "speech", "speechResult": {"speech": "  "}},
        {"recognitionType": "dtmf", "dtmfResult": {"tones": []}},
        {"recognitionType": "dtmf", "dtmfResult": {"tones": ["flash", None]}},
        {"recognitionType": "hum", "humResult": {"tune": "x"}},
    ],
)
def test_callbacks_a_recognition_without_content_was_not_understood(data: Json) -> None:
    """The flow waits for this answer: without any event the caller would wait for ever."""
    event = parse_one(element_of("RecognizeCompleted", **data)).event
    assert isinstance(event, ev.RecognizeFailed)
    assert event.reason is FAILED.NOT_UNDERSTOOD


def test_callbacks_every_tone_has_its_character() -> None:
    """Digits are typed by people and compared by tools as characters."""
    names = [
        *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
        *("a", "b", "c", "d", "pound", "asterisk", "Five", "7", "#"),
    ]
    event = parse_one(element_of("RecognizeCompleted", dtmfResult={"tones": names})).event
    assert event == ev.TonesCollected(EventId("e1"), "op", "0123456789ABCD#*57#")


@pytest.mark.parametrize("confidence", ["high", True, -0.1, 1.1, 1e999, 10**400, None])
def test_callbacks_a_confidence_that_is_none_is_left_out(confidence: object) -> None:
    """The words count, also when the number beside them is nonsense."""
    result = {"speech": "yes", "confidence": confidence}
    event = parse_one(element_of("RecognizeCompleted", speechResult=result)).event
    assert event == ev.SpeechRecognized(EventId("e1"), "op", "yes", None)


def test_callbacks_half_a_surrogate_is_replaced() -> None:
    """Text that cannot be encoded would fail later, where the state is stored."""
    event = parse_one(element_of("RecognizeCompleted", speechResult={"speech": "a\ud800b"})).event
    assert isinstance(event, ev.SpeechRecognized)
    assert event.text == "a?b"


@pytest.mark.parametrize(
    ("code", "sub_code", "reason"),
    [
        (486, 0, ev.TransferFailure.BUSY),
        (486, 560486, ev.TransferFailure.BUSY),
        (200, 560486, ev.TransferFailure.BUSY),
        (486, 540486, ev.TransferFailure.BUSY),
        (400, 8539, ev.TransferFailure.BUSY),
        (400, 8540, ev.TransferFailure.BUSY),
        (600, 560600, ev.TransferFailure.BUSY),
        (603, 0, ev.TransferFailure.DECLINED),
        (603, 560603, ev.TransferFailure.DECLINED),
        (603, 8538, ev.TransferFailure.DECLINED),
        (487, 10024, ev.TransferFailure.DECLINED),
        (480, 560480, ev.TransferFailure.NO_ANSWER),
        (480, 8541, ev.TransferFailure.NO_ANSWER),
        (408, 560408, ev.TransferFailure.NO_ANSWER),
        (408, 0, ev.TransferFailure.NO_ANSWER),
        (404, 4500, ev.TransferFailure.FAILED),
        (403, 510403, ev.TransferFailure.FAILED),
        (500, 9999, ev.TransferFailure.FAILED),
        (0, 0, ev.TransferFailure.FAILED),
    ],
)
def test_callbacks_a_failed_transfer_has_a_reason(
    code: int, sub_code: int, reason: ev.TransferFailure
) -> None:
    """The caller is told whether the person is busy, absent or unwilling."""
    information = {"code": code, "subCode": sub_code}
    event = parse_one(element_of("CallTransferFailed", resultInformation=information)).event
    assert event == ev.TransferFailed(EventId("e1"), "op", reason, ev.Result(code, sub_code))
