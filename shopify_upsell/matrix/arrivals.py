"""When each order was in the shopper's hands, where waiting for the next purchase begins, and where an opt-out ends it.

Comes in: order lines by order id, what is known of deliveries, what is usual, opt-outs. Goes out: one moment a line.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shopify_upsell.ledger.delivered import OrderDelivery, UsualDelivery
from shopify_upsell.matrix.lines import NOT_YET, Integers


def arrivals(
    order_id: Integers, ordered_at: Integers, deliveries: Iterable[OrderDelivery], usual: UsualDelivery
) -> Integers:
    """Give the arrival of each line's order: known, else shipping and the usual transit, else ordering and the whole.

    The same rule as `ledger.delivered.delivered_at`, by which offers are judged.

    Shape: 1-d columns of one length in, one alike out; `deliveries` in any order, one an order.
    Units: unix seconds.
    """
    known = sorted((one.order_id, _reached(one, usual)) for one in deliveries if one.shipped_at or one.delivered_at)
    found = ordered_at + round(usual.altogether.total_seconds())
    if not known:
        return found
    table = np.array(known, dtype=np.int64)
    place = np.minimum(np.searchsorted(table[:, 0], order_id), len(table) - 1)
    return np.where(table[place, 0] == order_id, table[place, 1], found)


def first_after(customer_id: Integers, ordered_at: Integers, told: Iterable[tuple[int, int]]) -> Integers:
    """Give the first moment told of each line's customer after the order, NOT_YET where there is none.

    Shape: 1-d columns of one length in, one alike out; `told` pairs of customer id and moment, in any order.
    Units: unix seconds.
    """
    table = np.array(sorted(told), dtype=np.int64).reshape(-1, 2)
    if not len(table):
        return np.full(len(customer_id), NOT_YET, dtype=np.int64)
    # One number for customer and moment: ranks of customers, and moments within the span of all of them.
    ids, rank = np.unique(table[:, 0], return_inverse=True)
    least = int(min(table[:, 1].min(), ordered_at.min(initial=0)))
    span = np.int64(max(int(table[:, 1].max()), int(ordered_at.max(initial=0))) - least + 2)
    keys = rank.reshape(-1) * span + table[:, 1] - least
    mine = np.minimum(np.searchsorted(ids, customer_id), len(ids) - 1)
    spot = np.searchsorted(keys, mine * span + ordered_at - least, side="right")
    inside = np.minimum(spot, len(keys) - 1)
    is_told = (ids[mine] == customer_id) & (spot < len(keys)) & (table[inside, 0] == customer_id)
    return np.where(is_told, table[inside, 1], NOT_YET)


def _reached(one: OrderDelivery, usual: UsualDelivery) -> int:
    if one.delivered_at is not None:
        return int(one.delivered_at.timestamp())
    if one.shipped_at is None:
        raise ValueError("neither shipped nor delivered")
    return int((one.shipped_at + usual.in_transit).timestamp())
