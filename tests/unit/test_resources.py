"""How the parts fit together: all of them can be built, and none of it touches the network."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from shared.agent.fields import AgentDefinitionError
from shared.errors import SettingsError
from shared.pools.lazy import Lazy
from shared.resources import Resources, resources, use_resources
from shared.settings import NotConfiguredError, Settings
from tests.unit.test_function_app import HEAVY_SDKS
from tests.unit.test_settings import LEAST

ROOT = Path(__file__).parents[2]
LOCAL = {
    **LEAST,
    "REDIS_URL": "redis://127.0.0.1:6379/0",
    "ACS_ACCESS_KEY": "a2V5a2V5",
    "AZURE_OPENAI_API_KEY": "key",
    "ACS_ENDPOINT": "http://127.0.0.1:9",
    "TRANSFER_TARGETS": "general=+15550001111",
    "COSMOS_ENDPOINT": "http://127.0.0.1:9",
    "COSMOS_KEY": "a2V5a2V5",
    "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": "embeddings",
}


def parts_of(env: dict[str, str]) -> Resources:
    """The parts of a process with that environment."""
    return Resources(settings=Settings.from_env(env))


def lazies(parts: Resources) -> dict[str, Lazy[Any]]:
    """Every part, by name."""
    return {name: part for name, part in vars(parts).items() if isinstance(part, Lazy)}


async def test_resources_build_every_part_without_a_connection() -> None:
    """Building is cheap and cannot fail for want of a network; connecting comes with use."""
    parts = parts_of({**LOCAL, "SPEECH_HOST": "ws://127.0.0.1:9", "SPEECH_KEY": "key"})
    built = {name: await part.get() for name, part in lazies(parts).items() if name != "credential"}
    assert all(part is not None for name, part in built.items() if name != "imported")
    assert set(parts.built_ms) == set(built) - {"imported"}
    snapshot = parts.snapshot()
    assert set(snapshot) == {"built_ms", "redis", "pools"}
    assert {name: one["alive"] for name, one in snapshot["pools"].items()} == {"tts": 0, "stt": 0}
    await parts.telephony.built.aclose()  # type: ignore[union-attr]


async def test_resources_build_a_part_once_and_on_demand() -> None:
    """What nobody asked for is not there; what two parts need, they share."""
    parts = parts_of(LOCAL)
    assert parts.built_ms == {}
    store = await parts.store.get()
    assert await parts.store.get() is store
    assert set(parts.built_ms) == {"redis", "store"}


async def test_resources_use_no_credential_where_there_are_keys() -> None:
    """On a laptop nobody is signed in to Azure."""
    parts = parts_of(LOCAL)
    await parts.runner.get()
    assert parts.credential.built is None


async def test_resources_take_the_agents_of_the_scenario_that_is_set(tmp_path: Path) -> None:
    """An operator's own file decides who answers; one that is broken is not passed over."""
    own = tmp_path / "own.yaml"
    own.write_text("agents: [fraud]\nentry: fraud\n", encoding="utf-8")
    parts = parts_of({**LOCAL, "AGENT_SCENARIO": str(own)})
    assert list(await parts.agents.get()) == ["fraud"]
    own.write_text("agents: [fraud]\nentry: nobody\n", encoding="utf-8")
    parts = parts_of({**LOCAL, "AGENT_SCENARIO": str(own)})
    with pytest.raises(AgentDefinitionError, match=r"^own\.yaml: entry names no agent"):
        await parts.runner.get()


async def test_resources_do_without_speech_where_there_is_none() -> None:
    """Calls go on with the voice of ACS; whoever asks for speech is told why there is none."""
    parts = parts_of(LOCAL)
    await parts.runner.get()
    for part in (parts.speech, parts.tts_pool, parts.stt_pool, parts.speech_desk, parts.prompts):
        with pytest.raises(NotConfiguredError):
            await part.get()
    assert parts.snapshot()["pools"] == {}


async def test_resources_search_the_shipped_articles_without_a_database() -> None:
    """Nobody is told that the bank's database was asked when it was not."""
    for missing in ("COSMOS_ENDPOINT", "AZURE_OPENAI_EMBEDDING_DEPLOYMENT"):
        parts = parts_of({**LOCAL, missing: ""})
        assert (await parts.knowledge.get()).source == "mock"
    parts = parts_of(LOCAL)
    assert (await parts.knowledge.get()).source == "cosmos_vector"
    assert (await parts.tool_services.get()).knowledge is await parts.knowledge.get()
    without = parts_of({**LOCAL, "AZURE_OPENAI_EMBEDDING_DEPLOYMENT": ""})
    with pytest.raises(NotConfiguredError):
        await without.embeddings.get()


async def test_resources_use_the_identity_for_a_speech_endpoint_without_a_key() -> None:
    """A resource in Azure takes the token of the managed identity."""
    parts = parts_of({**LOCAL, "SPEECH_ENDPOINT": "https://speech.example/"})
    await parts.speech.get()
    credential = parts.credential.built
    assert credential is not None
    await credential.close()
    keyed = parts_of({**LOCAL, "SPEECH_ENDPOINT": "https://x.example/", "SPEECH_KEY": "key"})
    await keyed.speech.get()
    assert keyed.credential.built is None


async def test_resources_use_the_identity_where_there_are_no_keys() -> None:
    """In Azure there are no keys: each service is reached with a token."""
    for name, address in (("redis", ""), ("database", "https://account.documents.azure.com/")):
        parts = parts_of({**LEAST, "COSMOS_ENDPOINT": address})
        await getattr(parts, name).get()
        credential = parts.credential.built
        assert credential is not None
        await credential.close()


async def test_resources_have_no_database_where_none_is_named() -> None:
    """Whoever asks for it is told why; the demonstration does without."""
    parts = parts_of({**LOCAL, "COSMOS_ENDPOINT": ""})
    for part in (parts.database, parts.documents):
        with pytest.raises(NotConfiguredError, match="COSMOS_ENDPOINT"):
            await part.get()
    assert await parts.tool_services.get()


def test_resources_say_what_is_missing_when_they_are_used() -> None:
    """Not at import: a wrong setting must not make the functions vanish."""
    with pytest.raises(SettingsError):
        Resources(settings=None).settings  # noqa: B018 - reading is what fails


def test_use_resources_ends_with_its_block() -> None:
    """A test that fails must not leave its parts to the next one."""
    before, first, second = resources(), Resources(), Resources()
    with use_resources(first):
        with pytest.raises(RuntimeError), use_resources(second):
            assert resources() is second
            raise RuntimeError
        assert resources() is first
    assert resources() is before


MEASURE = """
import asyncio, json, sys
from shared.resources import Resources
from shared.settings import NotConfiguredError, Settings

async def main(env):
    parts = Resources(settings=Settings.from_env(env))
    await parts.imported.get()
    known = set(sys.modules)
    await parts.runner.get()
    await parts.sweeper.get()
    await parts.chat.get()
    await parts.tool_desk.get()
    await parts.acs_tokens.get()
    return sorted(set(sys.modules) - known)

print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))))
"""


def test_resources_import_what_is_heavy_beside_the_loop() -> None:
    """An import of a second would hold every call of the process; the builders find it done."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, json.dumps(LOCAL)],
        cwd=ROOT,
        capture_output=True,
        check=True,
        timeout=60,
    )
    late = json.loads(done.stdout)
    heavy = [one for one in late if any(one == sdk for sdk in HEAVY_SDKS)]
    assert heavy == []
