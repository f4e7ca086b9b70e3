"""What a usage costs: exact decimals, from a table that settings may replace line by line.

A usage counts whole things by name: ``<model>/input``, ``speech/characters``, ``acs/inbound_ms``.
What the table has no price for is named, never taken for free.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from shared.types import Json

Usage = Mapping[str, int]

LIST_PRICES: Mapping[str, Decimal] = {
    name: Decimal(price)
    for name, price in {
        "gpt-4o/input": "2.50",
        "gpt-4o/cached": "1.25",
        "gpt-4o/output": "10.00",
        "gpt-4o-mini/input": "0.15",
        "gpt-4o-mini/cached": "0.075",
        "gpt-4o-mini/output": "0.60",
        "gpt-4.1/input": "2.00",
        "gpt-4.1/cached": "0.50",
        "gpt-4.1/output": "8.00",
        "gpt-4.1-mini/input": "0.40",
        "gpt-4.1-mini/cached": "0.10",
        "gpt-4.1-mini/output": "1.60",
        "speech/characters": "15",
        "speech/listening_ms": "1",
        "acs/inbound_ms": "0.0085",
        "acs/outbound_ms": "0.0130",
        "functions/busy_ms": "0.000026",
    }.items()
}
"""US dollars, pay as you go, United States; see docs/observability.md for date and source."""

_PER = {
    "input": 10**6,  # a million tokens
    "cached": 10**6,
    "output": 10**6,
    "characters": 10**6,
    "listening_ms": 3_600_000,  # an hour
    "inbound_ms": 60_000,  # a minute
    "outbound_ms": 60_000,
    "busy_ms": 1_000,  # a gigabyte second, where the instance has one gigabyte
}
"""How many of each thing the price is for."""

_ITEM = {
    "input": "model_input",
    "cached": "model_input",
    "output": "model_output",
    "characters": "tts",
    "listening_ms": "stt",
    "inbound_ms": "acs",
    "outbound_ms": "acs",
    "busy_ms": "functions",
}
ITEMS = tuple(dict.fromkeys(_ITEM.values()))

_NANO = Decimal("0.000000001")


@dataclass(frozen=True, slots=True)
class Cost:
    """What a usage amounts to."""

    items: Mapping[str, Decimal]
    unpriced: tuple[str, ...] = ()
    """What was used and has no price."""

    @property
    def total(self) -> Decimal:
        """The sum of all items."""
        return sum(self.items.values(), Decimal())

    def as_json(self) -> Json:
        """Amounts as text with nine decimals: a JSON number would be a float somewhere."""
        return {
            "total": as_text(self.total),
            "items": {name: as_text(amount) for name, amount in self.items.items()},
            "unpriced": list(self.unpriced),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """The price table."""

    table: Mapping[str, Decimal] = field(default_factory=lambda: LIST_PRICES)
    currency: str = "USD"
    memory_mb: int = 2048
    """Of an instance of the app."""

    def cost_of(self, usage: Usage) -> Cost:
        """What *usage* costs, exactly."""
        items = {name: Decimal() for name in ITEMS}
        unpriced = []
        for name, count in usage.items():
            kind = name.rpartition("/")[2]
            price = self._price_of(name)
            if price is None or kind not in _PER:
                unpriced.append(name)
                continue
            amount = price * count / _PER[kind]
            if kind == "busy_ms":
                amount = amount * self.memory_mb / 1024
            items[_ITEM[kind]] += amount
        return Cost(items, tuple(sorted(unpriced)))

    def _price_of(self, name: str) -> Decimal | None:
        """The price of that name; of a model the one whose name its own begins with.

        ``gpt-4o-mini-2024-07-18`` is priced as ``gpt-4o-mini`` and not as ``gpt-4o``.
        """
        model, _, kind = name.lower().rpartition("/")
        named = [
            known
            for known in self.table
            if known.rpartition("/")[2] == kind and model.startswith(known.rpartition("/")[0])
        ]
        return self.table[max(named, key=len)] if named else None


def sum_of(usages: Iterable[Usage]) -> dict[str, int]:
    """Everything in *usages* together."""
    total: Counter[str] = Counter()
    for usage in usages:
        total.update(usage)
    return dict(total)


def cost_report(prices: Prices, total: Usage, turns: Mapping[int, Usage]) -> Json:
    """What a session cost: as a whole, and each turn; the whole has the line's minutes as well."""
    return {
        "currency": prices.currency,
        **prices.cost_of(total).as_json(),
        "usage": dict(total),
        "turns": [
            {"turn": turn, "usage": dict(usage), **prices.cost_of(usage).as_json()}
            for turn, usage in sorted(turns.items())
        ],
    }


def price(text: str) -> Decimal:
    """Read one price; raises ValueError if it is not a finite number from zero up."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        raise ValueError from None
    if not amount.is_finite() or amount < 0:
        raise ValueError
    return amount


def is_price_name(name: str) -> bool:
    """Whether a price of that name would ever be asked for."""
    owner, _, kind = name.rpartition("/")
    return bool(owner) and kind in _PER


def as_text(amount: Decimal) -> str:
    """An amount of money with nine decimals."""
    return f"{amount.quantize(_NANO):f}"
