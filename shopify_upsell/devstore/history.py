"""Twelve months of orders with the planted truth inside.

Pure: products, seed, count and `now` decide every byte. Nothing here reads a clock.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from shopify_upsell.devstore import planting
from shopify_upsell.devstore.catalogue import DISCONTINUED, OUT_OF_STOCK, Product, Variant
from shopify_upsell.devstore.orders import Order, OrderLine, Refund, RefundLine

ORDER_BASE = 5_600_000_000_000
LINE_BASE = 14_300_000_000_000
REFUND_BASE = 900_000_000_000
CUSTOMER_BASE = 7_000_000_000_000
HISTORY_DAYS = 365
SIZE_WEIGHTS = (0.6, 0.3, 0.1)


@dataclass(slots=True)
class _Draft:
    """An order before it has an id: when, whose, what."""

    ordered_at: datetime
    customer: int | None
    basket: list[int] = field(default_factory=list)


class _Shoppers:
    """Draws baskets; remembers what each customer owns, so that the never-pairs and durables hold for life."""

    def __init__(self, products: tuple[Product, ...], seed: int, order_count: int, now: datetime) -> None:
        self.random = Random(seed)  # noqa: S311 - a repeatable draw is the point
        self.now = now
        self.start = now - timedelta(days=HISTORY_DAYS)
        self.customer_count = max(1, int(order_count * 0.45))
        self.owned: dict[int, set[int]] = {}
        at = {product.title: number for number, product in enumerate(products)}
        self.products = products
        self.pairs: dict[int, list[tuple[int, float]]] = {}
        for pair in planting.PAIRS:
            self.pairs.setdefault(at[pair.anchor], []).append((at[pair.companion], pair.rate))
        self.sequences = {at[row.first]: (at[row.then], row) for row in planting.SEQUENCES}
        self.bestseller = at[planting.BESTSELLER]
        self.discontinued = at[DISCONTINUED]
        self.enemies: dict[int, set[int]] = {}
        for first, second in planting.NEVER_EXPANDING:
            self.enemies.setdefault(at[first], set()).add(at[second])
            self.enemies.setdefault(at[second], set()).add(at[first])
        self.weights = self._weights(at)

    def _weights(self, at: dict[str, int]) -> list[float]:
        """How likely each product is to start a basket: anchors of planted truth often, companions seldom."""
        weights = [0.35 if product.is_durable else 1.0 for product in self.products]
        for anchor in {*self.pairs, *self.sequences}:
            weights[anchor] = 2.4
        for companion in {companion for taken in self.pairs.values() for companion, _ in taken} - set(self.pairs):
            weights[companion] = 0.3
        # These two enter baskets by their own rule, or not at all.
        weights[self.bestseller] = weights[at[OUT_OF_STOCK]] = 0.0
        return weights

    def draft(self) -> list[_Draft]:
        """Draw one visit, and the later visits that it leads to."""
        # The square root makes the shop grow: twice as many orders at the end as in the middle of the first quarter.
        share = (0.15 + 0.85 * self.random.random()) if self.random.random() < 0.5 else self.random.random()
        when = self.start + timedelta(seconds=int(share * HISTORY_DAYS * 86_400))
        is_guest = self.random.random() < planting.GUEST_RATE
        customer = None if is_guest else int(self.random.random() * self.customer_count)
        visit = _Draft(when, customer)
        for _ in range(1 + (self.random.random() < 0.45) + (self.random.random() < 0.15)):
            self._take(visit, self.random.choices(range(len(self.products)), self.weights)[0])
        return self._finish(visit)

    def _finish(self, visit: _Draft) -> list[_Draft]:
        """Add what goes with the basket, the bestseller at its own rate, and the visits that follow from it."""
        for anchor in list(visit.basket):
            for companion, rate in self.pairs.get(anchor, ()):
                if self.random.random() < rate:
                    self._take(visit, companion)
        if self.random.random() < planting.BESTSELLER_RATE:
            self._take(visit, self.bestseller)
        later = [follow for anchor in visit.basket for follow in self._come_back(visit, anchor)]
        return [visit, *later] if visit.basket else later

    def _come_back(self, visit: _Draft, anchor: int) -> list[_Draft]:
        if visit.customer is None or anchor not in self.sequences:
            return []
        then, row = self.sequences[anchor]
        if self.random.random() >= row.rate:
            return []
        days = row.peak_days * self.random.lognormvariate(0, 0.18)
        follow = _Draft(visit.ordered_at + timedelta(seconds=int(days * 86_400)), visit.customer)
        if follow.ordered_at >= self.now:
            return []
        self._take(follow, then)
        return [follow] if follow.basket else []

    def _take(self, visit: _Draft, product: int) -> None:
        owned = self.owned.setdefault(visit.customer, set()) if visit.customer is not None else set()
        is_forbidden = bool(self.enemies.get(product, set()) & (owned | set(visit.basket)))
        is_owned_for_good = self.products[product].is_durable and product in owned
        last_day = self.now - timedelta(days=planting.DISCONTINUED_DAYS)
        is_gone = product == self.discontinued and visit.ordered_at >= last_day
        if product in visit.basket or is_forbidden or is_owned_for_good or is_gone:
            return
        visit.basket.append(product)
        owned.add(product)


def make_history(
    products: tuple[Product, ...], *, seed: int, order_count: int, now: datetime, currency: str
) -> list[Order]:
    """Draw the orders, oldest first, with their refunds, cancellations and late arrivals."""
    shoppers = _Shoppers(products, seed, order_count, now)
    drafts: list[_Draft] = []
    while len(drafts) < order_count:
        drafts += shoppers.draft()
    drafts = sorted(drafts[:order_count], key=lambda draft: draft.ordered_at)
    fates = Random(seed + 1)  # noqa: S311 - a repeatable draw is the point
    orders = []
    line_id = LINE_BASE
    for number, draft in enumerate(drafts, start=1):
        order = _order(draft, number, line_id, products, fates, currency)
        line_id += len(order.lines)
        _meet_fate(order, number, fates, now)
        orders.append(order)
    return orders


def _order(
    draft: _Draft, number: int, line_id: int, products: tuple[Product, ...], fates: Random, currency: str
) -> Order:
    lines = []
    for offset, product_at in enumerate(draft.basket, start=1):
        product = products[product_at]
        variant = fates.choices(product.variants, SIZE_WEIGHTS[: len(product.variants)])[0]
        quantity = 2 if not product.is_durable and fates.random() < 0.1 else 1
        lines.append(line_of(line_id + offset, product, variant, quantity))
    return Order(
        order_id=ORDER_BASE + number,
        number=1000 + number,
        customer_id=None if draft.customer is None else CUSTOMER_BASE + 1 + draft.customer,
        currency=currency,
        ordered_at=draft.ordered_at,
        updated_at=draft.ordered_at,
        arrived_at=draft.ordered_at,
        lines=lines,
    )


def line_of(line_id: int, product: Product, variant: Variant, quantity: int) -> OrderLine:
    """Write an order line for a variant at its present price."""
    return OrderLine(
        line_id=line_id,
        product_id=product.product_id,
        variant_id=variant.variant_id,
        title=product.title,
        variant_title="" if variant.title == "Default Title" else variant.title,
        sku=variant.sku,
        vendor=product.vendor,
        quantity=quantity,
        unit_price=variant.price,
    )


def _meet_fate(order: Order, number: int, fates: Random, now: datetime) -> None:
    """Let a few orders be cancelled, given back in part, or arrive up to a day late."""
    if fates.random() < planting.CANCEL_RATE:
        order.cancelled_at = order.updated_at = min(now, order.ordered_at + timedelta(hours=3))
        order.is_paid = False
        return
    if fates.random() < planting.LATE_RATE:
        order.arrived_at = order.ordered_at + timedelta(minutes=30 + int(fates.random() * 1380))
    for line in order.lines:
        is_prone = line.title == planting.REFUND_PRONE
        if fates.random() < (planting.REFUND_PRONE_RATE if is_prone else planting.REFUND_RATE):
            _give_back(order, line, REFUND_BASE + 10 * number, fates, now)


def _give_back(order: Order, line: OrderLine, refund_base: int, fates: Random, now: datetime) -> None:
    when = order.ordered_at + timedelta(days=2 + int(fates.random() * 20))
    if when >= now:
        return
    refund_id = refund_base + len(order.refunds)
    subtotal = line.value_of(line.quantity)
    order.refunds.append(Refund(refund_id, when, [RefundLine(refund_id, line.line_id, line.quantity, subtotal)]))
    line.refunded_quantity, line.refunded_amount = line.quantity, subtotal
    order.updated_at = max(order.updated_at, when)
