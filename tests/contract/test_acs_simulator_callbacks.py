"""Callbacks look like the recorded ones and prove who sent them."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from azure.communication.callautomation import DtmfTone, PhoneNumberIdentifier, RecognitionChoice

from simulator.acs import (
    Chaos,
    Mumble,
    Person,
    Press,
    Say,
    Stay,
    Step,
)
from tests.contract.acs_simulator_stage import (
    AGENT,
    AUDIENCE,
    PACE,
    Stage,
    build_stage,
    caller,
    listen,
    text,
)

HUMAN, BUSY = "+15554560000", "+15550000001"


RECORDED = Path(__file__).parents[1] / "data" / "callback-events.json"
"""One body for every event, as recorded from the service or documented."""
EMITTED = {
    "CallConnected",
    "CallDisconnected",
    "CallTransferAccepted",
    "CallTransferFailed",
    "ContinuousDtmfRecognitionStopped",
    "CreateCallFailed",
    "ContinuousDtmfRecognitionToneReceived",
    "AddParticipantFailed",
    "AddParticipantSucceeded",
    "CancelAddParticipantFailed",
    "HoldFailed",
    "ParticipantsUpdated",
    "PlayCanceled",
    "PlayCompleted",
    "PlayFailed",
    "PlayStarted",
    "RecognizeCanceled",
    "RecognizeCompleted",
    "RecognizeFailed",
    "RemoveParticipantFailed",
    "RemoveParticipantSucceeded",
    "SendDtmfTonesCompleted",
}


def shape(value: Any) -> Any:
    """The keys and types of a JSON value; of a list the shape of its first item."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return type(value)


def kind_of(event: dict[str, Any]) -> tuple[str, int]:
    """What decides about the fields of an event: its type, and how a recognition ended."""
    return event["type"], event["data"]["resultInformation"]["subCode"]


async def keys(stage: Stage) -> dict[str, jwt.PyJWK]:
    """The published keys by their ids."""
    async with aiohttp.ClientSession() as session, session.get(stage.sim.jwks_url) as response:
        published = jwt.PyJWKSet.from_dict(await response.json())
    return {str(key.key_id): key for key in published.keys}


async def claims(stage: Stage, token: str) -> dict[str, Any]:
    """The verified claims of a token, as the app reads them."""
    key = (await keys(stage))[jwt.get_unverified_header(token)["kid"]]
    verified: dict[str, Any] = jwt.decode(
        token,
        key.key,
        algorithms=["RS256"],
        audience=AUDIENCE,
        issuer=stage.sim.issuer,
        options={"require": ["exp", "iss", "aud"]},
    )
    return verified


async def everything(stage: Stage) -> None:
    """Let every kind of event come up that is simulated for a call that works."""
    menu = [RecognitionChoice(label="Yes", phrases=["yes"], tone=DtmfTone.ONE)]
    stage.sim.phones[HUMAN] = Person("accepted")
    stage.sim.phones[BUSY] = Person("busy")
    script: list[Step] = [Say("Hello there"), Press("12"), Say("yes"), Press("1"), Stay(), Mumble()]
    _, connection = await stage.answer(script)
    await connection.start_continuous_dtmf_recognition(caller(), operation_context="dtmf-1")
    await listen(connection, "One.", "speech")
    await listen(connection, "Two.", "tones", dtmf_max_tones_to_collect=2)
    await listen(connection, "Three.", "voice", input_type="choices", choices=menu)
    await listen(connection, "Four.", "key", input_type="choices", choices=menu)
    await listen(connection, "Five.", "silence")
    await listen(connection, "Six.", "mumble")
    await connection.play_media([text("Seven."), text(" ")], operation_context="fail")
    await connection.play_media(text("Eight."), loop=True, operation_context="loop")
    await listen(connection, "Nine.", "never")
    await stage.app.wait_for("PlayStarted", "loop")
    await connection.cancel_all_media_operations()
    await connection.stop_continuous_dtmf_recognition(caller(), operation_context="dtmf-1")
    await connection.send_dtmf_tones([DtmfTone.ONE], caller(), operation_context="sdt-1")
    await stage.app.wait_for("SendDtmfTonesCompleted")
    human = PhoneNumberIdentifier(HUMAN)
    await connection.add_participant(human, operation_context="add-1")
    await stage.app.wait_for("AddParticipantSucceeded")
    for _ in range(2):
        await connection.remove_participant(human, operation_context="rem-1")
    await connection.add_participant(PhoneNumberIdentifier(BUSY), operation_context="add-2")
    failed = await stage.app.wait_for("AddParticipantFailed")
    invitation = failed["data"]["invitationId"]
    await connection.cancel_add_participant_operation(invitation, operation_context="can-1")
    await connection.hold(human, operation_context="hold-1")
    await connection.play_media(text("Bye."), operation_context="play-1")
    await stage.app.wait_for("PlayCompleted", "play-1")
    stage.sim.phones["+15550000002"] = Person("declined")
    await stage.client.create_call(
        PhoneNumberIdentifier("+15550000002"),
        stage.app.url,
        source_caller_id_number=PhoneNumberIdentifier(AGENT),
        operation_context="out-1",
    )
    await stage.app.wait_for("CreateCallFailed")
    for number, name in ((BUSY, "CallTransferFailed"), (HUMAN, "CallTransferAccepted")):
        target = PhoneNumberIdentifier(number)
        await connection.transfer_call_to_participant(target, operation_context="xfer-1")
        await stage.app.wait_for(name)
    await stage.app.wait_for("CallDisconnected", "incomingCall")


async def test_bodies_have_the_recorded_shape() -> None:
    """The app is written against these shapes; a stand-in that differs proves nothing."""
    by_kind: dict[tuple[str, int], list[Any]] = {}
    by_type: dict[str, list[Any]] = {}
    for example in json.loads(RECORDED.read_text()):
        body = example["body"][0]
        if "resultInformation" in body["data"]:
            by_kind.setdefault(kind_of(body), []).append(shape(body))
            by_type.setdefault(body["type"], []).append(shape(body))
    async with build_stage() as stage:
        await everything(stage)
        for event in stage.sim.events:
            assert event["source"] == f"calling/callConnections/{event['data']['callConnectionId']}"
            assert event["data"]["publicEventType"] == event["type"]
            assert event["data"]["version"] == "2026-03-12"
            candidates = by_kind.get(kind_of(event)) or by_type[event["type"]]
            assert shape(event) in candidates, event["type"]
        assert {event["type"].rpartition(".")[2] for event in stage.sim.events} == EMITTED


async def test_every_callback_carries_its_own_token() -> None:
    """The signature verifies against the published keys, for the right audience, for 5 minutes."""
    async with build_stage() as stage:
        await stage.answer()
        await stage.app.wait_for("ParticipantsUpdated")
        for token in stage.app.tokens:
            verified = await claims(stage, token)
            assert verified["exp"] - verified["iat"] == 300


async def test_forged_and_expired_tokens_do_not_verify() -> None:
    """The app must refuse both; later deliveries are good again."""
    async with build_stage(chaos=Chaos(forged_tokens=1)) as stage:
        phone, _ = await stage.answer()
        await stage.app.wait_for("ParticipantsUpdated")
        verdicts = []
        for token in stage.app.tokens:
            try:
                await claims(stage, token)
                verdicts.append("good")
            except jwt.InvalidSignatureError:
                verdicts.append("forged")
        assert sorted(verdicts) == ["forged", "good"]
        stage.sim.chaos.expired_tokens = 1
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        with pytest.raises(jwt.ExpiredSignatureError):
            await claims(stage, stage.app.tokens[-1])


async def test_keys_rotate_and_the_endpoint_may_be_down() -> None:
    """A new key id appears in the tokens and in the document, and old tokens stay valid."""
    async with build_stage() as stage:
        phone, _ = await stage.answer()
        await stage.app.wait_for("ParticipantsUpdated")
        before = await keys(stage)
        stage.sim.rotate_keys()
        phone.hang_up()
        await stage.app.wait_for("CallDisconnected")
        kid = jwt.get_unverified_header(stage.app.tokens[-1])["kid"]
        assert kid not in before
        assert set(await keys(stage)) == {*before, kid}
        for token in stage.app.tokens:
            await claims(stage, token)
        stage.sim.chaos.jwks_down = True
        async with aiohttp.ClientSession() as session:
            async with session.get(stage.sim.jwks_url) as response:
                assert response.status == 503
            url = f"{stage.sim.endpoint}/calling/.well-known/acsopenidconfiguration"
            async with session.get(url) as response:
                document = await response.json()
        assert document["jwks_uri"] == stage.sim.jwks_url
        assert document["issuer"] == stage.sim.issuer


async def test_signature_covers_the_body() -> None:
    """A request that was changed on the way, or is not signed at all, is refused."""
    async with build_stage(pace=PACE) as stage, aiohttp.ClientSession() as http:
        url = f"{stage.sim.endpoint}/calling/callConnections:answer?api-version=2026-03-12"
        for headers in ({}, {"Authorization": "HMAC-SHA256 SignedHeaders=host&Signature=AA=="}):
            async with http.post(url, data=json.dumps({}), headers=headers) as response:
                assert response.status == 401
                assert (await response.json())["error"]["code"] == "7509"
