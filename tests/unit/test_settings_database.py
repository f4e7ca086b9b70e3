"""What the app is told about its database, and how it complains."""

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from tests.unit.test_settings import LEAST

KEY = "a2V5a2V5"


def test_settings_do_without_a_database() -> None:
    """The demonstration needs none."""
    settings = Settings.from_env(LEAST)
    assert settings.cosmos_endpoint is None
    assert settings.cosmos_database == "voice-agent"


def test_settings_take_a_database_by_its_endpoint() -> None:
    """In Azure with a token, locally with a key."""
    env = {**LEAST, "COSMOS_ENDPOINT": "https://account.documents.azure.com:443/"}
    assert Settings.from_env({**env, "IDENTITY_ENDPOINT": "x"}).cosmos_key is None
    local = {**LEAST, "COSMOS_ENDPOINT": "http://127.0.0.1:9", "COSMOS_KEY": KEY}
    assert Settings.from_env(local).cosmos_key == KEY
    assert KEY not in repr(Settings.from_env(local))


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ({"COSMOS_ENDPOINT": "account.documents.azure.com"}, "COSMOS_ENDPOINT is malformed"),
        ({"COSMOS_KEY": "not base64!"}, "COSMOS_KEY is malformed"),
        ({"COSMOS_ENDPOINT": "http://127.0.0.1:9"}, "COSMOS_KEY is missing"),
        ({"COSMOS_KEY": KEY, "IDENTITY_ENDPOINT": "x"}, "COSMOS_KEY is for local use"),
    ],
)
def test_settings_refuse_a_database_that_cannot_be_reached(
    env: dict[str, str], problem: str
) -> None:
    """At the start, and not when the first caller asks for a balance; and no value is told."""
    with pytest.raises(SettingsError, match=problem) as refusal:
        Settings.from_env({**LEAST, **env})
    assert not any(value in str(refusal.value) for value in (KEY, "not base64!"))
