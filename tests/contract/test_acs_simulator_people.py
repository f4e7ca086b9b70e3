"""Transfers, calls to people and participants, seen through the real client."""

import pytest
from azure.communication.callautomation import (
    CommunicationUserIdentifier,
    MicrosoftTeamsUserIdentifier,
    PhoneNumberIdentifier,
)
from azure.core.exceptions import (
    HttpResponseError,
    ResourceNotFoundError,
)

from simulator.acs import (
    Chaos,
    EndReason,
    Pace,
    Person,
    RestFault,
    Say,
    Transferred,
)
from tests.contract.acs_simulator_stage import (
    AGENT,
    CALLER,
    COGNITIVE,
    build_stage,
    caller,
    result_of,
    text,
)

HUMAN = "+15554560000"


def code_of(error: HttpResponseError) -> str | None:
    """The subcode of a refusal."""
    return getattr(error.error, "code", None)


@pytest.mark.parametrize(
    ("person", "result"),
    [
        (Person("busy"), (486, 560486)),
        (Person("declined"), (603, 560603)),
        (Person("no_answer"), (480, 560480)),
        (Person("failed"), (503, 560503)),
        (None, (404, 4500)),
    ],
)
async def test_failed_transfer_keeps_the_caller(
    person: Person | None, result: tuple[int, int]
) -> None:
    """Every way to miss a person is told, and the app can go on talking to the caller."""
    async with build_stage(pace=Pace(speed=50, ring_s=10)) as stage:
        if person:
            stage.sim.phones[HUMAN] = person
        phone, connection = await stage.answer()
        reply = await connection.transfer_call_to_participant(
            PhoneNumberIdentifier(HUMAN), operation_context="xfer-1"
        )
        assert reply.operation_context == "xfer-1"
        failed = await stage.app.wait_for("CallTransferFailed", "xfer-1")
        assert result_of(failed) == result
        await connection.play_media(text("Sorry."), operation_context="sorry")
        await stage.app.wait_for("PlayCompleted", "sorry")
        outcome = person.outcome if person else "unknown_number"
        assert [(e.to, e.outcome) for e in phone.transcript if isinstance(e, Transferred)] == [
            (HUMAN, outcome)
        ]
        assert not phone.is_over


async def test_second_transfer_waits_for_the_first() -> None:
    """A call cannot go to two people; while one phone rings the other is refused."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted", answers_after_s=10_000)
        _, connection = await stage.answer()
        await connection.transfer_call_to_participant(PhoneNumberIdentifier(HUMAN))
        assert (await connection.get_call_properties()).call_connection_state == "transferring"
        with pytest.raises(HttpResponseError) as busy:
            await connection.transfer_call_to_participant(PhoneNumberIdentifier(HUMAN))
        assert code_of(busy.value) == "8585"


@pytest.mark.parametrize(
    "target",
    [
        CommunicationUserIdentifier("8:acs:desk"),
        MicrosoftTeamsUserIdentifier("2f3b7c5e-0000-4000-8000-000000000001"),
    ],
)
async def test_transfer_may_go_to_a_user(
    target: CommunicationUserIdentifier | MicrosoftTeamsUserIdentifier,
) -> None:
    """Users have no number; their raw id is how they are reached."""
    async with build_stage() as stage:
        stage.sim.phones[str(target.raw_id)] = Person("accepted")
        _, connection = await stage.answer()
        await connection.transfer_call_to_participant(target)
        accepted = await stage.app.wait_for("CallTransferAccepted")
        named = accepted["data"]["transferTarget"]
        assert named["rawId"] == target.raw_id
        assert named["kind"] in named


async def test_accepted_transfer_takes_the_caller_away() -> None:
    """The app leaves: it is told so, and nothing of the call is left to it."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted")
        phone, connection = await stage.answer()
        await connection.transfer_call_to_participant(
            PhoneNumberIdentifier(HUMAN), operation_context="xfer-1"
        )
        accepted = await stage.app.wait_for("CallTransferAccepted", "xfer-1")
        ended = await stage.app.wait_for("CallDisconnected")
        assert accepted["data"]["transferTarget"]["rawId"] == f"4:{HUMAN}"
        assert accepted["data"]["transferee"]["rawId"] == f"4:{CALLER}"
        assert result_of(ended) == (200, 7015)
        assert (await phone.ended(5)).reason == EndReason.TRANSFERRED
        with pytest.raises(ResourceNotFoundError):
            await connection.play_media(text("hello"))


async def test_call_may_be_dead_after_a_failed_transfer() -> None:
    """It has been seen in the field: the call lives, but nothing can be said on it."""
    async with build_stage(chaos=Chaos(dead_after_failed_transfer=True)) as stage:
        _, connection = await stage.answer()
        await connection.transfer_call_to_participant(PhoneNumberIdentifier(HUMAN))
        await stage.app.wait_for("CallTransferFailed")
        with pytest.raises(HttpResponseError) as dead:
            await connection.play_media(text("Sorry."))
        assert code_of(dead.value) == "8501"
        await connection.hang_up(True)


async def test_created_call_is_answered_by_its_person() -> None:
    """An outbound call runs the script of whoever was called, and ends like one."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted", script=[Say("Who is this?")])
        properties = await stage.client.create_call(
            PhoneNumberIdentifier(HUMAN),
            stage.app.url,
            source_caller_id_number=PhoneNumberIdentifier(AGENT),
            cognitive_services_endpoint=COGNITIVE,
            operation_context="out-1",
        )
        assert properties.call_connection_state == "connecting"
        assert properties.server_call_id is None
        await stage.app.wait_for("CallConnected", "out-1")
        call_id = str(properties.call_connection_id)
        phone = stage.sim.calls[call_id].phone
        connection = stage.client.get_call_connection(call_id)
        for number in ("1", "2"):
            await connection.start_recognizing_media(
                "speech",
                PhoneNumberIdentifier(HUMAN),
                play_prompt=text("Hello."),
                operation_context=f"ask-{number}",
            )
        heard = await stage.app.wait_for("RecognizeCompleted", "ask-1")
        assert heard["data"]["speechResult"]["speech"] == "Who is this?"
        ended = await stage.app.wait_for("CallDisconnected", "out-1")
        assert result_of(ended) == (200, 560000)
        assert [entry.text for entry in phone.heard] == ["Hello.", "Hello."]


@pytest.mark.parametrize(
    ("person", "result"),
    [
        (Person("busy"), (486, 560486)),
        (Person("declined"), (200, 5002)),
        (Person("no_answer"), (480, 560480)),
        (None, (404, 4500)),
    ],
)
async def test_created_call_nobody_takes_fails_and_ends(
    person: Person | None, result: tuple[int, int]
) -> None:
    """Both events come, with the same result; code 200 does not mean that anybody answered."""
    async with build_stage(pace=Pace(speed=50, ring_s=10)) as stage:
        if person:
            stage.sim.phones[HUMAN] = person
        await stage.client.create_call(
            PhoneNumberIdentifier(HUMAN),
            stage.app.url,
            source_caller_id_number=PhoneNumberIdentifier(AGENT),
            operation_context="out-1",
        )
        assert result_of(await stage.app.wait_for("CreateCallFailed", "out-1")) == result
        assert result_of(await stage.app.wait_for("CallDisconnected", "out-1")) == result


async def test_replay_of_a_create_makes_one_call() -> None:
    """A create that was done but answered with an error is repeated by the client: one call."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted")
        stage.sim.chaos.rest_faults.append(RestFault("createCall", 503, after_effect=True))
        properties = await stage.client.create_call(
            PhoneNumberIdentifier(HUMAN),
            stage.app.url,
            source_caller_id_number=PhoneNumberIdentifier(AGENT),
        )
        assert list(stage.sim.calls) == [properties.call_connection_id]
        asked = stage.sim.requests
        assert [(r.status, r.is_replay) for r in asked] == [(503, False), (201, True)]
        assert asked[0].request_id == asked[1].request_id


async def test_participants_come_and_go() -> None:
    """Invitations report their outcome, and every change is numbered."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted")
        stage.sim.phones["+15550000001"] = Person("declined")
        phone, connection = await stage.answer()
        human, source = PhoneNumberIdentifier(HUMAN), PhoneNumberIdentifier(AGENT)
        added = await connection.add_participant(human, source_caller_id_number=source)
        succeeded = await stage.app.wait_for("AddParticipantSucceeded")
        assert succeeded["data"]["invitationId"] == added.invitation_id
        updated = await stage.app.wait_for("ParticipantsUpdated", count=2)
        assert len(updated["data"]["participants"]) == 3
        found = await connection.get_participant(human)
        assert found.identifier is not None
        assert found.identifier.raw_id == f"4:{HUMAN}"
        assert len([one async for one in connection.list_participants()]) == 3
        await connection.add_participant(PhoneNumberIdentifier("+15550000001"))
        assert result_of(await stage.app.wait_for("AddParticipantFailed")) == (603, 8538)
        await connection.mute_participant(human)
        await stage.app.wait_for("ParticipantsUpdated", count=3)
        await connection.remove_participant(human)
        await stage.app.wait_for("RemoveParticipantSucceeded")
        await connection.remove_participant(human)
        assert result_of(await stage.app.wait_for("RemoveParticipantFailed")) == (404, 8522)
        assert not phone.is_over
        await connection.remove_participant(caller())
        assert (await phone.ended(5)).reason == EndReason.AGENT_HUNG_UP


async def test_invitation_can_be_called_off_once() -> None:
    """After that it has been processed, and nobody is added."""
    async with build_stage() as stage:
        stage.sim.phones[HUMAN] = Person("accepted", answers_after_s=10_000)
        _, connection = await stage.answer()
        added = await connection.add_participant(PhoneNumberIdentifier(HUMAN))
        for name in ("Succeeded", "Failed"):
            await connection.cancel_add_participant_operation(str(added.invitation_id))
            told = await stage.app.wait_for(f"CancelAddParticipant{name}")
            assert told["data"]["invitationId"] == added.invitation_id
        assert stage.app.of("AddParticipantSucceeded") == []


async def test_hold_and_unhold_change_the_participants() -> None:
    """Only a failure has an event of its own."""
    async with build_stage() as stage:
        _, connection = await stage.answer()
        await connection.hold(caller())
        held = await stage.app.wait_for("ParticipantsUpdated", count=2)
        assert held["data"]["participants"][0]["isOnHold"] is True
        await connection.unhold(caller())
        await stage.app.wait_for("ParticipantsUpdated", count=3)
        await connection.hold(PhoneNumberIdentifier(HUMAN))
        assert result_of(await stage.app.wait_for("HoldFailed")) == (400, 8558)
