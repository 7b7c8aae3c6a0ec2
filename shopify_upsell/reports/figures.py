"""What customers own, add and come back for: exact counts over plain rows. Pure.

In: order lines as they are worth now, with what was returned taken off. Out: rates with their denominators, so that a
reader can do the division again. A number without a denominator is never shown; a window that is not over counts
nobody.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from shopify_upsell.money import Money
from shopify_upsell.reports.statement import Freshness

FRESH_SECONDS = 60
"""Seconds that reports may be behind the webhooks. Source: the project's target at 50 webhooks a second."""


@dataclass(frozen=True, slots=True)
class KeptLine:
    """One order line of a booked order, net of returns, edits and cancellations.

    Units: `ordered_on` a day in the shop's time zone; `kept_quantity` pieces not returned, 0 when all were;
    `net_minor_units` of one currency. `position` orders a customer's orders within a day.
    """

    customer_id: int
    order_id: int
    product_id: int
    ordered_on: date
    kept_quantity: int
    net_minor_units: int = 0
    position: int = 0


@dataclass(frozen=True, slots=True)
class AttachRate:
    """Who took the companion, of those who could, in what the caller grouped by. Shape: attached <= eligible."""

    anchor_id: int
    companion_id: int
    cohort: str
    eligible: int
    attached: int

    @property
    def rate(self) -> float | None:
        """Give the share, 0 to 1; None where nobody was eligible."""
        return self.attached / self.eligible if self.eligible else None


@dataclass(frozen=True, slots=True)
class Breadth:
    """How many different products customers own. Shape: `customers_by_count[k]` customers who own exactly k, k >= 1."""

    customers: int
    products: int
    customers_by_count: Mapping[int, int]

    @property
    def mean(self) -> float | None:
        """Give different products per owner; None where there are no owners."""
        return self.products / self.customers if self.customers else None


@dataclass(frozen=True, slots=True)
class AdditionalPurchases:
    """What buyers added after their first order.

    Units: `orders` further orders with anything kept; `products` different products that their first order did not
    hold; `repeat_buyers` buyers with a further order.
    """

    buyers: int
    repeat_buyers: int
    orders: int
    products: int

    @property
    def orders_per_buyer(self) -> float | None:
        """Give further orders per buyer; None where there are no buyers."""
        return self.orders / self.buyers if self.buyers else None

    @property
    def products_per_buyer(self) -> float | None:
        """Give further products per buyer; None where there are no buyers."""
        return self.products / self.buyers if self.buyers else None


@dataclass(frozen=True, slots=True)
class UpsellLine:
    """One credited order line, as it is worth now. Units: net of discounts and refunds, without tax."""

    group: str
    order_id: int
    currency: str
    net_minor_units: int


@dataclass(frozen=True, slots=True)
class UpsellValue:
    """What offers of one group sold, in one currency. Units: minor units; lines worth 0 by now count as lines."""

    group: str
    currency: str
    lines: int
    orders: int
    net_minor_units: int

    @property
    def per_order(self) -> float:
        """Give net revenue per order with an upsell. Units: minor units, unrounded."""
        return self.net_minor_units / self.orders


def by_month(day: date) -> str:
    """Name a day's month, for use as a cohort: "2026-11"."""
    return f"{day:%Y-%m}"


def attach_rates(
    lines: Iterable[KeptLine],
    pairs: Sequence[tuple[int, int]],
    *,
    window_days: int,
    today: date,
    cohort_of: Callable[[date], str] = by_month,
) -> list[AttachRate]:
    """Count, per pair and cohort, the customers who own the anchor and bought the companion within the window.

    Eligible: those whose first kept anchor was bought at least `window_days` before `today`, and who did not yet own
    the companion on an earlier day. Attached: those of them who bought and kept the companion from that day on, within
    `window_days`. A return takes either back.

    Shape: one entry per pair and cohort with anybody eligible, in the order of pairs, cohorts ascending.
    Units: `today` the last full day of data; cohorts are those of the first anchor's day.
    """
    firsts, days = _days_by_product(lines)
    found: list[AttachRate] = []
    for anchor, companion in pairs:
        eligible: Counter[str] = Counter()
        attached: Counter[str] = Counter()
        for customer, start in firsts.get(anchor, {}).items():
            bought = days.get((customer, companion), set())
            if start + timedelta(days=window_days) > today or any(day < start for day in bought):
                continue
            eligible[cohort_of(start)] += 1
            attached[cohort_of(start)] += any((day - start).days <= window_days for day in bought)
        found += [AttachRate(anchor, companion, name, eligible[name], attached[name]) for name in sorted(eligible)]
    return found


def _days_by_product(
    lines: Iterable[KeptLine],
) -> tuple[dict[int, dict[int, date]], dict[tuple[int, int], set[date]]]:
    """Give, of what was kept, each product's first day per customer, and all days per customer and product."""
    firsts: dict[int, dict[int, date]] = defaultdict(dict)
    days: dict[tuple[int, int], set[date]] = defaultdict(set)
    for line in lines:
        if line.kept_quantity > 0:
            days[line.customer_id, line.product_id].add(line.ordered_on)
            first = firsts[line.product_id].get(line.customer_id, line.ordered_on)
            firsts[line.product_id][line.customer_id] = min(first, line.ordered_on)
    return firsts, days


def order_attach_rates(lines: Iterable[KeptLine], pairs: Sequence[tuple[int, int]]) -> list[AttachRate]:
    """Count orders with anchor and companion among orders with the anchor, of what was kept. Cohort: all ("")."""
    products: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        if line.kept_quantity > 0:
            products[line.order_id].add(line.product_id)
    baskets = list(products.values())
    return [
        AttachRate(
            anchor,
            companion,
            "",
            sum(anchor in basket for basket in baskets),
            sum(anchor in basket and companion in basket for basket in baskets),
        )
        for anchor, companion in pairs
    ]


def breadth_of_products(lines: Iterable[KeptLine]) -> Breadth:
    """Count the different products each customer owns; who returned everything owns nothing and is no owner."""
    owned: dict[int, set[int]] = defaultdict(set)
    for line in lines:
        if line.kept_quantity > 0:
            owned[line.customer_id].add(line.product_id)
    sizes = Counter(len(products) for products in owned.values())
    return Breadth(len(owned), sum(size * count for size, count in sizes.items()), dict(sorted(sizes.items())))


def additional_purchases(lines: Iterable[KeptLine]) -> AdditionalPurchases:
    """Count what buyers added after their first order: further orders, and products new to them."""
    orders: dict[int, dict[tuple[date, int, int], set[int]]] = defaultdict(lambda: defaultdict(set))
    for line in lines:
        if line.kept_quantity > 0:
            order = (line.ordered_on, line.position, line.order_id)
            orders[line.customer_id][order].add(line.product_id)
    further, products, repeaters = 0, 0, 0
    for baskets in orders.values():
        first, *later = [baskets[order] for order in sorted(baskets)]
        further += len(later)
        repeaters += bool(later)
        products += len(set().union(*later) - first)
    return AdditionalPurchases(len(orders), repeaters, further, products)


def upsell_values(lines: Iterable[UpsellLine]) -> list[UpsellValue]:
    """Sum credited lines by group (an offer, a surface) and currency; currencies are never added. Shape: sorted."""
    parts: dict[tuple[str, str], list[UpsellLine]] = defaultdict(list)
    for line in lines:
        parts[line.group, line.currency].append(line)
    return [
        UpsellValue(
            group,
            currency,
            len(found),
            len({line.order_id for line in found}),
            sum(line.net_minor_units for line in found),
        )
        for (group, currency), found in sorted(parts.items())
    ]


def is_fresh(freshness: Freshness, *, within_seconds: int = FRESH_SECONDS) -> bool:
    """Tell whether numbers are current: nothing waits, or the newest delivery handled is recent enough."""
    if not freshness.waiting_events:
        return True
    newest = freshness.newest_event_at
    return newest is not None and (freshness.as_of - newest).total_seconds() <= within_seconds


def freshness_stamp(freshness: Freshness) -> str:
    """Say under a report how current it is."""
    as_of = f"As of {freshness.as_of:%Y-%m-%d %H:%M:%S} UTC"
    waiting = freshness.waiting_events
    if not waiting:
        return f"{as_of}. Everything that Shopify sent is in."
    newest = freshness.newest_event_at
    behind = (
        f"{max(0, round((freshness.as_of - newest).total_seconds()))} seconds behind" if newest else "nothing yet in"
    )
    return f"{as_of}. {waiting} {'delivery waits' if waiting == 1 else 'deliveries wait'}, {behind}."


def as_amount(minor_units: float, currency: str) -> str:
    """Write a mean amount, rounded to the currency's own digits, half to even."""
    return f"{Money(round(minor_units), currency).to_decimal_string()} {currency}"
