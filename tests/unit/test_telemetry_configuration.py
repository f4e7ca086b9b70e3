"""Where telemetry goes, as far as that can be decided without going there."""

import logging

import pytest

from shared.errors import SettingsError
from shared.settings import Settings
from shared.telemetry.configuration import configure_tracing, flush, flush_at_the_end
from shared.telemetry.logs import ROOT
from shared.telemetry.tracing import NO_SPAN, span
from shared.telemetry_parts import begin_telemetry
from tests.unit.test_settings import LEAST

MALFORMED = "InstrumentationKey=not-a-key;IngestionEndpoint=http://127.0.0.1:9"


def test_tracing_without_an_address_is_off() -> None:
    """Nothing is loaded that would cost memory or threads, and nothing is promised."""
    assert configure_tracing("app", "1", connection_string="") is False
    assert span("turn") is NO_SPAN
    assert flush_at_the_end() is False
    flush()  # with nothing to send it has nothing to do


def test_tracing_names_the_setting_that_is_wrong() -> None:
    """The exporter's own message would show the connection string."""
    with pytest.raises(SettingsError) as caught:
        configure_tracing("app", "1", connection_string=MALFORMED)
    assert str(caught.value) == "APPLICATIONINSIGHTS_CONNECTION_STRING is malformed"


async def test_app_goes_on_without_telemetry_when_it_is_configured_wrongly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Callers must not lose their agent for a typing mistake in a setting of ours."""
    env = {**LEAST, "APPLICATIONINSIGHTS_CONNECTION_STRING": MALFORMED}
    settings = Settings.from_env(env)
    assert settings.is_traced
    caplog.set_level(logging.INFO, logger=ROOT)
    await begin_telemetry(settings)
    assert [one.getMessage() for one in caplog.records] == ["telemetry not configured"]
    assert span("turn") is NO_SPAN


async def test_app_says_that_nothing_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever looks for a trace in vain finds the reason in the log."""
    caplog.set_level(logging.INFO, logger=ROOT)
    await begin_telemetry(Settings.from_env(LEAST))
    (line,) = caplog.records
    assert line.getMessage() == "telemetry configured"
    assert (line.__dict__["is_sent"], line.__dict__["will_flush"]) == (False, False)
