"""Sound files on a simulated call: ACS fetches them under their links and plays them."""

from collections.abc import AsyncIterator

import pytest

from shared.calls import events as ev
from shared.calls.commands import Listen, Speak
from shared.calls.telephony import Telephony, TelephonyOptions
from shared.types import AgentName, CallConnectionId, CommandId
from simulator.acs import Say
from tests.contract.acs_simulator_stage import (
    ACCESS_KEY,
    AGENT,
    CALLER,
    COGNITIVE,
    Stage,
    build_stage,
    result_of,
)
from tests.contract.speech_app_stage import SpeechApp, running_app
from tests.contract.speech_stage import running_stand_in

pytest_plugins = ("tests.contract.redis_fixture",)

CONCIERGE = AgentName("concierge")
GREETING = "Thank you for calling Contoso Bank. How can I help you today?"
FILLER = "One moment, please."


@pytest.fixture
async def app(redis_url: str) -> AsyncIterator[SpeechApp]:
    """The app and its speech service."""
    async with running_stand_in() as server, running_app(server, redis_url) as running:
        yield running


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    """ACS and a phone."""
    async with build_stage() as built:
        yield built


@pytest.fixture
async def port(stage: Stage) -> AsyncIterator[Telephony]:
    """The real ACS client."""
    telephony = Telephony.connect(
        endpoint=stage.sim.endpoint,
        credential=ACCESS_KEY,
        callback_url=lambda _: stage.app.url,
        options=TelephonyOptions(cognitive_services_endpoint=COGNITIVE, caller_id_number=AGENT),
    )
    yield telephony
    await telephony.aclose()


async def link_to(app: SpeechApp, text: str) -> str:
    """Where the file is that says *text* in the voice of who answers calls."""
    voice = (await app.parts.agents.get())[CONCIERGE].voice
    rendition = await (await app.parts.prompts.get()).render(text, voice, session_id="s-1")
    assert rendition is not None
    return rendition.url


async def call_of(stage: Stage, *lines: str) -> CallConnectionId:
    """A call on which the caller will say *lines*."""
    phone, _ = await stage.answer([Say(line) for line in lines])
    return CallConnectionId(str(phone.call_connection_id))


async def test_prompts_are_fetched_and_played(
    app: SpeechApp, stage: Stage, port: Telephony
) -> None:
    """A filler as Play, a greeting as the prompt of a Recognize that hears the answer."""
    call = await call_of(stage, "My card is lost.")
    voice = (await app.parts.agents.get())[CONCIERGE].voice
    speak = Speak(CommandId("speak-1"), CONCIERGE, FILLER)
    await port.speak(call, speak, voice, await link_to(app, FILLER))
    assert result_of(await stage.app.wait_for("PlayCompleted", "speak-1"))[0] == 200
    listen = Listen(CommandId("listen-1"), CONCIERGE, GREETING, ev.Party(f"4:{CALLER}"))
    await port.listen(call, listen, voice, await link_to(app, GREETING))
    heard = await stage.app.wait_for("RecognizeCompleted", "listen-1")
    assert heard["data"]["speechResult"]["speech"] == "My card is lost."
    assert [status for _, status in app.fetched] == [200, 200]


@pytest.mark.parametrize(("cut", "tail"), [("&sig=", ""), ("?", ""), ("#", "x")])
async def test_prompt_under_a_changed_link_is_not_played(
    app: SpeechApp, stage: Stage, port: Telephony, cut: str, tail: str
) -> None:
    """The flow hears of it and goes on without files."""
    call = await call_of(stage)
    voice = (await app.parts.agents.get())[CONCIERGE].voice
    url = (await link_to(app, FILLER)).partition(cut)[0] + tail
    speak = Speak(CommandId("speak-1"), CONCIERGE, FILLER)
    await port.speak(call, speak, voice, url)
    failed = await stage.app.wait_for("PlayFailed", "speak-1")
    assert result_of(failed) == (400, 8536)
    assert [status for _, status in app.fetched] == [401]
