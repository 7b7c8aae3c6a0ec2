"""How much a product sells, and sells to new owners, lately.

Comes in: baskets and first purchases. Goes out: smoothed rates per product. Every rate is pulled a little towards the
product's longer past, so that a quiet month does not make it unsellable.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.baskets import DAY, Baskets
from shopify_upsell.matrix.firsts import FirstPurchases

Rates = NDArray[np.float64]

PRIOR_ORDERS = 20
"""Orders of the whole past that are mixed into a recent window. Source: a pseudo-count; any of 5 to 50 ranks alike on
the earlier folds.
"""

RECENT_DAYS, SEASON_DAYS = 28, 90


@dataclass(frozen=True)
class Popularity:
    """Rates per product, each above zero.

    Units: `overall`, `recent` and `season` are shares of orders holding the product, ever, in the last 28 and 90 days;
    `newly_owned_*` are the share of those who did not own it that bought it in the window.
    """

    overall: Rates
    recent: Rates
    season: Rates
    newly_owned_recent: Rates
    newly_owned_season: Rates


def popularity_of(baskets: Baskets, firsts: FirstPurchases, *, now: int) -> Popularity:
    """Measure the rates as of `now` (unix seconds)."""
    orders = max(baskets.order_count, 1)
    overall = (baskets.orders_per_product() + 0.5) / (orders + 1)
    return Popularity(
        overall=overall,
        recent=_window_rate(baskets, overall, now=now, days=RECENT_DAYS),
        season=_window_rate(baskets, overall, now=now, days=SEASON_DAYS),
        newly_owned_recent=_newly_owned(firsts, now=now, days=RECENT_DAYS),
        newly_owned_season=_newly_owned(firsts, now=now, days=SEASON_DAYS),
    )


def _window_rate(baskets: Baskets, overall: Rates, *, now: int, days: int) -> Rates:
    window = baskets.between(now - days * DAY, now + 1)
    held = window.orders_per_product() + PRIOR_ORDERS * overall
    return held / (window.order_count + PRIOR_ORDERS)


def _newly_owned(firsts: FirstPurchases, *, now: int, days: int) -> Rates:
    is_recent = firsts.time >= now - days * DAY
    gained = np.bincount(firsts.product[is_recent], minlength=firsts.product_count)
    owned_before = np.bincount(firsts.product[~is_recent], minlength=firsts.product_count)
    could_buy = np.maximum(firsts.buyer_count() - owned_before, 0)
    return np.asarray((gained + 1.0) / (could_buy + PRIOR_ORDERS), dtype=np.float64)
