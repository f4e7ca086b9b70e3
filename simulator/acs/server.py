"""The stand-in of ACS Call Automation: wiring and life cycle."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import aiohttp
from aiohttp import web

from simulator.acs.audio import fetch_pcm
from simulator.acs.calls import SimCall
from simulator.acs.chaos import Chaos
from simulator.acs.control import ControlFace
from simulator.acs.courier import Courier, Delivery
from simulator.acs.errors import Json
from simulator.acs.inbox import Inbox, ReadingResponder
from simulator.acs.messaging import MessagingFace
from simulator.acs.pace import Pace
from simulator.acs.people import Person
from simulator.acs.phone import PhoneCall
from simulator.acs.player import Studio
from simulator.acs.recording_files import RecordingFiles
from simulator.acs.recordings import Recorder, Recording, RecordingFile
from simulator.acs.rest import RecordedRequest, RestFace
from simulator.acs.results import Result
from simulator.acs.script import Responder, Step
from simulator.acs.switchboard import Switchboard
from simulator.acs.tasks import TaskSet
from simulator.acs.tokens import ISSUER, TokenIssuer
from simulator.acs.voicebox import TextVoicebox, Voicebox

_SHUTDOWN_S = 1.0


class AcsSimulator:
    """Call Automation with phones, on 127.0.0.1, inside the running event loop.

    *publish* hands Event Grid events to whoever delivers them; *access_key* is base64, as the SDK
    takes it; *audience* is the immutable resource id the callbacks are addressed to. By default
    people speak in text only; a *voicebox* gives them voices.
    """

    def __init__(
        self,
        *,
        access_key: str,
        audience: str,
        publish: Callable[[list[Json]], Awaitable[None]],
        chaos: Chaos | None = None,
        pace: Pace | None = None,
        voicebox: Voicebox | None = None,
    ) -> None:
        self.chaos = chaos or Chaos()
        self.issuer = ISSUER
        self.endpoint = ""
        self.inbox = Inbox()
        self._access_key = access_key
        self._tasks = TaskSet()
        self._on_the_way = TaskSet()
        self._tokens = TokenIssuer(audience=audience, chaos=self.chaos)
        self._courier = Courier(chaos=self.chaos, tokens=self._tokens, tasks=self._on_the_way)
        voicebox = voicebox or TextVoicebox()
        studio = Studio(pace or Pace(), self._courier, self._tasks, self._fetch, voicebox)
        self._recorder = Recorder(studio=studio, publish=publish)
        self._board = Switchboard(
            studio=studio, chaos=self.chaos, publish=publish, recorder=self._recorder
        )
        self._rest = RestFace(self._board, access_key=access_key, chaos=self.chaos)
        self._runner: web.AppRunner | None = None

    @property
    def jwks_url(self) -> str:
        """Where the public keys are."""
        return f"{self.endpoint}/calling/keys"

    @property
    def calls(self) -> dict[str, SimCall]:
        """Every call that was answered or placed, also ended ones, by call connection id."""
        return self._board.calls

    @property
    def phone_calls(self) -> dict[str, PhoneCall]:
        """Every call as its phone saw it, by the phone call's own id."""
        return self._board.phone_calls

    @property
    def phones(self) -> dict[str, Person]:
        """Who can be called, by phone number (or raw id of a user); change it at any time."""
        return self._board.people

    @property
    def recording_files(self) -> dict[str, RecordingFile]:
        """What can be fetched of recordings, by document id."""
        return self._recorder.files

    @property
    def recordings(self) -> list[Recording]:
        """Every recording, oldest first."""
        return list(self._recorder.recordings.values())

    @property
    def requests(self) -> list[RecordedRequest]:
        """What the app asked for, in order."""
        return self._rest.requests

    @property
    def deliveries(self) -> list[Delivery]:
        """Every attempt to deliver callbacks, in the order the answers came."""
        return self._courier.deliveries

    @property
    def events(self) -> list[Json]:
        """Every callback event that came up, in order, also those that were never delivered."""
        return self._courier.events

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> None:
        """Serve on *host*; with port 0 on any free port."""
        app = web.Application()
        app.router.add_get("/calling/keys", self._serve_keys)
        app.router.add_get("/calling/.well-known/acsopenidconfiguration", self._serve_openid)
        app.router.add_routes(ControlFace(self._board, self.inbox).routes())
        app.router.add_routes(RecordingFiles(self._recorder, self._access_key).routes())
        app.router.add_routes(MessagingFace(self.inbox, self._access_key).routes())
        app.router.add_route("*", "/{tail:.*}", self._rest.handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, host, port).start()
        self._courier.session = aiohttp.ClientSession()
        bound_host, bound_port = self._runner.addresses[0][:2]
        self.endpoint = f"http://{bound_host}:{bound_port}"
        await self._tokens.jwks()

    async def aclose(self) -> None:
        """Cut all lines and stop serving; the second time nothing happens."""
        self._board.close()
        await self._tasks.aclose()
        await self._on_the_way.aclose()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
        if self._courier.session is not None:
            await self._courier.session.close()
            self._courier.session = None

    async def idle(self, timeout_s: float) -> None:
        """Wait until every callback that came up was delivered or given up.

        Raises:
            TimeoutError: Some are still on their way.
        """
        async with asyncio.timeout(timeout_s):
            await self._on_the_way.idle()

    async def ring(
        self, *, caller: str, callee: str, script: Sequence[Step] | Responder
    ) -> PhoneCall:
        """Let *caller* call the app at *callee*; numbers as ``+15551230000``, or raw ids.

        Returns when *publish* has; what *publish* raises comes through, and the phone rings on.
        """
        return await self._board.ring(caller=caller, callee=callee, script=script)

    def reader(self, steps: Sequence[Step]) -> Responder:
        """A script whose lines may name the code of the newest message: ``{{ code }}``."""
        return ReadingResponder(steps, self.inbox)

    def rotate_keys(self) -> None:
        """Sign callbacks with a new key from now on."""
        self.chaos.rotate_keys()

    async def _fetch(self, uri: str) -> bytes | Result:
        assert self._courier.session is not None
        return await fetch_pcm(self._courier.session, uri)

    async def _serve_keys(self, request: web.Request) -> web.Response:
        if self.chaos.jwks_down:
            return web.Response(status=503)
        return web.json_response(await self._tokens.jwks())

    async def _serve_openid(self, request: web.Request) -> web.Response:
        return web.json_response(
            {
                "issuer": self.issuer,
                "jwks_uri": self.jwks_url,
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )
