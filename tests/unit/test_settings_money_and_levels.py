"""The settings that are small tables: prices and the levels of single loggers."""

from decimal import Decimal

import pytest

from shared.cost.prices import LIST_PRICES
from shared.errors import SettingsError
from shared.settings import Settings
from tests.unit.test_settings import LEAST


def test_settings_without_prices_have_the_list_prices() -> None:
    """A bill from the first minute; what it is worth, the documentation says."""
    prices = Settings.from_env(LEAST).prices
    assert (prices.table, prices.currency, prices.memory_mb) == (LIST_PRICES, "USD", 2048)


def test_settings_replace_single_prices() -> None:
    """What somebody has negotiated, in the currency of the contract."""
    given = {"PRICES": "gpt-4o/input=2.75, my-model/output=3", "PRICE_CURRENCY": "eur"}
    prices = Settings.from_env({**LEAST, **given}).prices
    assert prices.currency == "EUR"
    assert prices.table["gpt-4o/input"] == Decimal("2.75")
    assert prices.table["my-model/output"] == 3
    assert prices.table["gpt-4o/output"] == LIST_PRICES["gpt-4o/output"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PRICES", "gpt-4o/input=cheap"),
        ("PRICES", "gpt-4o/input=-1"),
        ("PRICES", "gpt-4o/input=NaN"),
        ("PRICES", "gpt-4o/wishes=1"),
        ("PRICES", "input=1"),
        ("PRICE_CURRENCY", "dollars"),
        ("INSTANCE_MEMORY_MB", "0"),
        ("LOG_LEVELS", "shared.calls=LOUD"),
        ("LOG_LEVELS", "DEBUG"),
    ],
)
def test_settings_refuse_a_table_that_nobody_would_read(name: str, value: str) -> None:
    """A price under a wrong name would be a wrong bill."""
    with pytest.raises(SettingsError, match=f"{name} is malformed"):
        Settings.from_env({**LEAST, name: value})


def test_settings_take_levels_of_single_loggers() -> None:
    """Ours by their module, others by their name."""
    settings = Settings.from_env({**LEAST, "LOG_LEVELS": "shared.calls=debug,azure.core=INFO"})
    assert settings.log_levels == {"shared.calls": "DEBUG", "azure.core": "INFO"}
