"""Order lines laid out as baskets: which products were in which order, when, and whose.

Comes in: checked lines and the moment to look from. Goes out: orders in order of time and a sparse table of orders by
products. The layout depends on the content of the lines only, never on the order they came in.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.lines import GUEST, NOT_YET, Integers, OrderLines, distinct

LARGEST_BASKET = 100
"""Distinct products of one order that count. Cost follows the square of the basket, and an order of hundreds of
products is a wholesaler's, which says little of what goes with what. Source: reference `matrix.md`, part 5.
"""

DAY = 86_400


@dataclass(frozen=True)
class Baskets:
    """Orders by time, and the distinct products of each.

    Shape: `order_*` have one entry per order, ascending by (time, id). `entry_order` and `entry_product` have one entry
    per distinct (order, product), ascending; both hold positions, not ids.
    Units: `order_time` and `order_arrived` (delivery, never before the order) in unix seconds; `order_customer` is a
    position in `customer_ids`, -1 for a guest.
    """

    product_ids: Integers
    customer_ids: Integers
    order_ids: Integers
    order_time: Integers
    order_arrived: Integers
    order_customer: Integers
    entry_order: NDArray[np.int32]
    entry_product: NDArray[np.int32]

    @property
    def product_count(self) -> int:
        """Count the products, bought or only listed."""
        return len(self.product_ids)

    @property
    def order_count(self) -> int:
        """Count the orders."""
        return len(self.order_ids)

    def orders_per_product(self) -> Integers:
        """Count the orders that hold each product."""
        return np.bincount(self.entry_product, minlength=self.product_count).astype(np.int64)

    def table(self, order_weight: NDArray[np.float32] | None = None) -> sparse.csr_matrix:
        """Lay the baskets out as a sparse table of orders by products.

        Shape: order_count x product_count, float32; an entry is its order's weight, 1 by default.
        """
        starts = np.searchsorted(self.entry_order, np.arange(self.order_count + 1))
        weights = np.ones(self.order_count, np.float32) if order_weight is None else order_weight
        values = weights[self.entry_order]
        shape = (self.order_count, self.product_count)
        return sparse.csr_matrix((values, self.entry_product, starts.astype(np.int32)), shape=shape)

    def between(self, start: int, end: int) -> Baskets:
        """Keep the orders with start <= time < end; products and customers keep their positions."""
        first, last = (int(np.searchsorted(self.order_time, edge)) for edge in (start, end))
        low, high = (int(np.searchsorted(self.entry_order, edge)) for edge in (first, max(first, last)))
        return replace(
            self,
            order_ids=self.order_ids[first:last],
            order_time=self.order_time[first:last],
            order_arrived=self.order_arrived[first:last],
            order_customer=self.order_customer[first:last],
            entry_order=self.entry_order[low:high] - np.int32(first),
            entry_product=self.entry_product[low:high],
        )

    def only(self, products: Integers) -> Baskets:
        """Keep only the products at these ascending positions, which become positions 0, 1, 2 …; orders stay."""
        place = np.full(self.product_count, -1, dtype=np.int64)
        place[products] = np.arange(len(products))
        kept = place[self.entry_product] >= 0
        return replace(
            self,
            product_ids=self.product_ids[products],
            entry_order=self.entry_order[kept],
            entry_product=place[self.entry_product[kept]].astype(np.int32),
        )


def baskets_from_lines(lines: OrderLines, *, now: int, listed: Integers | None = None) -> Baskets:
    """Arrange the lines up to `now` as baskets; what is not there, was given back or lies ahead is left out.

    Shape: products are the sorted union of those bought and those `listed`.
    Units: `now` in unix seconds.
    """
    kept = (lines.ordered_at <= now) & (lines.quantity > 0) & ~was_given_back(lines, now=now)
    product_ids, product = np.unique(lines.product_id[kept], return_inverse=True)
    if listed is not None:
        bought, product_ids = product_ids, np.union1d(product_ids, listed)
        product = np.searchsorted(product_ids, bought)[product]
    orders, order = _orders(lines, kept)
    customer = orders.customer
    customer_ids, order_customer = np.unique(customer, return_inverse=True)
    if len(customer_ids) and customer_ids[0] == GUEST:
        customer_ids, order_customer = customer_ids[1:], order_customer - 1
    # One sort of one combined key does the work of sorting and of removing repeats.
    key = distinct(order * np.int64(max(len(product_ids), 1)) + product.reshape(-1))
    entry_order, entry_product = np.divmod(key, np.int64(max(len(product_ids), 1)))
    baskets = Baskets(
        product_ids=product_ids,
        customer_ids=customer_ids,
        order_ids=orders.ids,
        order_time=orders.time,
        order_arrived=orders.arrived,
        order_customer=order_customer.reshape(-1).astype(np.int64),
        entry_order=entry_order.astype(np.int32),
        entry_product=entry_product.astype(np.int32),
    )
    return _capped(baskets)


def was_given_back(lines: OrderLines, *, now: int) -> NDArray[np.bool_]:
    """Mark the lines that were wholly given back by `now`. Units: `now` in unix seconds."""
    return np.asarray((lines.refunded_at > NOT_YET) & (lines.refunded_at <= now))


@dataclass(frozen=True)
class _Orders:
    """Orders ascending by (time, id)."""

    ids: Integers
    time: Integers
    arrived: Integers
    customer: Integers


def _orders(lines: OrderLines, kept: NDArray[np.bool_]) -> tuple[_Orders, Integers]:
    """Number the orders by (time, id); give them, and each line's order number.

    Lines of one order that disagree count with the earliest time, the latest arrival and the greatest customer id.
    """
    ids, order = np.unique(lines.order_id[kept], return_inverse=True)
    order = order.reshape(-1)
    time = np.full(len(ids), np.iinfo(np.int64).max, dtype=np.int64)
    np.minimum.at(time, order, lines.ordered_at[kept])
    arrived = time.copy()
    if lines.delivered_at is not lines.ordered_at:
        np.maximum.at(arrived, order, lines.delivered_at[kept])
    customer = np.full(len(ids), GUEST, dtype=np.int64)
    np.maximum.at(customer, order, lines.customer_id[kept])
    by_time = np.lexsort((ids, time))
    rank = np.empty(len(ids), dtype=np.int64)
    rank[by_time] = np.arange(len(ids))
    return _Orders(ids[by_time], time[by_time], arrived[by_time], customer[by_time]), rank[order]


def _capped(baskets: Baskets) -> Baskets:
    """Keep the most-bought products of an oversized order, so that the cut does not depend on line order."""
    sizes = np.bincount(baskets.entry_order, minlength=baskets.order_count)
    if not len(sizes) or int(sizes.max()) <= LARGEST_BASKET:
        return baskets
    popularity = baskets.orders_per_product()[baskets.entry_product]
    ranked = np.lexsort((baskets.entry_product, -popularity, baskets.entry_order))
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    within = np.arange(len(ranked)) - np.repeat(starts, sizes)
    kept = np.sort(ranked[within < LARGEST_BASKET])
    return replace(baskets, entry_order=baskets.entry_order[kept], entry_product=baskets.entry_product[kept])
