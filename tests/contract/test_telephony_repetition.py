"""The telephony port with the real SDK: what is sent again, and what must not be."""

from collections.abc import AsyncIterator

import pytest

from shared.calls.commands import Answer
from shared.calls.events import CommandFailure
from shared.calls.failures import TelephonyError
from shared.calls.telephony import Telephony
from shared.types import CommandId, SessionId
from tests.contract.acs_recorder import AcsRecorder, FakeClock, Scripted
from tests.contract.telephony_cases import (
    ANSWER,
    HANG_UP,
    ON_CALL,
    OPERATIONS,
    REPEATABLE,
    SESSION,
    TRANSFER,
    UNREPEATABLE,
    connect,
)

UNAVAILABLE = CommandFailure.UNAVAILABLE


@pytest.fixture
async def acs() -> AsyncIterator[AcsRecorder]:
    """The other end of the line."""
    async with AcsRecorder().serve() as recorder:
        yield recorder


@pytest.fixture
def clock() -> FakeClock:
    """Lets the pauses between attempts pass at once."""
    return FakeClock()


@pytest.fixture
async def telephony(acs: AcsRecorder, clock: FakeClock) -> AsyncIterator[Telephony]:
    """The port under test."""
    port = connect(acs.endpoint, clock=clock)
    yield port
    await port.aclose()


@pytest.mark.parametrize("name", REPEATABLE)
@pytest.mark.parametrize(
    "fault",
    [
        Scripted(503),
        Scripted(503, headers={"Retry-After": "1"}),
        Scripted(429, "8516"),
        Scripted(is_dropped=True),
    ],
    ids=["busy", "busy-with-a-time", "throttled", "cut-after-the-effect"],
)
async def test_repeatable_operations_are_repeated_and_done_once(
    acs: AcsRecorder, telephony: Telephony, name: str, fault: Scripted
) -> None:
    """A short fault is not noticed, and what was carried out is not carried out again."""
    acs.script.append(fault)
    await OPERATIONS[name](telephony)
    first, second = acs.requests
    for header in ("Repeatability-Request-ID", "Repeatability-First-Sent"):
        assert first.headers[header] == second.headers[header]
    assert first.headers["Repeatability-First-Sent"] == "Sun, 22 Nov 2026 07:32:00 GMT"
    assert len(acs.effects) == 1


async def test_repeatable_operations_give_up_after_three_attempts(
    acs: AcsRecorder, telephony: Telephony, clock: FakeClock
) -> None:
    """A caller is waiting; the pauses grow and carry jitter."""
    acs.script.extend([Scripted(500)] * 5)
    with pytest.raises(TelephonyError):
        await telephony.transfer(ON_CALL, TRANSFER)
    assert len(acs.requests) == 3
    assert len(clock.pauses_s) == 2
    assert 0.05 <= clock.pauses_s[0] <= 0.1 <= clock.pauses_s[1] <= 0.2


async def test_repeatable_operations_do_not_wait_past_the_deadline(
    acs: AcsRecorder, telephony: Telephony, clock: FakeClock
) -> None:
    """A pause that ends after the deadline would only delay the bad news."""
    acs.script.append(Scripted(429, headers={"Retry-After": "60"}))
    with pytest.raises(TelephonyError) as caught:
        await telephony.transfer(ON_CALL, TRANSFER)
    assert (caught.value.failure, clock.pauses_s) == (UNAVAILABLE, [])


async def test_repeatable_operations_wait_as_long_as_asked(
    acs: AcsRecorder, telephony: Telephony, clock: FakeClock
) -> None:
    """Coming back earlier than asked prolongs the throttling."""
    acs.script.append(Scripted(429, headers={"Retry-After": "2"}))
    await telephony.transfer(ON_CALL, TRANSFER)
    assert clock.pauses_s == [2.0]


@pytest.mark.parametrize("name", ["answer", "speak"])
async def test_rejected_operations_are_not_repeated(
    acs: AcsRecorder, telephony: Telephony, name: str
) -> None:
    """The same request would be refused again, also if the answer names a time."""
    acs.script.extend([Scripted(400, "8523", headers={"Retry-After": "0"})] * 2)
    with pytest.raises(TelephonyError):
        await OPERATIONS[name](telephony)
    assert len(acs.requests) == 1


@pytest.mark.parametrize("name", UNREPEATABLE)
@pytest.mark.parametrize(
    "fault",
    [
        Scripted(500),
        Scripted(503, headers={"Retry-After": "0"}),
        Scripted(504),
        Scripted(is_dropped=True),
    ],
    ids=["error", "busy-with-a-time", "gateway", "cut-after-the-effect"],
)
async def test_play_and_recognize_are_never_sent_twice(
    acs: AcsRecorder, telephony: Telephony, name: str, fault: Scripted
) -> None:
    """The first may have been heard; a caller must not hear a sentence twice."""
    acs.script.append(fault)
    with pytest.raises(TelephonyError) as caught:
        await OPERATIONS[name](telephony)
    assert caught.value.failure is UNAVAILABLE
    assert len(acs.requests) == 1


@pytest.mark.parametrize("name", UNREPEATABLE)
async def test_play_and_recognize_are_repeated_when_turned_away(
    acs: AcsRecorder, telephony: Telephony, name: str
) -> None:
    """A throttled request has certainly not been heard."""
    acs.script.append(Scripted(429, "8516"))
    await OPERATIONS[name](telephony)
    assert len(acs.effects) == 1


@pytest.mark.parametrize("name", OPERATIONS)
async def test_operations_repeat_a_refused_connection(name: str, clock: FakeClock) -> None:
    """Nobody has heard a request that found no server, so any operation may try again."""
    async with AcsRecorder().serve() as closed:
        endpoint = closed.endpoint
    port = connect(endpoint, clock=clock)
    with pytest.raises(TelephonyError) as caught:
        await OPERATIONS[name](port)
    await port.aclose()
    assert (caught.value.failure, caught.value.detail) == (UNAVAILABLE, "0/0")
    assert len(clock.pauses_s) == 2


async def test_commands_sent_by_two_instances_are_recognised(acs: AcsRecorder) -> None:
    """After a takeover the same answer gives the same call, and there is one transfer."""
    first, second = connect(acs.endpoint), connect(acs.endpoint)
    assert await first.answer(SESSION, ANSWER) == await second.answer(SESSION, ANSWER)
    for port in (first, second):
        await port.transfer(ON_CALL, TRANSFER)
        await port.hang_up(ON_CALL, HANG_UP)
        await port.aclose()
    assert acs.effects == [":answer", ":transferToParticipant", ":terminate"]
    assert acs.requests[0].body == acs.requests[1].body


async def test_commands_of_other_sessions_and_ids_are_told_apart(
    acs: AcsRecorder, telephony: Telephony
) -> None:
    """Two calls must never be taken for one."""
    other = Answer(CommandId("answer-2"), "the context")
    legs = [
        await telephony.answer(SESSION, ANSWER),
        await telephony.answer(SessionId("another"), ANSWER),
        await telephony.answer(SESSION, other),
    ]
    assert len(set(legs)) == 3
