"""What Event Grid tells us about a ringing phone."""

import pytest

from shared.calls import events as ev
from shared.calls.callbacks import parse_incoming_call
from shared.errors import InvalidRequestError
from shared.types import EventId, Json

SERVER_CALL = "aHR0cHM6Ly9jb252LmV4YW1wbGUvY29udi9TSU0wMT9pPTEmZT0y"


def incoming_call(**changes: object) -> Json:
    """The data of an IncomingCall event of a phone, changed."""
    return {
        "to": {
            "kind": "phoneNumber",
            "rawId": "4:+15559990000",
            "phoneNumber": {"value": "+15559990000"},
        },
        "from": {
            "kind": "phoneNumber",
            "rawId": "4:+15551230000",
            "phoneNumber": {"value": "+15551230000"},
        },
        "serverCallId": SERVER_CALL,
        "callerDisplayName": "",
        "incomingCallContext": "ctx",
        "correlationId": "14bd8e31",
        **changes,
    }


def test_incoming_call_of_a_phone_is_read() -> None:
    """The usual case: everything the answer needs is there."""
    assert parse_incoming_call("e1", incoming_call()) == ev.CallOffered(
        id=EventId("e1"),
        caller=ev.Party("4:+15551230000"),
        callee=ev.Party("4:+15559990000"),
        incoming_call_context="ctx",
        correlation_id="14bd8e31",
        server_call_id=SERVER_CALL,
    )


@pytest.mark.parametrize(
    ("caller", "callee"),
    [
        ({"kind": "communicationUser", "rawId": "8:acs:a"}, {"rawId": "8:acs:b"}),
        ({"rawId": "4:anonymous", "phoneNumber": {"value": "anonymous"}}, {"rawId": "4:+1555"}),
        ({"rawId": "4:+1555"}, {"kind": "unknown", "rawId": "28:orgid:0-1-2"}),
    ],
)
def test_incoming_call_identifiers_are_read_by_their_raw_id(caller: Json, callee: Json) -> None:
    """ACS users, hidden numbers and Teams accounts carry no phone number to read."""
    offered = parse_incoming_call("e1", incoming_call(**{"from": caller, "to": callee}))
    assert offered.caller == ev.Party(caller["rawId"])
    assert offered.callee == ev.Party(callee["rawId"])


def test_incoming_call_without_the_optional_fields_is_read() -> None:
    """A call is answered also when ACS tells less about it."""
    data = incoming_call()
    del data["to"], data["serverCallId"], data["callerDisplayName"]
    offered = parse_incoming_call("e1", data)
    assert (offered.callee, offered.server_call_id) == (ev.Party(""), "")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"incomingCallContext": None}, "data.incomingCallContext"),
        ({"incomingCallContext": ""}, "data.incomingCallContext"),
        ({"from": None}, "data.from.rawId"),
        ({"from": {"kind": "phoneNumber"}}, "data.from.rawId"),
        ({"correlationId": None}, "data.correlationId"),
    ],
)
def test_incoming_call_missing_fields_are_named(changes: Json, named: str) -> None:
    """A call that cannot be answered is refused with the reason."""
    with pytest.raises(InvalidRequestError, match=named):
        parse_incoming_call("e1", incoming_call(**changes))


def test_incoming_call_context_is_not_shown() -> None:
    """The context answers the call: it must not reach a log by way of a repr."""
    assert "ctx" not in repr(parse_incoming_call("e1", incoming_call()))
