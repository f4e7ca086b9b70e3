"""How state and identity fit together; `shared.resources` builds them when needed."""

import uuid
from typing import Protocol

from azure.core.credentials_async import AsyncTokenCredential

from shared.auth.credentials import COGNITIVE_SCOPE, TokenCache
from shared.auth.credentials import build_credential as credential_of
from shared.auth.fetch import fetch_json
from shared.auth.signatures import CallbackSigner, FileSigner
from shared.auth.tokens import AcsTokenVerifier, JwksCache
from shared.clock import Clock
from shared.openai.client import ApiKey
from shared.pools.lazy import Lazy
from shared.redis.manager import AzureRedisManager
from shared.settings import Settings
from shared.state.ledger import RedisLedger
from shared.state.store import SessionStore


class Parts(Protocol):
    """The parts these are made of; `shared.resources.Resources` has them."""

    clock: Clock
    credential: Lazy[AsyncTokenCredential]
    jwks: Lazy[JwksCache]
    redis: Lazy[AzureRedisManager]

    @property
    def settings(self) -> Settings:
        """The settings of the process."""
        ...


async def build_credential(parts: Parts) -> AsyncTokenCredential:
    """The identity of the app."""
    settings = parts.settings
    return credential_of(client_id=settings.azure_client_id, is_hosted=settings.is_hosted)


async def build_redis(parts: Parts) -> AzureRedisManager:
    """The session store; with a token where there is no URL."""
    settings = parts.settings
    if settings.redis_url is not None:
        return AzureRedisManager(url=settings.redis_url)
    credential = await parts.credential.get()
    return AzureRedisManager(settings.redis_host, settings.redis_port, credential=credential)


async def build_store(parts: Parts) -> SessionStore:
    """Reads and commits sessions, under a name that no other process has."""
    return SessionStore(
        await parts.redis.get(),
        instance_id=uuid.uuid4().hex,
        lease_s=parts.settings.lease_s,
        ttl_s=parts.settings.session_ttl_s,
        clock=parts.clock,
    )


async def build_ledger(parts: Parts) -> RedisLedger:
    """What tools with side effects have done."""
    return RedisLedger(await parts.redis.get(), ttl_s=parts.settings.session_ttl_s)


async def build_signer(parts: Parts) -> CallbackSigner:
    """Signs the addresses that ACS calls."""
    return CallbackSigner(_keys(parts.settings))


async def build_file_signer(parts: Parts) -> FileSigner:
    """Signs the addresses of sound files."""
    return FileSigner(_keys(parts.settings), clock=parts.clock)


async def build_jwks(parts: Parts) -> JwksCache:
    """The keys that ACS signs with."""
    return JwksCache(parts.settings.acs_jwks_url, fetch=fetch_json, clock=parts.clock)


async def build_acs_tokens(parts: Parts) -> AcsTokenVerifier:
    """Tells what ACS has sent from what others have."""
    keys, settings = await parts.jwks.get(), parts.settings
    return AcsTokenVerifier(keys, issuer=settings.acs_issuer, audience=settings.acs_audience)


def _keys(settings: Settings) -> list[bytes]:
    return [key.encode() for key in settings.callback_signing_keys]


async def build_openai_key(parts: Parts) -> ApiKey:
    """What opens Azure OpenAI: a token for each request where there is no key."""
    settings = parts.settings
    if settings.openai_api_key is not None:
        return settings.openai_api_key
    credential = await parts.credential.get()
    return TokenCache(credential, COGNITIVE_SCOPE, clock=parts.clock).get
