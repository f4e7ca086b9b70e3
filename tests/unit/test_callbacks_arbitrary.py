"""Whatever is posted to us, it is read or refused: nothing else may happen."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from shared.calls.callbacks import parse_callbacks, parse_incoming_call
from shared.errors import InvalidRequestError
from shared.types import Json

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
EVENT_TYPES = st.sampled_from(
    [
        *("CallConnected", "CallDisconnected", "AnswerFailed", "PlayStarted", "PlayFailed"),
        *("PlayCompleted", "RecognizeCompleted", "RecognizeFailed", "RecognizeCanceled"),
        *("CallTransferAccepted", "CallTransferFailed", "ParticipantsUpdated", "Unheard-of"),
    ]
)
DATA_FIELDS = st.sampled_from(
    [
        *("operationContext", "resultInformation", "dtmfResult", "speechResult", "choiceResult"),
        *("code", "subCode", "tones", "speech", "label", "confidence", "correlationId"),
    ]
)
ALMOST_DATA = st.dictionaries(
    DATA_FIELDS, JSON_VALUES | st.dictionaries(DATA_FIELDS, JSON_VALUES, max_size=4), max_size=6
)


@given(JSON_VALUES)
def test_callbacks_arbitrary_json_is_read_or_refused(document: Any) -> None:
    """Whatever is posted, the worst that happens is a refusal."""
    try:
        callbacks = parse_callbacks(json.dumps(document).encode())
    except InvalidRequestError:
        return
    assert all(one.call_connection_id for one in callbacks)


@given(st.binary(max_size=200))
def test_callbacks_arbitrary_bytes_are_read_or_refused(body: bytes) -> None:
    """Whatever is posted, the worst that happens is a refusal."""
    try:
        callbacks = parse_callbacks(body)
    except InvalidRequestError:
        return
    assert all(one.call_connection_id for one in callbacks)


@given(EVENT_TYPES, ALMOST_DATA)
def test_callbacks_with_a_type_and_a_call_are_always_read(kind: str, data: Json) -> None:
    """An event of a known call is never refused for what is inside it."""
    element = {"type": kind, "data": {**data, "callConnectionId": "call"}}
    (callback,) = parse_callbacks(json.dumps(element).encode())
    assert callback.call_connection_id == "call"
    assert callback.type == kind


@given(JSON_VALUES)
def test_incoming_call_arbitrary_json_is_read_or_refused(data: Any) -> None:
    """Whatever Event Grid hands over, the worst that happens is a refusal."""
    try:
        offered = parse_incoming_call("e1", data)
    except InvalidRequestError:
        return
    assert offered.correlation_id
