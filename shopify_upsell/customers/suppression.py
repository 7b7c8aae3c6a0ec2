"""A wish not to be shown something, and how long it is honoured.

Pure. In: a dismissal or a snooze with its moment. Out: a `Suppression`, and the one in force for a product.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from shopify_upsell.core import InvalidInput, ProductId

EVERY_PRODUCT = ProductId(0)
"""Stands for all products at once; Shopify counts its ids from 1."""

DISMISSED, SNOOZED = "dismissed", "snoozed"
REASONS = (DISMISSED, SNOOZED)

DISMISSAL = timedelta(days=30)
"""How long a dismissed product stays away. Source: our choice, the usual window of one buying rhythm: a month."""

SNOOZE_DAYS = (7, 30, 90)
"""What every card lets the shopper choose from. Source: product rule "Snooze 7/30/90 days on every card"."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """One shopper's wish about one product, or about `EVERY_PRODUCT`, in force before `until`."""

    subject: str
    product_id: ProductId
    reason: str
    until: datetime


def dismissal(subject: str, product_id: ProductId, *, now: datetime) -> Suppression:
    """Keep a dismissed product away for a month."""
    return Suppression(subject, product_id, DISMISSED, now + DISMISSAL)


def snooze(subject: str, product_id: ProductId, days: int, *, now: datetime) -> Suppression:
    """Keep a product, or every product, away for as long as the shopper chose.

    Raises: InvalidInput when the number of days is not one that the card offers.
    """
    if days not in SNOOZE_DAYS:
        raise InvalidInput("days must be 7, 30 or 90")
    return Suppression(subject, product_id, SNOOZED, now + timedelta(days=days))


def suppression_in_force(
    suppressions: Iterable[Suppression], product_id: ProductId, *, now: datetime
) -> Suppression | None:
    """Find what keeps this product away at this moment: of several wishes the one that lasts longest.

    The far end is excluded: at `until` the product may be shown again.
    """
    held = [wish for wish in suppressions if wish.product_id in (product_id, EVERY_PRODUCT) and now < wish.until]
    return max(held, key=lambda wish: (wish.until, wish.reason, wish.product_id, wish.subject), default=None)
