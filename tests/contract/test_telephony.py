"""The telephony port with the real SDK: what it sends, and what it makes of the answers."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from shared.calls.commands import Dial, Listen
from shared.calls.events import CommandFailure, Party
from shared.calls.failures import TelephonyError
from shared.calls.telephony import CallLeg, Telephony
from shared.errors import SettingsError
from shared.speech.voices import Voice
from shared.types import CallConnectionId, CommandId
from tests.contract.acs_recorder import ACCESS_KEY, CALL, AcsRecorder, FakeClock, Scripted
from tests.contract.telephony_cases import (
    AGENT,
    ANSWER,
    CALLER,
    DIAL,
    HANG_UP,
    LISTEN,
    ON_CALL,
    OPTIONS,
    SESSION,
    SPEAK,
    TRANSFER,
    VOICE,
    connect,
)


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


async def test_answer_sends_what_acs_needs(acs: AcsRecorder, telephony: Telephony) -> None:
    """The callback URL goes out unchanged: its signature is checked when ACS calls back."""
    assert await telephony.answer(SESSION, ANSWER) == CallLeg(
        CallConnectionId("call-0"), "server-0"
    )
    (request,) = acs.requests
    assert (request.method, request.path) == ("POST", "/calling/callConnections:answer")
    assert request.query == {"api-version": "2026-03-12"}
    assert request.body == {
        "incomingCallContext": "the context",
        "callbackUri": f"https://app.example/api/callbacks/{SESSION}?sig=a-b%2B",
        "operationContext": "answer-1",
        "callIntelligenceOptions": {"cognitiveServicesEndpoint": "https://ai.example/"},
    }


async def test_dial_sends_our_number_to_phones(acs: AcsRecorder, telephony: Telephony) -> None:
    """ACS calls a phone only for a number that is ours."""
    assert await telephony.dial(SESSION, DIAL) == CallLeg(CallConnectionId("call-0"))
    (request,) = acs.requests
    assert (request.method, request.path) == ("POST", "/calling/callConnections")
    assert request.body == {
        "targets": [{"rawId": "4:+15551230000", "phoneNumber": {"value": "+15551230000"}}],
        "sourceCallerIdNumber": {"value": "+15559990000"},
        "callbackUri": f"https://app.example/api/callbacks/{SESSION}?sig=a-b%2B",
        "operationContext": "dial-1",
        "callIntelligenceOptions": {"cognitiveServicesEndpoint": "https://ai.example/"},
    }


@pytest.mark.parametrize(
    ("raw_id", "identifier"),
    [
        ("4:anonymous", {"rawId": "4:anonymous", "phoneNumber": {"value": "anonymous"}}),
        ("8:acs:r_u", {"rawId": "8:acs:r_u", "communicationUser": {"id": "8:acs:r_u"}}),
        (
            "8:acs:res_ten_usr",
            {
                "rawId": "8:acs:res_ten_usr",
                "teamsExtensionUser": {"userId": "usr", "tenantId": "ten", "resourceId": "res"},
            },
        ),
        ("8:orgid:u", {"rawId": "8:orgid:u", "microsoftTeamsUser": {"userId": "u"}}),
        ("28:orgid:a", {"rawId": "28:orgid:a", "microsoftTeamsApp": {"appId": "a"}}),
        ("48:future:x", {"rawId": "48:future:x"}),
    ],
)
async def test_dial_names_every_kind_of_party(
    acs: AcsRecorder, telephony: Telephony, raw_id: str, identifier: dict[str, Any]
) -> None:
    """Whoever may call us can be named to ACS again."""
    await telephony.dial(SESSION, Dial(CommandId("dial-1"), Party(raw_id)))
    (target,) = acs.requests[0].body["targets"]
    details = [value for value in target.values() if isinstance(value, dict)]
    for detail in details:
        detail.pop("cloud", None)
        detail.pop("isAnonymous", None)
    assert target == identifier
    assert ("sourceCallerIdNumber" in acs.requests[0].body) == raw_id.startswith("4:")


async def test_speak_plays_plain_text_to_all(acs: AcsRecorder, telephony: Telephony) -> None:
    """A voice without style needs no SSML, and a sentence queues behind the one before."""
    await telephony.speak(ON_CALL, SPEAK, VOICE)
    (request,) = acs.requests
    assert request.path == f"/calling/callConnections/{CALL}:play"
    assert request.body == {
        "playSources": [
            {
                "kind": "text",
                "text": {
                    "text": "Hello & welcome.",
                    "sourceLocale": "en-US",
                    "voiceName": "en-US-AvaMultilingualNeural",
                },
            }
        ],
        "playTo": [],
        "interruptCallMediaOperation": False,
        "playOptions": {"loop": False},
        "operationContext": "speak-1",
    }
    assert "Repeatability-Request-ID" not in request.headers


async def test_speak_with_a_style_plays_ssml(acs: AcsRecorder, telephony: Telephony) -> None:
    """Style, rate and pitch exist in SSML only, and the words must not become markup."""
    await telephony.speak(ON_CALL, SPEAK, Voice("v", "en-US", style="calm", rate="+5%"))
    (source,) = acs.requests[0].body["playSources"]
    assert source["kind"] == "ssml"
    assert "Hello &amp; welcome." in source["ssml"]["ssmlText"]


async def test_listen_sends_every_limit(acs: AcsRecorder, telephony: Telephony) -> None:
    """Defaults differ between ACS and its SDKs, so each limit is sent; the prompt yields."""
    await telephony.listen(ON_CALL, LISTEN, VOICE)
    (request,) = acs.requests
    assert request.path == f"/calling/callConnections/{CALL}:recognize"
    assert request.body == {
        "recognizeInputType": "speechOrDtmf",
        "playPrompt": {
            "kind": "text",
            "text": {
                "text": "How can I help?",
                "sourceLocale": "en-US",
                "voiceName": "en-US-AvaMultilingualNeural",
            },
        },
        "interruptCallMediaOperation": False,
        "recognizeOptions": {
            "interruptPrompt": True,
            "initialSilenceTimeoutInSeconds": 8,
            "targetParticipant": {
                "rawId": "4:+15551230000",
                "phoneNumber": {"value": "+15551230000"},
            },
            "speechLanguage": "en-US",
            "dtmfOptions": {
                "interToneTimeoutInSeconds": 3,
                "maxTonesToCollect": 16,
                "stopTones": ["pound"],
            },
            "speechOptions": {"endSilenceTimeoutInMs": 500},
        },
        "operationContext": "listen-1",
    }


async def test_listen_to_a_message_waits_for_a_key_only(
    acs: AcsRecorder, telephony: Telephony
) -> None:
    """Speech would end at the first pause, and a prompt that yields would end the wait at 2 s."""
    await telephony.listen(ON_CALL, replace(LISTEN, is_message=True), VOICE)
    (request,) = acs.requests
    assert request.body["recognizeInputType"] == "dtmf"
    options = request.body["recognizeOptions"]
    assert (options["interruptPrompt"], options["initialSilenceTimeoutInSeconds"]) == (False, 120)
    assert options["dtmfOptions"]["maxTonesToCollect"] == 1
    assert options["dtmfOptions"]["stopTones"] == ["pound"]
    assert request.body["playPrompt"]["text"]["text"] == LISTEN.text


async def test_listen_without_words_sends_no_prompt(acs: AcsRecorder, telephony: Telephony) -> None:
    """ACS refuses empty text, and sometimes there is nothing to say."""
    await telephony.listen(ON_CALL, Listen(LISTEN.id, AGENT, "", CALLER), VOICE)
    assert "playPrompt" not in acs.requests[0].body


async def test_transfer_names_the_person(acs: AcsRecorder, telephony: Telephony) -> None:
    """The person sees our number, not an unknown one."""
    await telephony.transfer(ON_CALL, TRANSFER)
    (request,) = acs.requests
    assert request.path == f"/calling/callConnections/{CALL}:transferToParticipant"
    assert request.body == {
        "targetParticipant": {"rawId": "4:+15554560000", "phoneNumber": {"value": "+15554560000"}},
        "operationContext": "transfer-1",
        "sourceCallerIdNumber": {"value": "+15559990000"},
    }


async def test_hang_up_ends_the_call_for_everyone(acs: AcsRecorder, telephony: Telephony) -> None:
    """Leaving alone would keep the caller in an empty call."""
    await telephony.hang_up(ON_CALL, HANG_UP)
    (request,) = acs.requests
    assert (request.method, request.path) == ("POST", f"/calling/callConnections/{CALL}:terminate")


@pytest.mark.parametrize("scripted", [Scripted(404, "8522"), Scripted(400, "8528")])
async def test_hang_up_of_a_call_that_is_gone_succeeds(
    acs: AcsRecorder, telephony: Telephony, scripted: Scripted
) -> None:
    """What was wanted is the case."""
    acs.script.append(scripted)
    await telephony.hang_up(ON_CALL, HANG_UP)
    assert len(acs.requests) == 1  # asked once, and content with the answer


@pytest.mark.parametrize(
    ("state", "is_alive"),
    [("connected", True), ("connecting", True), ("unknown", True), ("disconnected", False)],
)
async def test_is_alive_reads_the_state(
    acs: AcsRecorder, telephony: Telephony, state: str, is_alive: bool
) -> None:
    """Right after answering the state is unknown, and the call is there all the same."""
    acs.state = state
    assert await telephony.is_alive(ON_CALL) is is_alive


async def test_is_alive_knows_a_missing_call(acs: AcsRecorder, telephony: Telephony) -> None:
    """A call that ACS has forgotten is over."""
    acs.script.append(Scripted(404, "8522"))
    assert await telephony.is_alive(ON_CALL) is False


async def test_is_alive_does_not_guess(acs: AcsRecorder, telephony: Telephony) -> None:
    """A refusal says nothing about the call: ending it on that ground would be wrong."""
    acs.script.append(Scripted(403, "7504"))
    with pytest.raises(TelephonyError) as caught:
        await telephony.is_alive(ON_CALL)
    assert caught.value.failure is CommandFailure.REJECTED


async def test_warm_is_content_with_a_missing_call(acs: AcsRecorder, telephony: Telephony) -> None:
    """The answer proves connection and credential; there is no call to ask for yet."""
    acs.script.append(Scripted(404, "8522"))
    await telephony.warm()
    assert acs.requests[0].method == "GET"


async def test_warm_reports_a_refused_credential(acs: AcsRecorder) -> None:
    """A wrong key must be found before the first call, not by it."""
    port = Telephony.connect(
        endpoint=acs.endpoint,
        credential=base64.b64encode(b"another key").decode(),
        callback_url=str,
        options=OPTIONS,
        clock=FakeClock(),
    )
    with pytest.raises(TelephonyError) as caught:
        await port.warm()
    await port.aclose()
    assert (caught.value.failure, caught.value.detail) == (CommandFailure.REJECTED, "401/7509")


@pytest.mark.parametrize(
    ("key", "endpoint"), [("%%%", "https://acs.example"), (ACCESS_KEY, "acs.example")]
)
async def test_connect_refuses_what_cannot_work(key: str, endpoint: str) -> None:
    """The SDK would accept both and fail on the first call."""
    with pytest.raises(SettingsError):
        Telephony.connect(endpoint=endpoint, credential=key, callback_url=str, options=OPTIONS)


async def test_connect_normalises_the_endpoint(acs: AcsRecorder) -> None:
    """A trailing slash or an upper-case host would spoil every signature."""
    port = connect(acs.endpoint.replace("127.0.0.1", "LOCALHOST") + "/")
    await port.hang_up(ON_CALL, HANG_UP)
    await port.aclose()
    assert acs.effects == [":terminate"]
