"""Calls begin and end as the service does it, seen through the real client."""

import pytest
from azure.communication.callautomation import (
    CommunicationUserIdentifier,
    PhoneNumberIdentifier,
)
from azure.communication.callautomation.aio import CallAutomationClient
from azure.core.credentials import AzureKeyCredential
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)

from simulator.acs import (
    Connected,
    Ended,
    EndReason,
    Heard,
    Pace,
    Say,
)
from tests.contract.acs_simulator_stage import (
    ACCESS_KEY,
    AGENT,
    CALLER,
    build_stage,
    listen,
    result_of,
    text,
)

HUMAN = "+15554560000"


def code_of(error: HttpResponseError) -> str | None:
    """The subcode of a refusal."""
    return getattr(error.error, "code", None)


async def test_answer_returns_what_the_service_returns_and_connects() -> None:
    """The state right after answering is unknown, and the ids agree with the incoming call."""
    async with build_stage() as stage:
        phone, context = await stage.ring()
        properties = await stage.client.answer_call(
            context, stage.app.url, operation_context="incomingCall"
        )
        offer = stage.app.offers[0]
        connected = await stage.app.wait_for("CallConnected")
        updated = await stage.app.wait_for("ParticipantsUpdated")

        assert properties.call_connection_state == "unknown"
        assert properties.correlation_id == offer["data"]["correlationId"] == offer["id"][:36]
        assert properties.server_call_id == offer["data"]["serverCallId"]
        assert connected["data"]["operationContext"] == "incomingCall"
        assert "operationContext" not in updated["data"]
        assert updated["data"]["sequenceNumber"] == 1
        assert isinstance(phone.transcript[0], Connected)
        assert phone.call_connection_id == properties.call_connection_id


async def test_offer_has_the_shape_of_event_grid() -> None:
    """The app parses this before it knows anything about the call."""
    async with build_stage() as stage:
        _, context = await stage.ring()
        offer = stage.app.offers[0]
        assert offer["eventType"] == "Microsoft.Communication.IncomingCall"
        assert offer["subject"] == f"/phoneCall/caller/{CALLER}/recipient/{AGENT}"
        assert offer["data"]["from"] == {
            "kind": "phoneNumber",
            "rawId": f"4:{CALLER}",
            "phoneNumber": {"value": CALLER},
        }
        assert context.count(".") == 2
        assert context.endswith(".")
        assert 6_000 < len(context) < 12_000


async def test_context_answers_once() -> None:
    """Two instances may get the same offer; only one of them may take the call."""
    async with build_stage() as stage:
        _, context = await stage.ring()
        await stage.client.answer_call(context, stage.app.url)
        with pytest.raises(ResourceNotFoundError) as again:
            await stage.client.answer_call(context, stage.app.url)
        assert code_of(again.value) == "8522"


async def test_expired_context_names_the_documented_error() -> None:
    """A late offer is recognized by this text and swallowed."""
    pace = Pace(speed=50, ring_s=500, context_s=-1)
    async with build_stage(pace=pace) as stage:
        _, context = await stage.ring()
        with pytest.raises(HttpResponseError, match="IDX23010"):
            await stage.client.answer_call(context, stage.app.url)


async def test_caller_who_waited_too_long_is_gone() -> None:
    """The phone rings for a limited time; answering after that must fail, not connect."""
    async with build_stage(pace=Pace(speed=50, ring_s=1)) as stage:
        phone, context = await stage.ring()
        assert (await phone.ended(5)).reason == EndReason.NOT_ANSWERED
        with pytest.raises(ResourceNotFoundError):
            await stage.client.answer_call(context, stage.app.url)


async def test_caller_who_hangs_up_while_connecting_fails_the_answer() -> None:
    """The app has its 200 already and learns from the callback that nobody is there."""
    async with build_stage(pace=Pace(speed=1, connect_ms=60_000)) as stage:
        phone, context = await stage.ring()
        properties = await stage.client.answer_call(context, stage.app.url)
        connection = stage.client.get_call_connection(str(properties.call_connection_id))
        with pytest.raises(HttpResponseError) as too_early:
            await connection.play_media(text("hello"))
        assert code_of(too_early.value) == "8501"
        with pytest.raises(HttpResponseError) as wrong_state:
            await connection.transfer_call_to_participant(PhoneNumberIdentifier(HUMAN))
        assert code_of(wrong_state.value) == "8585"
        phone.hang_up()
        phone.hang_up()
        failed = await stage.app.wait_for("AnswerFailed")
        assert result_of(failed) == (487, 10004)


async def test_reject_and_redirect_end_the_call_without_callbacks() -> None:
    """Nothing may be waited for after either of them."""
    async with build_stage() as stage:
        phone, context = await stage.ring()
        await stage.client.reject_call(context, call_reject_reason="busy")
        assert (await phone.ended(5)).reason == EndReason.REJECTED
        phone, context = await stage.ring()
        await stage.client.redirect_call(context, CommunicationUserIdentifier("8:acs:other"))
        assert (await phone.ended(5)).reason == EndReason.REDIRECTED
        assert stage.sim.events == []


@pytest.mark.parametrize("is_for_everyone", [True, False])
async def test_hang_up_ends_the_call_once(is_for_everyone: bool) -> None:
    """The app learns of its own hang-up, and the call is unknown from then on."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        assert (await connection.get_call_properties()).call_connection_state == "connected"
        await connection.hang_up(is_for_everyone)
        ended = await stage.app.wait_for("CallDisconnected")
        assert result_of(ended) == (200, 7000)
        assert ended["data"]["operationContext"] == "incomingCall"
        assert (await phone.ended(5)).reason == EndReason.AGENT_HUNG_UP
        for ask in (connection.get_call_properties, connection.cancel_all_media_operations):
            with pytest.raises(ResourceNotFoundError) as gone:
                await ask()
            assert code_of(gone.value) == "8522"


async def test_caller_hang_up_is_told_and_later_media_is_refused() -> None:
    """A hang-up races with every play; the refusal must be recognizable as the normal end."""
    async with build_stage() as stage:
        phone, connection = await stage.answer()
        phone.hang_up()
        ended = await stage.app.wait_for("CallDisconnected")
        assert result_of(ended) == (200, 540000)
        with pytest.raises(HttpResponseError) as refused:
            await connection.play_media(text("hello"))
        assert code_of(refused.value) == "8528"
        with pytest.raises(ResourceNotFoundError):
            await connection.get_call_properties()


async def test_unknown_call_is_not_found() -> None:
    """A wrong id must look like a call that is gone."""
    async with build_stage() as stage:
        with pytest.raises(ResourceNotFoundError) as missing:
            await stage.client.get_call_connection("nobody").get_call_properties()
        assert code_of(missing.value) == "8522"


async def test_wrong_key_is_refused() -> None:
    """The app must not run against a resource whose key it does not have."""
    wrong = "d3Jvbmcga2V5IHdyb25nIGtleSB3cm9uZyBrZXkgMTI="
    async with build_stage(access_key=wrong) as stage:
        with pytest.raises(ClientAuthenticationError) as refused:
            await stage.client.get_call_connection("any").get_call_properties()
        assert code_of(refused.value) == "7509"


async def test_unknown_api_version_is_not_found() -> None:
    """Previews get switched off, and this is how it shows."""
    async with build_stage() as stage:
        client = CallAutomationClient(
            stage.sim.endpoint, AzureKeyCredential(ACCESS_KEY), api_version="2024-11-15-preview"
        )
        async with client:
            with pytest.raises(ResourceNotFoundError, match="No HTTP resource was found"):
                await client.get_call_connection("any").get_call_properties()


async def test_routes_outside_the_scope_are_not_found() -> None:
    """What is not simulated must say so instead of pretending."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        with pytest.raises(ResourceNotFoundError, match="No HTTP resource was found"):
            await connection.start_transcription(locale="en-US")


@pytest.mark.parametrize("uri", ["http://app.example/callbacks", "ftp://127.0.0.1/", ""])
async def test_callback_address_must_be_safe(uri: str) -> None:
    """Plain http is for this machine only; the context stays good for a better try."""
    async with build_stage() as stage:
        _, context = await stage.ring()
        with pytest.raises(HttpResponseError, match="CallbackUri is invalid"):
            await stage.client.answer_call(context, uri)
        await stage.client.answer_call(context, stage.app.url)


async def test_whole_conversation_is_in_the_transcript_in_order() -> None:
    """The transcript is what a demo prints and what a test of the app asserts on."""
    async with build_stage() as stage:
        phone, connection = await stage.answer([Say("My balance, please")])
        await listen(connection, "How can I help?", "turn-1")
        await stage.app.wait_for("RecognizeCompleted", "turn-1")
        await connection.play_media(text("One moment."), operation_context="turn-2")
        await listen(connection, "It is ten euros.", "turn-3")
        ended = await phone.ended(5)
        followed = [entry async for entry in phone]

        assert [type(entry).__name__ for entry in followed] == [
            "Connected",
            "Heard",
            "Said",
            "Heard",
            "Heard",
            "Ended",
        ]
        assert followed[-1] == ended == Ended(EndReason.CALLER_HUNG_UP, ended.at_s)
        assert [one.at_s for one in followed] == sorted(one.at_s for one in followed)
        assert [entry.text for entry in phone.said] == ["My balance, please"]
        assert isinstance(followed[1], Heard)
        assert [entry.operation_context for entry in phone.heard] == ["turn-1", "turn-2", "turn-3"]
        assert len(phone.silences_ms) == 1
        assert 0 < phone.silences_ms[0] < 2_000
        assert await phone.next_entry() == followed[0]


async def test_stopping_the_simulator_cuts_all_lines() -> None:
    """Nobody who waits for a call may be left waiting."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        await stage.sim.aclose()
        await stage.sim.aclose()
        assert (await phone.ended(1)).reason == EndReason.LINE_LOST
