"""When each order that was sold was in the shopper's hands: where waiting for the next purchase begins.

Comes in: order lines by order id, what is known of deliveries, what is usual. Goes out: one moment a line.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from shopify_upsell.ledger.delivered import OrderDelivery, UsualDelivery
from shopify_upsell.matrix.lines import Integers


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


def _reached(one: OrderDelivery, usual: UsualDelivery) -> int:
    if one.delivered_at is not None:
        return int(one.delivered_at.timestamp())
    if one.shipped_at is None:
        raise ValueError("neither shipped nor delivered")
    return int((one.shipped_at + usual.in_transit).timestamp())
