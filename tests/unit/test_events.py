"""Events: what can be read from one without the session it belongs to."""

import pytest

from shared.calls.events import (
    CallConnected,
    CallOffered,
    CallPlaced,
    ChatOpened,
    Event,
    Party,
    called_number,
)
from shared.types import CallConnectionId, EventId

ID = EventId("e")
CALLER, OURS = Party("4:+15551230000"), "+15559990009"


def offered(callee: str) -> CallOffered:
    """A phone rings for *callee*."""
    return CallOffered(ID, CALLER, Party(callee), "ctx", "corr")


@pytest.mark.parametrize(
    ("event", "number"),
    [
        (offered("4:+15559990001"), "+15559990001"),
        (offered("8:acs:0000-1111"), None),
        (offered("4:anonymous"), None),
        (CallPlaced(ID, CALLER), OURS),
        (ChatOpened(ID), None),
        (CallConnected(ID, CallConnectionId("c")), None),
        (None, None),
    ],
)
def test_called_number_is_ours(event: Event | None, number: str | None) -> None:
    """It decides who answers: the number that was dialled, or the one we call from."""
    assert called_number(event, OURS) == number


def test_called_number_of_a_call_we_place_may_be_unknown() -> None:
    """Without a number of our own the scenario's entry agent speaks."""
    assert called_number(CallPlaced(ID, CALLER), None) is None
