"""Everything the app needs on one machine: the stand-ins, and the app on one or more hosts."""

import asyncio
import base64
import contextlib
import secrets
import tempfile
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from enum import Enum, auto
from functools import partial
from pathlib import Path
from typing import Self

from simulator.acs import AcsSimulator, Chaos, Pace, Person
from simulator.acs.errors import Json
from simulator.appinsights import AppInsights
from simulator.cosmos import CosmosStandIn, seed_containers, seed_records
from simulator.event_grid import Chaos as GridChaos
from simulator.event_grid import EventGrid, HandshakeError
from simulator.front_door import FrontDoor
from simulator.functions_host import FunctionsHost
from simulator.functions_host.configuration import Keys
from simulator.functions_host.packaged import PackagedHost, Unpacked
from simulator.knowledge import Knowledge
from simulator.model import Script, ScriptedModel, Timing
from simulator.redis_server import RedisServer
from simulator.speech import FliteVoice, SpeechStandIn, phrases_of
from simulator.speech.voice import Voice
from simulator.spoken import CaptionedText, SpokenVoicebox

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "simulator" / "scenarios"
BANK = SCENARIOS / "bank.yaml"

CALLER = "+15551230000"
CALLEE = "+15559990000"
GENERAL_DESK = "+15550001111"
FRAUD_DESK = "+15550002222"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """Where to listen; 0 takes any free port."""

    front_door: int = 0
    acs: int = 0
    model: int = 0
    speech: int = 0
    cosmos: int = 0


class Telemetry(Enum):
    """Who sends spans and measurements to the stand-in of Application Insights."""

    NONE = auto()
    """Nobody: most tests do not look, and the SDK takes a second to load."""
    APP = auto()
    """The app, as on a laptop."""
    WORKER = auto()
    """The worker has configured OpenTelemetry before it loads the app, as in Azure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to bring up."""

    instances: int = 1
    scenario: Path = BANK
    pace: Pace = field(default_factory=Pace)
    chaos: Chaos = field(default_factory=Chaos)
    grid_chaos: GridChaos = field(default_factory=GridChaos)
    timing: Timing = field(default_factory=lambda: Timing(5, 1))
    """Of the model: ms to the first token, ms a token."""
    is_spoken: bool = False
    """Callers really speak, and what is recognized counts; where the machine has no engine for
    that, the text path is used all the same."""
    voice: Voice | None = None
    """Of everybody; by default the best this machine has."""
    has_open_vocabulary: bool = False
    """Callers may say anything; else what is not in the scenario is forced onto what is."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """App settings that differ from the stack's own."""
    cosmos_file: Path | None = None
    """Keeps the database for the next run; else each begins with the bank's records."""
    knowledge_folder: Path | None = None
    """Articles are searched by meaning, and their vectors kept there; else by their words."""
    ports: Ports = field(default_factory=Ports)
    telemetry: Telemetry = Telemetry.NONE
    log_folder: Path | None = None
    """Where the hosts' output goes; a temporary folder by default."""
    package: Unpacked | None = None
    """The app as it is deployed, instead of that of the checkout."""


class FunctionMissingError(Exception):
    """The app has no function of that name."""


class Stack:
    """The stand-ins and the hosts, wired together. One use: start it, then close it."""

    def __init__(self, plan: Plan | None = None) -> None:
        self.plan = plan or Plan()
        self.function_key = secrets.token_hex(16)
        self.system_key = secrets.token_hex(16)
        self._access_key = base64.b64encode(secrets.token_bytes(32)).decode()
        self._model_key = secrets.token_hex(16)
        self._speech_key = secrets.token_hex(16)
        self._cosmos_key = base64.b64encode(secrets.token_bytes(64)).decode()
        self._audience = "c0ffee00-0000-4000-8000-000000000001"
        self.redis = RedisServer()
        self.script = Script.load(self.plan.scenario)
        may_use_flite = self.plan.is_spoken and self.plan.voice is None
        flite = FliteVoice.find() if may_use_flite else None
        self.caller_voice = "flite (rms)" if flite else "espeak-ng"
        self.speech = SpeechStandIn(
            api_key=self._speech_key,
            voice=self.plan.voice,
            caller_voice=flite,
            phrases=() if self.plan.has_open_vocabulary else phrases_of(self.script.caller),
            noise=0 if flite else 100,
        )
        self.voicebox = self._voicebox()
        self._warming: asyncio.Task[None] | None = None
        self._is_closing = False
        self.grid = EventGrid(chaos=deepcopy(self.plan.grid_chaos))
        self.acs = AcsSimulator(
            access_key=self._access_key,
            audience=self._audience,
            publish=self._publish,
            chaos=deepcopy(self.plan.chaos),  # switched at run time; the plan may be used again
            pace=self.plan.pace,
            voicebox=self.voicebox,
        )
        self.model = ScriptedModel(self.script, api_key=self._model_key, timing=self.plan.timing)
        self.cosmos = CosmosStandIn(key=self._cosmos_key, file=self.plan.cosmos_file)
        self.database = seed_containers(self.cosmos.store, SCENARIOS / "containers.yaml")
        seed_records(self.cosmos.store, self.database, SCENARIOS / "bank_records.yaml")
        self.knowledge = Knowledge(
            self.model, self.cosmos, self.database, folder=self.plan.knowledge_folder
        )
        self.insights = AppInsights()
        self.front_door = FrontDoor([])
        self.hosts: list[FunctionsHost] = []

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def start(self) -> None:
        """Bring everything up; returns when a call can be made."""
        ports = self.plan.ports
        await asyncio.to_thread(self.redis.start)
        await self.front_door.start(port=ports.front_door)
        await self.insights.start()
        await self.acs.start(port=ports.acs)
        await self.model.start(port=ports.model)
        await self.speech.start(port=ports.speech)
        await self.cosmos.start(port=ports.cosmos)
        self.acs.phones[GENERAL_DESK] = Person("accepted")
        self.acs.phones[FRAUD_DESK] = Person("accepted")
        folder = self.plan.log_folder or Path(tempfile.mkdtemp(prefix="voice-agent-"))
        folder.mkdir(parents=True, exist_ok=True)
        keys = Keys(function=self.function_key, system=self.system_key, master=self.function_key)
        package = self.plan.package
        host = partial(PackagedHost, package) if package else partial(FunctionsHost, ROOT)
        self.hosts = [
            host(log_path=folder / f"instance-{number}.log", env=self.settings(), keys=keys)
            for number in range(1, self.plan.instances + 1)
        ]
        await asyncio.gather(
            self.knowledge.load(self.settings()), *(host.start() for host in self.hosts)
        )
        self.front_door.backends[:] = [host.url for host in self.hosts]
        if isinstance(self.voicebox, SpokenVoicebox):
            # Now, and not while the hosts need the processors to start.
            self._warming = asyncio.create_task(self.voicebox.warm())
        await self._subscribe("on_incoming_call", "incoming-call", "IncomingCall", ttl_s=60)
        with contextlib.suppress(FunctionMissingError):  # an app may do without recordings
            await self._subscribe(
                "on_recording_ready", "recording-ready", "RecordingFileStatusUpdated", ttl_s=600
            )

    async def aclose(self) -> None:
        """Stop everything, in an order in which nobody calls into the void."""
        self._is_closing = True
        if self._warming is not None:
            self._warming.cancel()
            await asyncio.wait({self._warming})
        await self.grid.aclose()
        await self.acs.aclose()
        await asyncio.gather(*(host.stop() for host in self.hosts))
        await self.front_door.aclose()
        await self.model.aclose()
        await self.speech.aclose()
        await self.cosmos.aclose()
        await self.insights.aclose()
        await asyncio.to_thread(self.redis.stop)

    def settings(self) -> dict[str, str]:
        """The app settings that make the app talk to the stand-ins."""
        return {
            "PUBLIC_BASE_URL": self.front_door.url,
            "CALLBACK_SIGNING_KEY": self.system_key,
            "ACS_ENDPOINT": self.acs.endpoint,
            "ACS_ACCESS_KEY": self._access_key,
            "ACS_AUDIENCE": self._audience,
            "ACS_JWKS_URL": self.acs.jwks_url,
            "ACS_SOURCE_NUMBER": CALLEE,
            "SMS_SENDER": CALLEE,
            "EMAIL_SENDER": "no-reply@bank.example",
            "ACS_STORAGE_GATEWAY": self.acs.endpoint,
            "COGNITIVE_SERVICES_ENDPOINT": "https://ai-services.example/",
            "AZURE_OPENAI_ENDPOINT": self.model.base_url.removesuffix("/openai/v1/"),
            "AZURE_OPENAI_API_KEY": self._model_key,
            "AZURE_OPENAI_CHAT_DEPLOYMENT": "gpt-4o",
            "SPEECH_HOST": self.speech.host_url,
            "SPEECH_KEY": self._speech_key,
            "COSMOS_ENDPOINT": self.cosmos.endpoint,
            "COSMOS_KEY": self._cosmos_key,
            "COSMOS_DATABASE": self.database,
            "REDIS_URL": self.redis.url,
            "TRANSFER_TARGETS": f"general={GENERAL_DESK},fraud={FRAUD_DESK}",
            "SWEEP_SCHEDULE": "*/15 * * * * *",
            "KEEP_WARM_SCHEDULE": "0 */4 * * * *",
            **self._telemetry_settings(),
            **self.knowledge.settings(),
            **self.plan.settings,
        }

    def _telemetry_settings(self) -> dict[str, str]:
        if self.plan.telemetry is Telemetry.NONE:
            return {}
        settings = {
            "APPLICATIONINSIGHTS_CONNECTION_STRING": self.insights.connection_string,
            "APPLICATIONINSIGHTS_STATSBEAT_DISABLED_ALL": "true",
            "APPLICATIONINSIGHTS_CONTROLPLANE_DISABLED": "true",
            "OTEL_BSP_SCHEDULE_DELAY": "250",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        if self.plan.telemetry is Telemetry.WORKER:
            settings |= {
                "PYTHON_APPLICATIONINSIGHTS_ENABLE_TELEMETRY": "true",
                "PYTHON_APPLICATIONINSIGHTS_LOGGER_NAME": "voice_agent",
                "OTEL_TRACES_SAMPLER": "microsoft.fixed_percentage",
                "OTEL_TRACES_SAMPLER_ARG": "1.0",
                "OTEL_PYTHON_DISABLED_INSTRUMENTATIONS": (
                    "azure_sdk,django,fastapi,flask,httpx,httpx2,psycopg2,requests,urllib,urllib3"
                ),
                "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "azure_functions",
            }
        return settings

    def _voicebox(self) -> CaptionedText:
        """Voices where they are wanted and this machine can speak and listen; else text."""
        is_able = self.speech.is_caller_audible and self.speech.is_recognition_available
        if self.plan.is_spoken and is_able:
            return SpokenVoicebox(self.speech)
        return CaptionedText(self.speech)

    async def _publish(self, events: list[Json]) -> None:
        """A file may become ready while everything is being taken down."""
        if not self._is_closing:
            await self.grid.publish(events)

    async def _subscribe(self, function: str, name: str, event: str, *, ttl_s: float) -> None:
        webhook = f"{self.front_door.url}/runtime/webhooks/EventGrid"
        try:
            await self.grid.subscribe(
                f"{webhook}?functionName={function}&code={self.system_key}",
                name=name,
                kind="function",
                filter_types=[f"Microsoft.Communication.{event}"],
                max_attempts=2,
                ttl_s=ttl_s,
            )
        except HandshakeError as err:
            if err.status == 404:
                raise FunctionMissingError(function) from err
            raise
