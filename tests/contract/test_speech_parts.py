"""Pools, prompts and the speech functions with the real SDK: ready before anybody calls."""

import asyncio
import json
from collections.abc import AsyncIterator

import azure.functions as func
import pytest

from functions.http_health import get_pools
from functions.http_speech import post_synthesis, post_transcription
from shared import readiness
from shared.agent.repertoire import repertoire
from shared.errors import UpstreamError
from shared.redis.manager import AzureRedisManager, count_round_trips
from shared.speech.sound import Sound, SoundFormat
from shared.speech.sound_cache import RedisSoundCache
from shared.speech.voices import Voice
from shared.speech_parts import build_prompts
from simulator.speech import Fault, SpeechStandIn
from tests.contract.speech_app_stage import SpeechApp, running_app
from tests.contract.speech_stage import VOICE, running_stand_in, tones

pytest_plugins = ("tests.contract.redis_fixture",)

WITHIN_S = 20.0
"""Machines that run the tests may be slow."""


@pytest.fixture
async def server() -> AsyncIterator[SpeechStandIn]:
    """A speech service."""
    async with running_stand_in() as running:
        yield running


@pytest.fixture
async def app(server: SpeechStandIn, redis_url: str) -> AsyncIterator[SpeechApp]:
    """The app; nothing is built yet."""
    async with running_app(server, redis_url) as running:
        yield running


def request(body: bytes) -> func.HttpRequest:
    """A request with a function key, which the host has checked."""
    return func.HttpRequest(method="POST", url="https://app.example/api/x", body=body)


async def entry_voice(app: SpeechApp) -> Voice:
    """Who answers calls."""
    return next(iter((await app.parts.agents.get()).values())).voice


async def speech_is_ready(app: SpeechApp) -> None:
    """Both pools are filled; what else readiness checks is not here."""
    failing = await readiness.failing(app.parts, within_s=WITHIN_S)
    assert not {"tts_pool", "stt_pool"} & set(failing)


async def test_pools_are_warm_once_the_app_is_ready(app: SpeechApp, server: SpeechStandIn) -> None:
    """Connected, a syllable spoken in every voice; `GET /api/pools` shows them."""
    await speech_is_ready(app)
    pools = json.loads((await get_pools(request(b""))).get_body())["pools"]
    assert {name: (one["idle"], one["ready"]) for name, one in pools.items()} == {
        "tts": (2, True),
        "stt": (1, True),
    }
    assert server.lines_open("synthesis") == 2
    assert server.lines_open("recognition") >= 1
    voices = {one.voice for one in (await app.parts.agents.get()).values()}
    assert len(server.exchanges) == 2 * len(voices)


async def test_readiness_names_pools_that_can_build_nothing(
    server: SpeechStandIn, redis_url: str
) -> None:
    """A wrong key is found before the first call, and the calls go on without."""
    async with running_app(server, redis_url, SPEECH_KEY="wrong") as app:
        failing = await readiness.failing(app.parts, within_s=WITHIN_S)
        assert {"tts_pool", "stt_pool"} <= set(failing)
        prompts = await app.parts.prompts.get()
        assert await prompts.rehearse() == 0
        assert await prompts.render("Hello.", VOICE, session_id="s") is None


async def test_synthesis_comes_from_the_warm_pool(app: SpeechApp) -> None:
    """A client gets sound from a connection that was there before it asked."""
    await speech_is_ready(app)
    answer = await post_synthesis(request(b'{"text": "one two three"}'))
    assert answer.headers["X-Speech-Tier"] == "warm"
    assert float(answer.headers["X-Speech-First-Byte-Ms"]) > 0
    sound = Sound.from_wav(answer.get_body())
    assert sound.format is SoundFormat.PCM_16KHZ
    assert sound.duration_ms > 500


@pytest.mark.parametrize(
    ("name", "sound_format"),
    [("pcm_8khz", SoundFormat.PCM_8KHZ), ("pcm_24khz", SoundFormat.PCM_24KHZ)],
)
async def test_synthesis_speaks_other_formats(
    app: SpeechApp, name: str, sound_format: SoundFormat
) -> None:
    """On a connection of the request's own."""
    body = json.dumps({"text": "one two", "format": name}).encode()
    answer = await post_synthesis(request(body))
    assert answer.headers["X-Speech-Tier"] == "cold"
    assert Sound.from_wav(answer.get_body()).format is sound_format


async def test_transcription_understands_a_file(app: SpeechApp, server: SpeechStandIn) -> None:
    """Text, phrases and where they are."""
    await speech_is_ready(app)
    server.hear("my card is lost")
    sound = tones(4)
    answer = json.loads((await post_transcription(request(sound.to_wav()))).get_body())
    assert answer["text"] == answer["phrases"][0]["text"]
    assert "card" in answer["text"].lower()
    assert answer["duration_ms"] == sound.duration_ms
    phrase = answer["phrases"][0]
    assert 0 < phrase["offset_ms"] < phrase["offset_ms"] + phrase["duration_ms"] < 2500
    assert answer["speech"]["tier"] == "warm"


async def test_canned_lines_are_files_before_the_first_call(
    app: SpeechApp, server: SpeechStandIn
) -> None:
    """After the warm-up no line of the agents' own costs speech or a round trip to Redis."""
    await speech_is_ready(app)
    await readiness.warm(app.parts)
    spoken, prompts = len(server.exchanges), await app.parts.prompts.get()
    agents = (await app.parts.agents.get()).values()
    lines = [(text, agent.voice) for agent in agents for text in repertoire(agent)]
    with count_round_trips() as trips:
        found = [await prompts.render(text, voice, session_id="s") for text, voice in lines]
    assert trips.total == 0
    assert len({one.url for one in found if one is not None}) == len(set(lines))
    assert len(server.exchanges) == spoken
    assert found[0] is not None
    status, wav = await app.fetch(found[0].url)
    assert (status, Sound.from_wav(wav).format) == (200, SoundFormat.PCM_16KHZ)


async def test_second_instance_finds_the_files_of_the_first(
    app: SpeechApp, server: SpeechStandIn, redis_url: str
) -> None:
    """Ten instances speak each line once between them."""
    prompts = await app.parts.prompts.get()
    made = await prompts.rehearse()
    redis = await app.parts.redis.get()
    assert len(await redis.execute("KEYS", "va:prompt:*")) == made  # type: ignore[arg-type]
    spoken = len(server.exchanges)
    again = await build_prompts(app.parts)
    assert await again.rehearse() == made
    assert len(server.exchanges) == spoken


async def test_reply_is_spoken_by_the_session_s_own_synthesizer(
    server: SpeechStandIn, redis_url: str
) -> None:
    """Where we speak everything, the second sentence of a call is DEDICATED."""
    async with running_app(server, redis_url, VOICE_RENDERER="speech") as app:
        await speech_is_ready(app)
        prompts = await app.parts.prompts.get()
        tiers = []
        for text in ("one two", "three four"):
            rendition = await prompts.render(text, VOICE, session_id="s-1")
            assert rendition is not None
            assert rendition.allocation is not None
            tiers.append(rendition.allocation.tier.value)
            assert (await app.fetch(rendition.url))[0] == 200
        assert tiers == ["warm", "dedicated"]


async def test_render_falls_back_in_time_when_speech_hangs(
    server: SpeechStandIn, redis_url: str
) -> None:
    """The caller hears ACS after a second and a half at the latest, and then at once."""
    async with running_app(server, redis_url, VOICE_RENDERER="speech") as app:
        await speech_is_ready(app)
        prompts = await app.parts.prompts.get()
        clock = asyncio.get_running_loop().time
        server.inject(*[Fault("hang", "synthesis")] * 4)
        began_at = clock()
        assert await prompts.render("one two", VOICE, session_id="s-1") is None
        assert clock() - began_at < 1.5 + 1.0  # a busy machine wakes late
        began_at = clock()
        assert await prompts.render("three four", VOICE, session_id="s-1") is None
        assert clock() - began_at < 0.5


async def test_sound_cache_keeps_sound_as_it_is(redis: AzureRedisManager) -> None:
    """Every byte survives Redis, for as long as it shall."""
    cache, sound = RedisSoundCache(redis), bytes(range(256)) * 100
    assert await cache.get("p-1") is None
    await cache.put("p-1", sound, 100)
    assert await cache.get("p-1") == sound
    assert await cache.renew(["p-0", "p-1"], 500) == [False, True]
    assert 400 < int(await redis.execute("TTL", "va:prompt:p-1")) <= 500  # type: ignore[arg-type]
    with count_round_trips() as trips:
        await cache.renew([f"p-{number}" for number in range(20)], 500)
        assert await cache.renew([], 500) == []
    assert trips.total == 1
    await redis.set_value_async("va:prompt:p-2", "not base64!", 10)
    with pytest.raises(UpstreamError):
        await cache.get("p-2")
