"""The app's parts against stand-ins of speech and ACS, and its sound files over HTTP."""

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp
import azure.functions as func
from aiohttp import web

from functions.http_speech import get_prompt
from shared.redis.manager import AzureRedisManager
from shared.resources import Resources, use_resources
from shared.settings import Settings
from shared.telemetry.logs import ROOT
from simulator.speech import SpeechStandIn
from tests.contract.speech_stage import KEY

ENV = {
    "CALLBACK_SIGNING_KEY": "k" * 16,
    "ACS_ENDPOINT": "http://127.0.0.1:9",
    "ACS_AUDIENCE": "audience",
    "ACS_JWKS_URL": "http://127.0.0.1:9/keys",
    "ACS_ACCESS_KEY": "a2V5a2V5",
    "COGNITIVE_SERVICES_ENDPOINT": "https://ai.example/",
    "AZURE_OPENAI_ENDPOINT": "http://127.0.0.1:9",
    "AZURE_OPENAI_API_KEY": "key",
    "AZURE_OPENAI_CHAT_DEPLOYMENT": "gpt",
    "TTS_POOL_SIZE": "2",
    "STT_POOL_SIZE": "1",
}


@dataclass
class SpeechApp:
    """The parts of a process, and where its sound files are fetched."""

    parts: Resources
    url: str
    fetched: list[tuple[str, int]]
    """File and status, oldest first."""

    async def fetch(self, url: str) -> tuple[int, bytes]:
        """What is at *url*."""
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status, await response.read()


@asynccontextmanager
async def running_app(
    server: SpeechStandIn, redis_url: str, **env: str
) -> AsyncIterator[SpeechApp]:
    """Parts that talk to *server*; the Redis holds no sound when it begins."""
    fetched: list[tuple[str, int]] = []

    async def serve(request: web.Request) -> web.Response:
        """Do what the Functions host does for the route of sound files."""
        answer = await get_prompt(
            func.HttpRequest(
                method="GET",
                url=str(request.url),
                params=dict(request.query),
                route_params={"file": request.match_info["file"]},
                body=b"",
            )
        )
        fetched.append((request.match_info["file"], answer.status_code))
        body, kind = answer.get_body(), answer.mimetype
        return web.Response(status=answer.status_code, body=body, content_type=kind)

    web_app = web.Application()
    web_app.router.add_get("/api/speech/prompts/{file}", serve)
    runner = web.AppRunner(web_app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}"
    speech = {"SPEECH_HOST": server.host_url, "SPEECH_KEY": KEY}
    settings = Settings.from_env(
        {**ENV, "PUBLIC_BASE_URL": url, "REDIS_URL": redis_url, **speech, **env}
    )
    await _forget_sounds(redis_url)
    try:
        with _own_logging(), use_resources(Resources(settings=settings)) as parts:
            try:
                yield SpeechApp(parts, url, fetched)
            finally:
                await _close(parts)
    finally:
        await runner.cleanup()


@contextmanager
def _own_logging() -> Iterator[None]:
    """Parts configure logging when they read their settings; other tests listen to it."""
    ours = logging.getLogger(ROOT)
    before = (ours.handlers, ours.level, ours.propagate)
    try:
        yield
    finally:
        ours.handlers, level, ours.propagate = before
        ours.setLevel(level)


async def _forget_sounds(redis_url: str) -> None:
    async with AzureRedisManager(url=redis_url) as redis:
        keys: Any = await redis.execute("KEYS", "va:prompt:*")
        if keys:
            await redis.delete_async(*keys)


async def _close(parts: Resources) -> None:
    for pool in (parts.tts_pool.built, parts.stt_pool.built):
        if pool is not None:
            await pool.shutdown()
    for part in (parts.speech.built, parts.redis.built, parts.telephony.built, parts.model.built):
        if part is not None:
            await part.aclose()
