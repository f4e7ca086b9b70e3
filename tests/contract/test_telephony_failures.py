"""The telephony port with the real SDK when the service fails, stalls, or hears twice."""

import asyncio
import traceback
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from azure.core.credentials import AccessToken
from azure.core.exceptions import ClientAuthenticationError

from shared.calls.events import CommandFailure
from shared.calls.failures import TelephonyError
from shared.calls.telephony import Telephony
from tests.contract.acs_recorder import AcsRecorder, FakeClock, Scripted
from tests.contract.telephony_cases import (
    ANSWER,
    ON_CALL,
    OPERATIONS,
    OPTIONS,
    SESSION,
    SPEAK,
    VOICE,
    connect,
)

GONE, REJECTED, UNAVAILABLE = (
    CommandFailure.CALL_GONE,
    CommandFailure.REJECTED,
    CommandFailure.UNAVAILABLE,
)
EXPIRED = "IDX23010: Lifetime validation of the signed http request failed. +15551230000"


@pytest.fixture
async def acs() -> AsyncIterator[AcsRecorder]:
    """The other end of the line."""
    async with AcsRecorder().serve() as recorder:
        yield recorder


@pytest.fixture
async def telephony(acs: AcsRecorder) -> AsyncIterator[Telephony]:
    """The port under test."""
    port = connect(acs.endpoint)
    yield port
    await port.aclose()


@pytest.mark.parametrize(
    ("status", "code", "message", "failure"),
    [
        (404, "8522", "Call not found", GONE),
        (400, "8501", "", GONE),
        (400, "8528", "", GONE),
        (400, "8585", "", GONE),
        (400, "8543", "", GONE),
        (400, None, EXPIRED, GONE),
        (403, "7504", "Call already terminated.", GONE),
        (400, "8523", "", REJECTED),
        (400, "8567", "", REJECTED),
        (401, "7509", "HMAC-SHA256 validation failed", REJECTED),
        (403, "7507", "", REJECTED),
        (404, None, "No HTTP resource was found that matches the request URI", REJECTED),
        (404, "4500", "", REJECTED),
        (405, "8520", "", REJECTED),
        (405, "8522", "", REJECTED),
        (412, "8583", "", REJECTED),
        (408, None, "", UNAVAILABLE),
        (409, "8519", "", UNAVAILABLE),
        (429, "8516", "", UNAVAILABLE),
        (400, "8516", "", UNAVAILABLE),
        (500, "9999", "", UNAVAILABLE),
        (502, None, "", UNAVAILABLE),
        (503, None, "", UNAVAILABLE),
        (504, None, EXPIRED, UNAVAILABLE),
    ],
)
async def test_failures_are_named_in_the_terms_of_the_flow(
    acs: AcsRecorder,
    telephony: Telephony,
    status: int,
    code: str | None,
    message: str,
    failure: CommandFailure,
) -> None:
    """The flow decides by three words, and no vendor text goes along with them."""
    acs.script.extend([Scripted(status, code, message)] * 3)
    with pytest.raises(TelephonyError) as caught:
        await telephony.answer(SESSION, ANSWER)
    error = caught.value
    assert (error.failure, error.status, error.sub_code) == (failure, status, int(code or 0))
    assert error.detail == f"{status}/{code or 0}"
    assert "IDX" not in "".join(traceback.format_exception(error))


async def test_failures_with_a_body_that_is_not_json_are_named(
    acs: AcsRecorder, telephony: Telephony
) -> None:
    """A gateway in front of ACS answers in HTML."""
    acs.script.append(Scripted(400, body=b"<html>"))
    with pytest.raises(TelephonyError) as caught:
        await telephony.speak(ON_CALL, SPEAK, VOICE)
    assert (caught.value.failure, caught.value.detail) == (REJECTED, "400/0")


async def test_failures_include_an_answer_without_a_call(
    acs: AcsRecorder, telephony: Telephony
) -> None:
    """A success that does not name the call cannot be worked with."""
    acs.script.append(Scripted(200, body=b"{}"))
    with pytest.raises(TelephonyError) as caught:
        await telephony.answer(SESSION, ANSWER)
    assert caught.value.failure is UNAVAILABLE


@pytest.mark.parametrize("name", OPERATIONS)
async def test_operations_end_at_their_deadline(acs: AcsRecorder, name: str) -> None:
    """A service that does not answer must not hold the call."""
    port = connect(acs.endpoint, options=replace(OPTIONS, op_timeout_s=0.1))
    acs.script.append(Scripted(is_hanging=True))
    with pytest.raises(TelephonyError) as caught:
        await OPERATIONS[name](port)
    await port.aclose()
    assert caught.value.failure is UNAVAILABLE


async def test_operations_stop_when_cancelled(acs: AcsRecorder, telephony: Telephony) -> None:
    """Whoever gives up is let go at once, and hears of no failure."""
    for name, operation in OPERATIONS.items():
        acs.script.append(Scripted(is_hanging=True))
        acs.has_request.clear()
        task = asyncio.create_task(operation(telephony))
        await acs.has_request.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled(), name


class FakeCredential:
    """A credential that has no token to give."""

    async def get_token(self, *_: str, **__: object) -> AccessToken:
        """Fail like the real ones."""
        raise ClientAuthenticationError("no identity here")

    async def close(self) -> None:
        """Hold nothing."""

    async def __aenter__(self) -> "FakeCredential":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


async def test_failures_of_the_credential_are_passing() -> None:
    """The token service may be down for a moment; the request itself is not wrong."""
    port = Telephony.connect(
        endpoint="https://127.0.0.1:1",
        credential=FakeCredential(),
        callback_url=str,
        options=OPTIONS,
        clock=FakeClock(),
    )
    with pytest.raises(TelephonyError) as caught:
        await port.answer(SESSION, ANSWER)
    await port.aclose()
    assert (caught.value.failure, caught.value.detail) == (UNAVAILABLE, "0/0")
