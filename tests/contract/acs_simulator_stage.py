"""A simulator, a minimal app that receives its callbacks, and the real client, for one test."""

import asyncio
import base64
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from azure.communication.callautomation import (
    PhoneNumberIdentifier,
    RecognizeInputType,
    TextSource,
)
from azure.communication.callautomation.aio import CallAutomationClient, CallConnectionClient
from azure.core.credentials import AzureKeyCredential

from simulator.acs import AcsSimulator, Chaos, Pace, PhoneCall, Responder, Step, Voicebox

ACCESS_KEY = base64.b64encode(b"a key that is thirty-two bytes..").decode()
AUDIENCE = "b2a5f1c4-0d7e-4a53-9d6e-3d1f0a9b7c11"
CALLER = "+15551230000"
AGENT = "+15559990000"
COGNITIVE = "https://cognitive.example/"
WAIT_S = 5.0
# The telephone network is fast, the phone rings as long as a slow machine needs.
PACE = Pace(speed=50, ring_s=500)

Json = dict[str, Any]


@dataclass
class CallbackReceiver:
    """Plays the app: takes callbacks and incoming calls, and lets a test wait for them."""

    posts: list[list[Json]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    offers: list[Json] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    """Answers for the next callbacks; 200 when used up."""
    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    @property
    def events(self) -> list[Json]:
        """All callback events so far, in order of arrival."""
        return [event for post in self.posts for event in post]

    def of(self, name: str, context: str | None = None) -> list[Json]:
        """Events of one type, and of one operation context if given."""
        return [
            event
            for event in self.events
            if event["type"] == f"Microsoft.Communication.{name}"
            and (context is None or event["data"].get("operationContext") == context)
        ]

    async def wait_for(self, name: str, context: str | None = None, count: int = 1) -> Json:
        """Wait until *count* such events have arrived; returns the last of them."""
        async with asyncio.timeout(WAIT_S), self.changed:
            await self.changed.wait_for(lambda: len(self.of(name, context)) >= count)
        return self.of(name, context)[-1]

    async def publish(self, events: list[Json]) -> None:
        """Take Event Grid events."""
        async with self.changed:
            self.offers.extend(events)
            self.changed.notify_all()

    async def receive(self, request: web.Request) -> web.Response:
        """Take callbacks."""
        body = await request.json()
        status = self.statuses.pop(0) if self.statuses else 200
        async with self.changed:
            self.tokens.append(request.headers["Authorization"].removeprefix("Bearer "))
            self.posts.append(body)
            self.changed.notify_all()
        return web.Response(status=status)

    async def serve_file(self, request: web.Request) -> web.Response:
        """Serve a sound file."""
        data = self.files.get(request.match_info["name"])
        return web.Response(status=404) if data is None else web.Response(body=data)


@dataclass
class Stage:
    """Everything a test needs."""

    sim: AcsSimulator
    app: CallbackReceiver
    client: CallAutomationClient

    async def ring(self, script: Sequence[Step] | Responder = ()) -> tuple[PhoneCall, str]:
        """Let a phone ring; returns it and the context to answer with."""
        phone = await self.sim.ring(caller=CALLER, callee=AGENT, script=script)
        return phone, str(self.app.offers[-1]["data"]["incomingCallContext"])

    async def answer(
        self, script: Sequence[Step] | Responder = (), *, speech: bool = True
    ) -> tuple[PhoneCall, CallConnectionClient]:
        """Ring, answer and wait until the call is connected."""
        phone, context = await self.ring(script)
        properties = await self.client.answer_call(
            context,
            self.app.url,
            cognitive_services_endpoint=COGNITIVE if speech else None,
            operation_context="incomingCall",
        )
        call_id = str(properties.call_connection_id)
        async with asyncio.timeout(WAIT_S), self.app.changed:
            await self.app.changed.wait_for(
                lambda: any(
                    event["data"]["callConnectionId"] == call_id
                    for event in self.app.of("CallConnected")
                )
            )
        return phone, self.client.get_call_connection(call_id)


@asynccontextmanager
async def build_stage(
    *,
    chaos: Chaos | None = None,
    pace: Pace = PACE,
    access_key: str = ACCESS_KEY,
    voicebox: Voicebox | None = None,
) -> AsyncIterator[Stage]:
    """A running stage; *access_key* is what the client signs with."""
    app = CallbackReceiver()
    web_app = web.Application()
    web_app.router.add_post("/callbacks", app.receive)
    web_app.router.add_get("/files/{name}", app.serve_file)
    runner = web.AppRunner(web_app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    app.url = f"http://{host}:{port}/callbacks"
    sim = AcsSimulator(
        access_key=ACCESS_KEY,
        audience=AUDIENCE,
        publish=app.publish,
        chaos=chaos,
        pace=pace,
        voicebox=voicebox,
    )
    await sim.start()
    try:
        client = CallAutomationClient(
            sim.endpoint, AzureKeyCredential(access_key), retry_backoff_factor=0
        )
        async with client:
            yield Stage(sim, app, client)
    finally:
        await sim.aclose()
        await runner.cleanup()


def caller() -> PhoneNumberIdentifier:
    """The person on the phone."""
    return PhoneNumberIdentifier(CALLER)


def text(words: str) -> TextSource:
    """A prompt with a voice."""
    return TextSource(text=words, voice_name="en-US-JennyNeural")


async def listen(
    connection: CallConnectionClient, prompt: str | None, context: str, **options: Any
) -> None:
    """Start a recognition, of speech or keys if nothing else is asked for."""
    settings: dict[str, Any] = {
        "interrupt_prompt": True,
        "dtmf_max_tones_to_collect": 4,
        "end_silence_timeout": 0.5,
        **options,
    }
    kind = settings.pop("input_type", RecognizeInputType.SPEECH_OR_DTMF)
    await connection.start_recognizing_media(
        kind,
        caller(),
        play_prompt=text(prompt) if prompt else None,
        operation_context=context,
        **settings,
    )


def result_of(event: Json) -> tuple[int, int]:
    """Code and subcode of an event."""
    result = event["data"]["resultInformation"]
    return result["code"], result["subCode"]
