"""What a usage costs: exact, complete, and never silently free."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.cost.prices import LIST_PRICES, Prices, as_text, cost_report, sum_of

NAMES = (
    "gpt-4o/input",
    "gpt-4o/output",
    "speech/characters",
    "acs/inbound_ms",
    "functions/busy_ms",
)
USAGES = st.dictionaries(st.sampled_from(NAMES), st.integers(0, 10**9))


@pytest.mark.parametrize(
    ("usage", "total"),
    [
        ({"gpt-4o-2024-08-06/input": 1_000_000}, "2.500000000"),
        ({"gpt-4o-2024-08-06/cached": 1_000_000}, "1.250000000"),
        ({"gpt-4o-mini-2024-07-18/output": 1}, "0.000000600"),
        ({"speech/characters": 66_667}, "1.000005000"),
        ({"speech/listening_ms": 3_600_000}, "1.000000000"),
        ({"acs/inbound_ms": 90_000}, "0.012750000"),
        ({"acs/outbound_ms": 60_000}, "0.013000000"),
        ({"functions/busy_ms": 1_000}, "0.000052000"),
        ({}, "0.000000000"),
    ],
)
def test_cost_of_a_usage_is_what_the_table_says(usage: dict[str, int], total: str) -> None:
    """A million tokens or characters, an hour, a minute, two gigabytes for a second."""
    assert Prices().cost_of(usage).as_json()["total"] == total


def test_cost_names_what_has_no_price() -> None:
    """An unknown model is not free."""
    cost = Prices().cost_of({"some-new-model/input": 5, "gpt-4o/input": 1, "odd": 1})
    assert cost.unpriced == ("odd", "some-new-model/input")
    assert cost.total == Decimal("0.0000025")


def test_cost_takes_the_price_of_the_longest_name_that_fits() -> None:
    """``gpt-4o-mini`` begins like ``gpt-4o`` and costs a sixteenth."""
    table = {**LIST_PRICES, "gpt-4o-mini-special/input": Decimal(7)}
    prices = Prices(table=table)
    million = {"GPT-4o-mini-special-1/input": 10**6}
    assert prices.cost_of(million).total == 7


@given(st.lists(USAGES, max_size=30))
def test_cost_of_a_sum_is_the_sum_of_the_costs(usages: list[dict[str, int]]) -> None:
    """No drift, in whatever portions it is counted."""
    prices = Prices()
    parts = sum((prices.cost_of(one).total for one in usages), Decimal())
    assert as_text(parts) == as_text(prices.cost_of(sum_of(usages)).total)


def test_cost_report_tells_the_whole_and_each_turn() -> None:
    """In the currency of the table."""
    turns = {2: {"gpt-4o/input": 2}, 1: {"speech/characters": 10}}
    total = {**sum_of(turns.values()), "acs/inbound_ms": 60_000}
    report = cost_report(Prices(currency="EUR"), total, turns)
    assert report["currency"] == "EUR"
    assert [one["turn"] for one in report["turns"]] == [1, 2]
    assert report["items"]["acs"] == "0.008500000"
    assert report["usage"] == total
    parts = sum(Decimal(one["total"]) for one in report["turns"]) + Decimal("0.0085")
    assert Decimal(report["total"]) == parts
