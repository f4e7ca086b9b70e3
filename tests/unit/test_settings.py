"""What the app is told by its environment, and how it complains."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.preflight import names
from infra.preflight.templates import load
from shared.errors import SettingsError
from shared.settings import Settings

ROOT = Path(__file__).parents[2]
LEAST = {
    "PUBLIC_BASE_URL": "https://app.example",
    "CALLBACK_SIGNING_KEY": "k" * 16,
    "ACS_ENDPOINT": "https://acs.example",
    "ACS_AUDIENCE": "audience",
    "COGNITIVE_SERVICES_ENDPOINT": "https://ai.example/",
    "AZURE_OPENAI_ENDPOINT": "https://model.example",
    "AZURE_OPENAI_CHAT_DEPLOYMENT": "gpt",
    "REDIS_HOST": "redis.example",
}
NUMBERS = (
    *("REDIS_PORT", "SESSION_TTL_S", "FILLER_AFTER_S", "FIRST_SENTENCE_S", "TURN_TIMEOUT_S"),
    *("CALLBACK_ACK_S", "LEASE_S", "SWEEP_PERIOD_S", "SILENT_CALL_S", "SPEECH_THREADS"),
    *("TTS_POOL_SIZE", "TTS_POOL_MAX", "STT_POOL_SIZE", "STT_POOL_MAX"),
)


def problems_of(env: Mapping[str, str]) -> str:
    """What is wrong with *env*."""
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(env)
    return str(caught.value)


def example() -> dict[str, str]:
    """The values a newcomer copies."""
    text = (ROOT / "local.settings.example.json").read_text(encoding="utf-8")
    values: dict[str, str] = json.loads(text)["Values"]
    return values


def test_settings_names_agree() -> None:
    """A setting that code, example and template do not share is one somebody does not know of."""
    assert names.of_code() >= {"REDIS_HOST", "LEASE_S", "ACS_ENDPOINT"}
    assert list(names.check(load(ROOT / "infra"), ROOT)) == []


def test_settings_of_the_example_are_valid() -> None:
    """What is copied from the example starts, and stands for the same as leaving it out."""
    copied = Settings.from_env(example())
    bare = Settings.from_env(LEAST)
    for name in ("session_ttl_s", "filler_after_s", "turn_timeout_s", "lease_s", "silent_call_s"):
        assert getattr(copied, name) == getattr(bare, name), name
    assert copied.transfer_targets == {"general": "+15550001111", "fraud": "+15550002222"}


def test_settings_defaults_are_those_of_azure() -> None:
    """What may be left out means: in Azure, by identity, with the documented times."""
    settings = Settings.from_env(LEAST)
    expected: dict[str, object] = {
        "is_hosted": False,
        "azure_client_id": None,
        "log_level": "INFO",
        "acs_access_key": None,
        "record_calls": False,
        "acs_issuer": "https://acscallautomation.communication.azure.com",
        "acs_jwks_url": "https://acscallautomation.communication.azure.com/calling/keys",
        "openai_api_key": None,
        "speech_endpoint": None,
        "speech_host": None,
        "has_speech": False,
        "voice_renderer": "acs",
        "redis_url": None,
        "redis_port": None,
        "transfer_targets": {},
        "turn_timeout_s": 15.0,
        "lease_s": 20.0,
        "sweep_period_s": 15.0,
        "callback_ack_s": 4.0,
    }
    assert {name: getattr(settings, name) for name in expected} == expected


def test_settings_name_everything_that_is_missing_at_once() -> None:
    """Whoever sets the app up wants one list, not eight attempts."""
    text = problems_of({})
    for name in LEAST:
        assert name in text, name


def test_settings_name_everything_that_is_malformed_at_once() -> None:
    """A wrong value beside a missing one: both are told."""
    wrong = dict.fromkeys(NUMBERS, "x") | {"TRANSFER_TARGETS": "general", "LOG_LEVEL": "LOUD"}
    text = problems_of({**LEAST, **wrong, "ACS_AUDIENCE": ""})
    for name in (*wrong, "ACS_AUDIENCE"):
        assert name in text, name


@given(value=st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=6, max_size=30))
def test_settings_never_repeat_a_value(value: str) -> None:
    """A key in the wrong variable must not end up in the log of the start."""
    names = {*LEAST, *NUMBERS, "TRANSFER_TARGETS", "LOG_LEVEL", "ACS_JWKS_URL"} - {"REDIS_HOST"}
    names |= {"SPEECH_ENDPOINT", "VOICE_RENDERER"}
    marked = f"zq{value}zq"
    text = problems_of(dict.fromkeys(names, marked))
    assert marked not in text
    assert "LEASE_S is malformed" in text


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["0", "-1", "nan", "inf", "1e999", "ten"])
def test_settings_refuse_a_time_that_cannot_be(name: str, value: str) -> None:
    """A deadline of nothing, or of for ever, is a typing mistake."""
    assert f"{name} is malformed" in problems_of({**LEAST, name: value})


@pytest.mark.parametrize("value", [",", " , ", "short", f"{'k' * 16},short"])
def test_settings_refuse_signing_keys_that_can_be_guessed(value: str) -> None:
    """Found at the start and not at the first callback."""
    assert "CALLBACK_SIGNING_KEY is malformed" in problems_of(
        {**LEAST, "CALLBACK_SIGNING_KEY": value}
    )


def test_settings_take_several_signing_keys_newest_first() -> None:
    """A key is replaced by putting the new one in front, so that running calls go on."""
    env = {**LEAST, "CALLBACK_SIGNING_KEY": f" {'n' * 16} , {'o' * 16},"}
    assert Settings.from_env(env).callback_signing_keys == ("n" * 16, "o" * 16)


@pytest.mark.parametrize(
    "name",
    [
        *("PUBLIC_BASE_URL", "ACS_ENDPOINT", "AZURE_OPENAI_ENDPOINT", "ACS_JWKS_URL"),
        *("SPEECH_ENDPOINT", "SPEECH_HOST"),
    ],
)
@pytest.mark.parametrize("value", ["app.example", "ftp://app.example", "//app.example"])
def test_settings_refuse_an_address_without_a_scheme(name: str, value: str) -> None:
    """The commonest slip: it would only fail when the first phone rings."""
    assert f"{name} is malformed" in problems_of({**LEAST, name: value})


@pytest.mark.parametrize("value", ["general", "general=", "=+1555", "general=+1,=", "a=+1,b"])
def test_settings_refuse_transfer_targets_without_both_sides(value: str) -> None:
    """A queue without a number would be a transfer into nowhere."""
    assert "TRANSFER_TARGETS is malformed" in problems_of({**LEAST, "TRANSFER_TARGETS": value})


def test_settings_read_transfer_targets_without_regard_to_case_and_space() -> None:
    """Agents name queues in lower case."""
    env = {**LEAST, "TRANSFER_TARGETS": " General = +1555 , FRAUD=+1556, "}
    assert Settings.from_env(env).transfer_targets == {"general": "+1555", "fraud": "+1556"}


def test_settings_want_a_redis_and_say_how() -> None:
    """Either way to name it will do, none will not."""
    bare = {name: value for name, value in LEAST.items() if name != "REDIS_HOST"}
    assert problems_of(bare) == "REDIS_HOST or REDIS_URL is missing"
    assert Settings.from_env({**bare, "REDIS_URL": "redis://x"}).redis_url == "redis://x"


@pytest.mark.parametrize(("lease", "turn"), [("15", "15"), ("5", "6"), ("", "20"), ("14", "")])
def test_settings_refuse_a_lease_that_ends_before_its_turn(lease: str, turn: str) -> None:
    """Another instance would take over a turn that is still being answered."""
    text = problems_of({**LEAST, "LEASE_S": lease, "TURN_TIMEOUT_S": turn, "ACS_AUDIENCE": ""})
    assert "LEASE_S must be longer than TURN_TIMEOUT_S" in text
    assert "ACS_AUDIENCE" in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("SPEECH_ENDPOINT", "https://speech.example/"), ("SPEECH_HOST", "ws://127.0.0.1:1")],
)
def test_settings_have_speech_where_either_address_is_given(name: str, value: str) -> None:
    """A resource in Azure is named by its endpoint, a container or a stand-in by its host."""
    assert Settings.from_env({**LEAST, name: value}).has_speech


def test_settings_refuse_two_addresses_of_speech() -> None:
    """Nobody could tell which of the two is meant."""
    env = {**LEAST, "SPEECH_ENDPOINT": "https://speech.example/", "SPEECH_HOST": "ws://x"}
    assert problems_of(env) == "SPEECH_ENDPOINT and SPEECH_HOST exclude each other"


@pytest.mark.parametrize("kind", ["TTS", "STT"])
def test_settings_refuse_a_pool_that_may_not_be_as_large_as_it_is(kind: str) -> None:
    """The pool itself would refuse, when the first call needs it."""
    env = {**LEAST, f"{kind}_POOL_SIZE": "9", f"{kind}_POOL_MAX": "8"}
    assert problems_of(env) == f"{kind}_POOL_MAX must not be less than {kind}_POOL_SIZE"


def test_settings_know_two_renderers() -> None:
    """A typing mistake must not decide silently who speaks."""
    env = {**LEAST, "SPEECH_HOST": "ws://x", "VOICE_RENDERER": "Speech"}
    assert Settings.from_env(env).voice_renderer == "speech"
    text = problems_of({**LEAST, "VOICE_RENDERER": "azure"})
    assert text == "VOICE_RENDERER is malformed"


def test_settings_refuse_a_renderer_that_is_not_there() -> None:
    """Nobody would notice that ACS speaks all the same."""
    assert "VOICE_RENDERER" in problems_of({**LEAST, "VOICE_RENDERER": "speech"})


@pytest.mark.parametrize("name", LEAST)
def test_settings_take_an_empty_variable_for_a_missing_one(name: str) -> None:
    """In a settings file an optional value is left empty, not left out."""
    assert f"{name}" in problems_of({**LEAST, name: "  "})


def test_settings_are_hosted_where_azure_names_the_instance() -> None:
    """The same package runs on a laptop and in Azure; only there has it a managed identity."""
    assert Settings.from_env({**LEAST, "IDENTITY_ENDPOINT": "x"}).is_hosted


def test_settings_do_not_show_secrets_when_printed() -> None:
    """A settings value in a traceback or a log line tells no key."""
    secret = "s3cret" * 5
    env = {
        **LEAST,
        "CALLBACK_SIGNING_KEY": secret,
        "ACS_ACCESS_KEY": secret,
        "AZURE_OPENAI_API_KEY": secret,
        "SPEECH_KEY": secret,
        "REDIS_URL": f"redis://:{secret}@x",
    }
    assert secret not in repr(Settings.from_env(env))


def test_settings_cannot_change_under_a_running_call() -> None:
    """They are read once; another value is another object."""
    settings = Settings.from_env(LEAST)
    with pytest.raises(AttributeError):
        settings.lease_s = math.pi  # type: ignore[misc]
    assert replace(settings, lease_s=30.0).lease_s == 30.0
    assert len(fields(settings)) == len(Settings.__slots__)


@pytest.mark.parametrize(("text", "wanted"), [("true", True), ("1", True), ("False", False)])
def test_settings_read_a_yes_or_no(text: str, wanted: bool) -> None:
    """In the spellings that people and templates use."""
    assert (
        Settings.from_env(
            {**LEAST, "RECORD_CALLS": text, "SPEECH_HOST": "ws://127.0.0.1:1"}
        ).record_calls
        is wanted
    )


def test_settings_refuse_what_is_neither_yes_nor_no() -> None:
    """A typing error must not decide whether people are recorded."""
    with pytest.raises(SettingsError, match="RECORD_CALLS is malformed"):
        Settings.from_env({**LEAST, "RECORD_CALLS": "perhaps"})


def test_settings_record_nobody_for_nothing() -> None:
    """Without a speech service, recordings could never be turned into text."""
    with pytest.raises(SettingsError, match="RECORD_CALLS is true"):
        Settings.from_env({**LEAST, "RECORD_CALLS": "true"})


def test_settings_send_the_token_of_azure_to_no_stand_in() -> None:
    """A local setting that was taken along must not give our identity away."""
    env = {**LEAST, "ACS_STORAGE_GATEWAY": "http://127.0.0.1:1"}
    assert Settings.from_env(env).acs_storage_gateway == "http://127.0.0.1:1"
    with pytest.raises(SettingsError, match="ACS_STORAGE_GATEWAY"):
        Settings.from_env({**env, "IDENTITY_ENDPOINT": "http://127.0.0.1:2"})
