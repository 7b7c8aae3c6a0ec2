"""How waiting ends otherwise than by buying: the first product is given back, or the customer opts out.

Comes in: order lines with the times of both. Goes out: for every first purchase until when its owner waited, with what
was given back among them. Without this, somebody who returned the first product would count as an owner who did not
come back, and a pair whose first half is often returned would look as if it did not follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from shopify_upsell.matrix.baskets import Baskets, was_given_back
from shopify_upsell.matrix.firsts import NEVER, FirstPurchases, first_purchases, orders_of_firsts
from shopify_upsell.matrix.lines import GUEST, Integers, OrderLines


@dataclass(frozen=True)
class Endings:
    """Endings by the moment of learning.

    Shape: `opted_out` one entry an order of the baskets; the others one an entry that was given back, in any order.
    `product` are positions in the baskets' products, `customer_id` are ids.
    Units: unix seconds, NEVER where it has not happened.
    """

    opted_out: Integers
    customer_id: Integers
    product: Integers
    time: Integers
    arrived: Integers
    until: Integers


def endings_of(lines: OrderLines, baskets: Baskets, *, now: int) -> Endings | None:
    """Read the endings off the lines; None where there are none.

    Units: `now` in unix seconds; what happened after it is not known yet.
    """
    if not lines.has_endings:
        return None
    # Who orders after an opt-out waits like anybody: only what comes while they wait ends it.
    is_told = (lines.opted_out_at > lines.ordered_at) & (lines.opted_out_at <= now)
    told = np.where(is_told, lines.opted_out_at, NEVER)
    place = np.searchsorted(baskets.product_ids, lines.product_id)
    is_known = np.append(baskets.product_ids, -1)[place] == lines.product_id
    is_back = was_given_back(lines, now=now) & (lines.ordered_at <= now) & (lines.customer_id != GUEST) & is_known
    return Endings(
        opted_out=_by_order(lines.order_id, told, baskets.order_ids),
        customer_id=lines.customer_id[is_back],
        product=place[is_back],
        time=lines.ordered_at[is_back],
        arrived=np.maximum(lines.delivered_at[is_back], lines.ordered_at[is_back]),
        until=np.minimum(lines.refunded_at[is_back], told[is_back]),
    )


def _by_order(order_id: Integers, told: Integers, order_ids: Integers) -> Integers:
    """Give each of the orders the earliest time that one of its lines tells. `order_ids` are in any order."""
    by_id = np.argsort(order_ids, kind="stable")
    ascending = np.append(order_ids[by_id], -1)
    spot = np.searchsorted(ascending[:-1], order_id)
    is_known = ascending[spot] == order_id
    earliest = np.full(len(order_ids) + 1, NEVER, dtype=np.int64)
    np.minimum.at(earliest, np.where(is_known, np.append(by_id, 0)[spot], len(order_ids)), told)
    return earliest[:-1]


def waiting_starts(baskets: Baskets, endings: Endings | None) -> FirstPurchases:
    """Give the first purchases with their endings, and those that were given back and never bought again.

    Who bought a product, gave it back and bought it again is counted from the one they kept. A customer of whom
    nothing is left gets a position behind the baskets' own.
    """
    kept = first_purchases(baskets)
    if endings is None:
        return kept
    kept = replace(kept, until=endings.opted_out[orders_of_firsts(baskets, kept)])
    back, customer_count = _given_back(endings, baskets, kept)
    columns = {
        name: np.concatenate([getattr(kept, name), getattr(back, name)])
        for name in ("customer", "product", "time", "arrived", "until", "is_kept")
    }
    order = np.lexsort((columns["product"], columns["time"], columns["customer"]))
    ordered = {name: column[order] for name, column in columns.items()}
    return FirstPurchases(**ordered, customer_count=customer_count, product_count=baskets.product_count)


def _given_back(endings: Endings, baskets: Baskets, kept: FirstPurchases) -> tuple[FirstPurchases, int]:
    """Number the customers of what was given back; leave out what they own all the same, and later returns."""
    strangers = np.setdiff1d(endings.customer_id, baskets.customer_ids)
    known = np.append(baskets.customer_ids, -1)
    at = np.searchsorted(baskets.customer_ids, endings.customer_id)
    behind = len(baskets.customer_ids) + np.searchsorted(strangers, endings.customer_id)
    customer = np.where(known[at] == endings.customer_id, at, behind)
    count = np.int64(max(baskets.product_count, 1))
    key = customer * count + endings.product
    order = np.lexsort((endings.until, endings.arrived, endings.time, key))
    first = order[np.unique(key[order], return_index=True)[1]]
    first = first[~np.isin(key[first], kept.customer * count + kept.product)]
    customer_count = len(baskets.customer_ids) + len(strangers)
    columns = (customer[first], endings.product[first], endings.time[first], endings.arrived[first])
    back = FirstPurchases(
        *columns,
        customer_count,
        baskets.product_count,
        until=endings.until[first],
        is_kept=np.zeros(len(first), dtype=bool),
    )
    return back, customer_count
