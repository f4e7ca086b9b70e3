"""The HTTP server: handshakes, keys, and switches for what shall go wrong."""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Sequence
from contextlib import aclosing

from aiohttp import web

from simulator.speech import ears, espeak
from simulator.speech.control import add_control
from simulator.speech.faults import Fault, Service
from simulator.speech.hearing import Deaf, Heard
from simulator.speech.lexicon import read_out
from simulator.speech.line import Exchange, Line, MalformedMessageError
from simulator.speech.recognition import serve_recognition
from simulator.speech.sound import SoundFormat
from simulator.speech.speaking import Speaker
from simulator.speech.ssml import Passage
from simulator.speech.studio import Studio
from simulator.speech.synthesis import serve_synthesis
from simulator.speech.voice import ToneVoice, Voice

_SYNTHESIS_PATHS = ("/cognitiveservices/websocket/v1", "/tts/cognitiveservices/websocket/v1")
_RECOGNITION_PATHS = (
    "/speech/recognition/{mode:interactive|conversation|dictation}/cognitiveservices/v1",
    "/stt/speech/universal/v2",
)
_SHUTDOWN_S = 0.2
_IDLE_CODES: dict[Service, int] = {"synthesis": 1001, "recognition": 1000}


class SpeechStandIn:
    """Azure Speech on this machine. Lives in the event loop that starts it."""

    def __init__(
        self,
        *,
        api_key: str | None = None,
        bearer_tokens: Collection[str] = (),
        voice: Voice | None = None,
        caller_voice: Voice | None = None,
        phrases: Sequence[str] = (),
        noise: int = 100,
    ) -> None:
        """Set the service up; nothing listens yet.

        Args:
            api_key: Who has neither it nor a token is refused; None lets everybody in.
            bearer_tokens: Accepted instead of the key.
            voice: Who speaks; espeak-ng by default, tones where it is not installed.
            caller_voice: Who speaks in `say`; by default the same.
            phrases: What callers probably say, beside what the client lists. With neither, any
                English is recognized, slowly.
            noise: Added before recognition: 100 for callers spoken by espeak-ng, 0 for flite.
        """
        self._api_key = api_key
        self._tokens = frozenset(bearer_tokens)
        self._speaker = Speaker(voice or _default_voice())
        self._caller = Speaker(caller_voice) if caller_voice else self._speaker
        self._phrases = tuple(phrases)
        listener = ears.Ears(noise=noise) if ears.is_available() else Deaf()
        self.studio = Studio(self._speaker, listener, phrases=self._phrases)
        self.connect_delay_ms = 0.0
        """How long every handshake takes, as over a real network."""
        self.connections_total = 0
        self._lines: set[Line] = set()
        self._change = asyncio.Condition()
        self._runner: web.AppRunner | None = None
        self._address = ""

    @property
    def is_voice_available(self) -> bool:
        """Whether words are spoken; else tones stand for them."""
        return not isinstance(self._speaker.voice, ToneVoice)

    @property
    def is_caller_audible(self) -> bool:
        """Whether `say` speaks words; else it makes tones."""
        return not isinstance(self._caller.voice, ToneVoice)

    @property
    def is_recognition_available(self) -> bool:
        """Whether speech is understood; else only scripted transcripts are."""
        return ears.is_available()

    @property
    def host_url(self) -> str:
        """For ``SpeechConfig(host=…)``, once started."""
        return f"ws://{self._address}"

    @property
    def endpoint_url(self) -> str:
        """For ``SpeechConfig(endpoint=…)``, once started; the paths differ from the host's."""
        return f"ws://{self._address}/"

    @property
    def control_url(self) -> str:
        """Where ``/_sim/…`` is, once started."""
        return f"http://{self._address}"

    @property
    def exchanges(self) -> list[Exchange]:
        """All requests, oldest first."""
        return self.studio.exchanges

    def lines_open(self, service: Service | None = None) -> int:
        """How many connections there are now."""
        return sum(1 for line in self._lines if service in {None, line.service})

    def inject(self, *faults: Fault) -> None:
        """Let the next occasions go wrong, one fault each."""
        self.studio.faults.add(faults)

    def hear(self, *transcripts: Heard | str) -> None:
        """Let the next utterances be understood as these, whatever is said."""
        heard = (Heard(item) if isinstance(item, str) else item for item in transcripts)
        self.studio.transcripts.extend(heard)

    def close_idle_after(self, idle_s: float | None) -> None:
        """Close connections that are not used for so long; those made from now on."""
        self.studio.idle_s = idle_s

    async def say(self, text: str, *, pause_ms: float = 1000.0) -> bytes:
        """What a caller sounds like: PCM of 16 kHz, with a pause after it that ends the phrase."""
        sound, passage = SoundFormat(16000), Passage(read_out(text), "")
        pieces = [bytes(sound.bytes_in(300))]
        async with aclosing(self._caller.speak(passage, sound)) as spoken:
            pieces += [piece async for piece in spoken if isinstance(piece, bytes)]
        return b"".join([*pieces, bytes(sound.bytes_in(pause_ms))])

    async def render(self, text: str) -> bytes:
        """What the service makes of *text*: PCM of 16 kHz, in its own voice."""
        async with aclosing(self._speaker.speak(Passage(text, ""), SoundFormat(16000))) as spoken:
            return b"".join([piece async for piece in spoken if isinstance(piece, bytes)])

    async def understand(self, pcm: bytes) -> Heard:
        """What one utterance (PCM of 16 kHz) is, without the protocol around it.

        Raises:
            EarError: The process that listens has died.
        """
        utterance = await self.studio.listener.begin(self._phrases)
        try:
            await utterance.feed(pcm)
            return await utterance.finish()
        finally:
            await utterance.abandon()

    def text_of(self, pcm: bytes) -> str | None:
        """The words of a sound that was synthesized here."""
        return self._speaker.text_of(pcm)

    async def drop_idle(
        self, service: Service | None = None, *, code: int | None = None, is_reset: bool = False
    ) -> int:
        """Drop every connection without a request in flight; gives how many.

        Args:
            service: Only those of one service.
            code: The close code; by default the one the SDK takes best.
            is_reset: Cut them off instead.
        """
        idle = [
            line
            for line in self._lines
            if not line.is_busy and (service is None or line.service == service)
        ]
        for line in idle:
            if is_reset:
                line.reset()
            else:
                await line.close(_IDLE_CODES[line.service] if code is None else code, "idle")
        return len(idle)

    async def wait_for_exchanges(self, count: int, *, timeout_s: float = 5.0) -> None:
        """Wait until *count* requests have come in."""
        condition = self.studio.arrival
        async with asyncio.timeout(timeout_s), condition:
            await condition.wait_for(lambda: len(self.exchanges) >= count)

    async def wait_for_lines(
        self, count: int, *, service: Service | None = None, timeout_s: float = 5.0
    ) -> None:
        """Wait until exactly *count* connections are open."""
        async with asyncio.timeout(timeout_s), self._change:
            await self._change.wait_for(lambda: self.lines_open(service) == count)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Begin to listen; port 0 takes a free one."""
        app = web.Application()
        for path in _SYNTHESIS_PATHS:
            app.router.add_get(path, self._synthesis)
        for path in _RECOGNITION_PATHS:
            app.router.add_get(path, self._recognition)
        add_control(app, self.studio, self.drop_idle)
        runner = web.AppRunner(
            app, handler_cancellation=True, shutdown_timeout=_SHUTDOWN_S, access_log=None
        )
        await runner.setup()
        self._runner = runner
        await web.TCPSite(runner, host, port).start()
        self._address = f"{host}:{runner.addresses[0][1]}"

    async def aclose(self) -> None:
        """Stop listening and drop what is still running; again does nothing."""
        runner, self._runner = self._runner, None
        if runner is not None:
            for line in list(self._lines):
                line.reset() if line.is_busy else await line.close(_IDLE_CODES[line.service])
            await runner.cleanup()
            await self.studio.listener.aclose()
            self._speaker.close()
            self._caller.close()

    async def _synthesis(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "synthesis")

    async def _recognition(self, request: web.Request) -> web.StreamResponse:
        return await self._serve(request, "recognition")

    async def _serve(self, request: web.Request, service: Service) -> web.StreamResponse:
        if not self._may_enter(request):
            raise web.HTTPUnauthorized(text="Access denied: wrong key or token.")
        await self._shake_hands(service)
        ws = web.WebSocketResponse(protocols=("USP",), max_msg_size=0, autoping=True)
        await ws.prepare(request)
        self.connections_total += 1
        line = Line(self.connections_total, service, request, ws)
        serve = serve_synthesis if service == "synthesis" else serve_recognition
        await self._note(line, is_open=True)
        try:
            with contextlib.suppress(MalformedMessageError):
                await serve(line, self.studio)
        finally:
            await asyncio.shield(self._note(line, is_open=False))
        return ws

    async def _shake_hands(self, service: Service) -> None:
        fault = self.studio.faults.take(service, is_at_connect=True)
        delay_ms = self.connect_delay_ms
        if fault is not None and fault.kind == "refuse":
            raise _refusal(fault)
        if fault is not None and fault.kind == "hang_connect":
            await asyncio.Event().wait()  # ends when the client leaves: the handler is cancelled
        if fault is not None:
            delay_ms += fault.delay_ms
        await asyncio.sleep(delay_ms / 1000)

    def _may_enter(self, request: web.Request) -> bool:
        if self._api_key is None:
            return True
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        has_token = scheme.lower() == "bearer" and token in self._tokens
        return has_token or request.headers.get("Ocp-Apim-Subscription-Key") == self._api_key

    async def _note(self, line: Line, *, is_open: bool) -> None:
        async with self._change:
            if is_open:
                self._lines.add(line)
            else:
                self._lines.discard(line)
            self._change.notify_all()


def _default_voice() -> Voice:
    return espeak.EspeakVoice() if espeak.is_available() else ToneVoice()


def _refusal(fault: Fault) -> web.HTTPException:
    class Refusal(web.HTTPException):
        status_code = fault.status

    return Refusal(reason=fault.reason or None)


def phrases_of(lines: Iterable[str]) -> tuple[str, ...]:
    """What a scenario's caller says, for ``phrases``; each once."""
    return tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
