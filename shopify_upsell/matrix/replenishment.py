"""When a customer needs the same product again.

Comes in: baskets. Goes out: per product the usual days between two purchases by one customer, from gaps pulled towards
the shop's norm, and whether the product is bought again at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.baskets import DAY, Baskets
from shopify_upsell.matrix.lines import distinct

PRIOR_GAPS = 8.0
"""Gaps that the shop's norm is worth. Source: a pseudo-count; a product with 30 gaps is its own judge."""

REBUY_PRIOR = 10.0


@dataclass(frozen=True)
class Replenishment:
    """Rhythm per product position.

    Shape: 1-d, product_count long. Units: `interval_days` between purchases (geometric mean, so that one long pause
    does not count as ten short ones), 0 where nobody ever bought twice; `rebuy_rate` share of buyers with a second
    purchase, shrunk, 0 to 1; counts of gaps and of customers.
    """

    interval_days: NDArray[np.float64]
    early_days: NDArray[np.float64]
    late_days: NDArray[np.float64]
    rebuy_rate: NDArray[np.float64]
    gap_count: NDArray[np.int64]
    buyer_count: NDArray[np.int64]


def learn_replenishment(baskets: Baskets) -> Replenishment:
    """Measure the gaps between successive purchases of one product by one customer."""
    count = baskets.product_count
    customer = baskets.order_customer[baskets.entry_order]
    known = customer >= 0
    customer, product = customer[known], baskets.entry_product[known].astype(np.int64)
    day = baskets.order_time[baskets.entry_order[known]] / DAY
    order = np.lexsort((day, product, customer))
    customer, product, day = customer[order], product[order], day[order]
    is_same = (customer[1:] == customer[:-1]) & (product[1:] == product[:-1])
    # A second order on the same day is a forgotten item, not a rhythm.
    gap = np.diff(day)
    is_gap = is_same & (gap >= 1)
    is_first = np.concatenate([[True], ~is_same]) if len(product) else np.zeros(0, dtype=bool)
    buyers = np.bincount(product[is_first], minlength=count)
    pair = customer[1:][is_gap] * np.int64(max(count, 1)) + product[1:][is_gap]
    again = np.bincount(distinct(pair) % max(count, 1), minlength=count)
    return _summary(product[1:][is_gap], np.log(gap[is_gap]), buyers, again, count)


def _summary(
    product: NDArray[np.int64],
    log_gap: NDArray[np.float64],
    buyers: NDArray[np.int64],
    again: NDArray[np.int64],
    count: int,
) -> Replenishment:
    gaps = np.bincount(product, minlength=count)
    norm = float(log_gap.mean()) if len(log_gap) else 0.0
    norm_spread = float(log_gap.var()) if len(log_gap) else 1.0
    total = np.bincount(product, log_gap, minlength=count)
    middle = (total + PRIOR_GAPS * norm) / (gaps + PRIOR_GAPS)
    squares = np.bincount(product, (log_gap - middle[product]) ** 2, minlength=count)
    spread = np.sqrt((squares + PRIOR_GAPS * norm_spread) / (gaps + PRIOR_GAPS))
    rate = again.sum() / max(buyers.sum(), 1)
    has_gap = gaps > 0
    # One standard deviation either side holds the middle two thirds of log-normal gaps.
    return Replenishment(
        interval_days=np.where(has_gap, np.exp(middle), 0.0),
        early_days=np.where(has_gap, np.exp(middle - spread), 0.0),
        late_days=np.where(has_gap, np.exp(middle + spread), 0.0),
        rebuy_rate=(again + REBUY_PRIOR * rate) / (buyers + REBUY_PRIOR),
        gap_count=gaps.astype(np.int64),
        buyer_count=buyers.astype(np.int64),
    )
