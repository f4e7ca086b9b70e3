"""What a call cost, in one line."""

from decimal import Decimal
from typing import Any


def bill(cost: dict[str, Any]) -> str:
    """The total, what it is made of, and what was used: of ``cost`` as the app tells it."""
    items = ", ".join(
        f"{name.replace('_', ' ')} {Decimal(amount):.6f}"
        for name, amount in cost["items"].items()
        if Decimal(amount)
    )
    usage = cost["usage"]

    def used(kind: str) -> int:
        return sum(count for name, count in usage.items() if name.endswith(f"/{kind}"))

    seconds = (used("inbound_ms") + used("outbound_ms")) / 1000
    unpriced = f"; without a price: {', '.join(cost['unpriced'])}" if cost["unpriced"] else ""
    return (
        f"cost      {cost['currency']} {Decimal(cost['total']):.6f} = {items}\n"
        f"          {used('input')} tokens read and {used('cached')} from the cache,"
        f" {used('output')} written, {used('characters')} characters spoken,"
        f" {used('listening_ms') / 1000:.1f} s listened, {seconds:.1f} s on the line{unpriced}"
    )
