"""How long one piece of a product lasts, from the days between a customer's purchases of it and the pieces of each.

Comes in: order lines. Goes out: days a piece by product, of those that are used up and bought again. Three pieces that
last 90 days are three times 30: the gap is divided by what was bought at its beginning, not at its end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.baskets import DAY, was_given_back
from shopify_upsell.matrix.lines import GUEST, OrderLines
from shopify_upsell.matrix.replenishment import PRIOR_GAPS, Replenishment
from shopify_upsell.matrix.timing_words import FEWEST_GAPS, REBUY_RATE

MOST_DAYS = 730.0
"""Beyond two years a second purchase is no rhythm. Source: our choice, the longest supply a merchant may state."""

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Gaps:
    """Successive purchases of one product by one customer.

    Shape: 1-d, one entry a gap. Units: product ids; `days_a_piece` days between the two orders by pieces of the first.
    """

    product_id: Integers
    days_a_piece: NDArray[np.float64]


def gaps_of(lines: OrderLines, *, now: int) -> Gaps:
    """Find the gaps up to `now`. Guests have none; a second order within a day is a forgotten item and adds pieces.

    Units: `now` in unix seconds.
    """
    kept = (lines.customer_id != GUEST) & (lines.quantity > 0) & (lines.ordered_at <= now)
    kept &= ~was_given_back(lines, now=now)
    customer, product = lines.customer_id[kept], lines.product_id[kept]
    day = lines.ordered_at[kept] / DAY
    order = np.lexsort((day, product, customer))
    customer, product, day, pieces = customer[order], product[order], day[order], lines.quantity[kept][order]
    is_same = (customer[1:] == customer[:-1]) & (product[1:] == product[:-1])
    is_forgotten = is_same & (np.diff(day) < 1.0)
    starts = np.flatnonzero(np.concatenate([np.ones(min(len(day), 1), dtype=bool), ~is_forgotten]))
    bought = np.add.reduceat(pieces, starts) if len(starts) else pieces
    customer, product, day = customer[starts], product[starts], day[starts]
    is_gap = (customer[1:] == customer[:-1]) & (product[1:] == product[:-1])
    return Gaps(product[1:][is_gap], np.diff(day)[is_gap] / bought[:-1][is_gap])


def learn_supply(
    lines: OrderLines, product_ids: Integers, rhythm: Replenishment, *, now: int
) -> dict[ProductId, float]:
    """Learn how many days one piece lasts, of products that are used up.

    A product is used up when enough of its buyers come back, by the same rule as in the words on timing.

    Shape: `product_ids` and the columns of `rhythm` are as long as each other.
    Units: days a piece, `now` in unix seconds. Products that nothing can be said of are absent.
    Source: geometric mean of the gaps with `PRIOR_GAPS` gaps of the shop's norm, so that one long pause does not count
    as ten short ones and few gaps say little.
    """
    gaps = gaps_of(lines, now=now)
    known = np.isin(gaps.product_id, product_ids)
    place = np.searchsorted(product_ids, gaps.product_id[known])
    logs = np.log(gaps.days_a_piece[known])
    count = np.bincount(place, minlength=len(product_ids))
    norm = float(logs.mean()) if len(logs) else 0.0
    middle = (np.bincount(place, logs, minlength=len(product_ids)) + PRIOR_GAPS * norm) / (count + PRIOR_GAPS)
    is_used_up = (count >= FEWEST_GAPS) & (rhythm.rebuy_rate >= REBUY_RATE) & (middle <= np.log(MOST_DAYS))
    return {ProductId(int(product_ids[at])): round(float(np.exp(middle[at])), 2) for at in np.flatnonzero(is_used_up)}
