"""What the app is told by its environment: one frozen value, a pure function of a mapping."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from shared.cost.prices import LIST_PRICES, Prices, is_price_name, price
from shared.environment import (
    Reader,
    base64_text,
    flag,
    keys,
    one_of,
    pairs,
    positive,
    socket_url,
    url,
    whole,
)
from shared.errors import AppError

_LEVEL = one_of("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def _levels(text: str) -> dict[str, str]:
    """Read ``shared.calls=DEBUG,azure.core=INFO``."""
    return {name: _LEVEL(level) for name, level in pairs(text).items()}


def _prices(text: str) -> dict[str, Decimal]:
    """Read ``gpt-4o/input=2.50,acs/inbound_ms=0.0085`` over the list prices."""
    own = {name: price(amount) for name, amount in pairs(text).items()}
    if not all(map(is_price_name, own)):
        raise ValueError
    return {**LIST_PRICES, **own}


def _currency(text: str) -> str:
    if len(text) != 3 or not text.isalpha():
        raise ValueError
    return text.upper()


class NotConfiguredError(AppError):
    """The settings name no service that could do what is asked for."""

    code = "not_configured"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings, by concern. Keys are for local use: in Azure the app has an identity."""

    # where we are
    public_base_url: str
    """``https://`` and the name under which ACS reaches us; never taken from a request."""
    callback_signing_keys: tuple[str, ...] = field(repr=False)
    """Sign the callback URLs; the first signs, all verify, so that a key can be replaced."""
    is_hosted: bool
    """Runs in Azure, where a managed identity is to be had; every plan sets its address."""
    azure_client_id: str | None
    log_level: str
    log_levels: Mapping[str, str]
    """Levels of single loggers; ours are called like their modules."""

    # telemetry
    service_name: str
    """The role in the application map."""
    service_version: str
    applicationinsights_connection_string: str | None = field(repr=False)
    otlp_endpoint: str | None
    """Of a collector that speaks OTLP over HTTP."""
    trace_content: bool
    """Spans keep what people say. Never where real people call."""

    # money
    prices: Prices
    """What usage costs; list prices where the settings say nothing."""

    # Azure Communication Services
    acs_endpoint: str
    acs_access_key: str | None = field(repr=False)
    acs_audience: str
    """The immutable id of the ACS resource: for whom callback tokens are made."""
    acs_issuer: str
    acs_jwks_url: str
    acs_source_number: str | None
    sms_sender: str | None
    """The number, or the short code, that one-time codes come from; None: none are sent so."""
    email_sender: str | None
    """The address that codes and agreements come from; of a domain that ACS has verified."""
    record_calls: bool
    """Every call is recorded and transcribed. Tell callers: many countries demand consent."""
    acs_storage_gateway: str | None
    """Where recordings are fetched instead of the storage hosts of ACS; for a stand-in."""
    cognitive_services_endpoint: str

    # the model
    openai_endpoint: str
    """Base URL of the resource; ``/openai/v1/`` is added."""
    openai_api_key: str | None = field(repr=False)
    openai_chat_deployment: str
    openai_embedding_deployment: str | None
    """Without it, or without a database, the shipped articles are searched by their words."""
    embedding_dimensions: int
    """The length of the vectors in the container, which cannot be changed later."""

    # speech; without endpoint and host, ACS speaks and nothing is transcribed
    speech_endpoint: str | None
    """``https://<name>.cognitiveservices.azure.com/``; with a token unless there is a key."""
    speech_host: str | None
    """``ws://`` or ``wss://`` and a host: a container or a stand-in, instead of the endpoint."""
    speech_key: str | None = field(repr=False)
    speech_threads: int
    """Native calls at once."""
    tts_pool_size: int
    tts_pool_max: int
    stt_pool_size: int
    stt_pool_max: int
    voice_renderer: str
    """Who speaks what the model says: ``acs`` or ``speech``; canned lines are always files."""

    # the database; without an endpoint the tools say that there are no records
    cosmos_endpoint: str | None
    cosmos_key: str | None = field(repr=False)
    cosmos_database: str
    archive_ttl_s: int
    """How long sessions that are over are kept there."""

    # state
    redis_url: str | None = field(repr=False)
    redis_host: str | None
    redis_port: int | None
    session_ttl_s: int

    # the agents
    agent_scenario: str
    """The name of a shipped scenario, or the path of a ``.yaml`` file."""
    transfer_targets: Mapping[str, str]
    """Queue name to phone number."""
    filler_after_s: float
    first_sentence_s: float
    turn_timeout_s: float

    # the call flow
    callback_ack_s: float
    lease_s: float
    sweep_period_s: float
    silent_call_s: float

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> "Settings":
        """Read settings from *env*.

        Raises:
            SettingsError: Lists every missing or malformed variable at once, never a value.
        """
        read = Reader(env)
        acs = "https://acscallautomation.communication.azure.com"
        settings = cls(
            public_base_url=read("PUBLIC_BASE_URL", url),
            callback_signing_keys=read("CALLBACK_SIGNING_KEY", keys),
            is_hosted=bool(read("IDENTITY_ENDPOINT", default="")),
            azure_client_id=read("AZURE_CLIENT_ID", default=None),
            log_level=read("LOG_LEVEL", _LEVEL, default="INFO"),
            log_levels=read("LOG_LEVELS", _levels, default={}),
            service_name=read("SERVICE_NAME", default="voice-agent-functions"),
            service_version=read("SERVICE_VERSION", default="development"),
            applicationinsights_connection_string=read(
                "APPLICATIONINSIGHTS_CONNECTION_STRING", default=None
            ),
            otlp_endpoint=read("OTEL_EXPORTER_OTLP_ENDPOINT", url, default=None),
            trace_content=read("TRACE_CONTENT", flag, default=False),
            acs_endpoint=read("ACS_ENDPOINT", url),
            acs_access_key=read("ACS_ACCESS_KEY", default=None),
            acs_audience=read("ACS_AUDIENCE"),
            acs_issuer=read("ACS_ISSUER", default=acs),
            acs_jwks_url=read("ACS_JWKS_URL", url, default=f"{acs}/calling/keys"),
            acs_source_number=read("ACS_SOURCE_NUMBER", default=None),
            sms_sender=read("SMS_SENDER", default=None),
            email_sender=read("EMAIL_SENDER", default=None),
            record_calls=read("RECORD_CALLS", flag, default=False),
            acs_storage_gateway=read("ACS_STORAGE_GATEWAY", url, default=None),
            cognitive_services_endpoint=read("COGNITIVE_SERVICES_ENDPOINT", url),
            openai_endpoint=read("AZURE_OPENAI_ENDPOINT", url),
            openai_api_key=read("AZURE_OPENAI_API_KEY", default=None),
            openai_chat_deployment=read("AZURE_OPENAI_CHAT_DEPLOYMENT"),
            openai_embedding_deployment=read("AZURE_OPENAI_EMBEDDING_DEPLOYMENT", default=None),
            embedding_dimensions=read("EMBEDDING_DIMENSIONS", whole, default=1536),
            speech_endpoint=read("SPEECH_ENDPOINT", url, default=None),
            speech_host=read("SPEECH_HOST", socket_url, default=None),
            speech_key=read("SPEECH_KEY", default=None),
            speech_threads=read("SPEECH_THREADS", whole, default=16),
            tts_pool_size=read("TTS_POOL_SIZE", whole, default=3),
            tts_pool_max=read("TTS_POOL_MAX", whole, default=16),
            stt_pool_size=read("STT_POOL_SIZE", whole, default=2),
            stt_pool_max=read("STT_POOL_MAX", whole, default=8),
            voice_renderer=read("VOICE_RENDERER", one_of("acs", "speech"), default="acs"),
            cosmos_endpoint=read("COSMOS_ENDPOINT", url, default=None),
            cosmos_key=read("COSMOS_KEY", base64_text, default=None),
            archive_ttl_s=read("ARCHIVE_TTL_S", whole, default=90 * 86_400),
            cosmos_database=read("COSMOS_DATABASE", default="voice-agent"),
            redis_url=read("REDIS_URL", default=None),
            redis_host=read("REDIS_HOST", default=None),
            redis_port=read("REDIS_PORT", whole, default=None),
            session_ttl_s=read("SESSION_TTL_S", whole, default=86_400),
            agent_scenario=read("AGENT_SCENARIO", default="bank"),
            transfer_targets=read("TRANSFER_TARGETS", pairs, default={}),
            filler_after_s=read("FILLER_AFTER_S", positive, default=1.5),
            first_sentence_s=read("FIRST_SENTENCE_S", positive, default=4.0),
            turn_timeout_s=read("TURN_TIMEOUT_S", positive, default=15.0),
            callback_ack_s=read("CALLBACK_ACK_S", positive, default=4.0),
            lease_s=read("LEASE_S", positive, default=20.0),
            sweep_period_s=read("SWEEP_PERIOD_S", positive, default=15.0),
            silent_call_s=read("SILENT_CALL_S", positive, default=180.0),
            prices=Prices(
                table=read("PRICES", _prices, default=LIST_PRICES),
                currency=read("PRICE_CURRENCY", _currency, default="USD"),
                memory_mb=read("INSTANCE_MEMORY_MB", whole, default=2048),
            ),
        )
        for problem in (*settings._contradictions(), *settings._database_contradictions()):
            read.problem(problem)
        read.raise_problems()
        return settings

    @property
    def has_speech(self) -> bool:
        """Whether there is a speech service of our own."""
        return bool(self.speech_endpoint or self.speech_host)

    @property
    def is_traced(self) -> bool:
        """Whether spans and measurements are to be sent somewhere."""
        return bool(self.applicationinsights_connection_string or self.otlp_endpoint)

    def _contradictions(self) -> Iterator[str]:
        """What is wrong between the settings; a malformed one is None and told already."""
        if self.redis_url is None and self.redis_host is None:
            yield "REDIS_HOST or REDIS_URL is missing"
        if self.lease_s and self.turn_timeout_s and self.lease_s <= self.turn_timeout_s:
            yield "LEASE_S must be longer than TURN_TIMEOUT_S"
        if self.speech_endpoint and self.speech_host:
            yield "SPEECH_ENDPOINT and SPEECH_HOST exclude each other"
        if self.voice_renderer == "speech" and not self.has_speech:
            yield "VOICE_RENDERER is speech, but SPEECH_ENDPOINT or SPEECH_HOST is missing"
        if self.record_calls and not self.has_speech:
            yield "RECORD_CALLS is true, but SPEECH_ENDPOINT or SPEECH_HOST is missing"
        if self.is_hosted and self.acs_storage_gateway:
            yield "ACS_STORAGE_GATEWAY would be given our token; it is for a stand-in only"
        if self.tts_pool_size and self.tts_pool_max and self.tts_pool_size > self.tts_pool_max:
            yield "TTS_POOL_MAX must not be less than TTS_POOL_SIZE"
        if self.stt_pool_size and self.stt_pool_max and self.stt_pool_size > self.stt_pool_max:
            yield "STT_POOL_MAX must not be less than STT_POOL_SIZE"

    def _database_contradictions(self) -> Iterator[str]:
        if self.is_hosted and self.cosmos_key:
            yield "COSMOS_KEY is for local use; in Azure the app has an identity"
        if (self.cosmos_endpoint or "").lower().startswith("http:") and not self.cosmos_key:
            yield "COSMOS_ENDPOINT without https takes no token; COSMOS_KEY is missing"
