"""Is a programme of lifecycle sends for this shop at all? Pure: counts come in, what speaks against it goes out.

Where hardly anybody comes back, or there are too few orders to learn a rhythm from, writing to customers costs goodwill
and proves nothing; bundles and thresholds serve such a shop better.
"""

from dataclasses import dataclass
from datetime import timedelta

LOOKED_BACK = timedelta(days=365)

FEWEST_ORDERS = 200
"""Booked orders of a year below which nothing is learned of pairs. Our choice: the least the matrix is tested with."""

FEWEST_REPEATERS_BASIS_POINTS = 500
"""Customers with a second order, of all. Our choice: below one in twenty there is no habit to speak to."""


@dataclass(frozen=True, slots=True)
class Trade:
    """A year of a shop. Units: booked orders; known customers; those of them with two orders or more."""

    order_count: int
    customer_count: int
    repeater_count: int


def speaks_against(trade: Trade) -> tuple[str, ...]:
    """Why the programme is not advised: `few_orders`, `few_repeaters`, both, or nothing."""
    found = []
    if trade.order_count < FEWEST_ORDERS:
        found.append("few_orders")
    if trade.repeater_count * 10_000 < trade.customer_count * FEWEST_REPEATERS_BASIS_POINTS or not trade.repeater_count:
        found.append("few_repeaters")
    return tuple(found)
