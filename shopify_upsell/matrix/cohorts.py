"""Cohorts: of those who first bought the anchor, the share who later bought the target, by tenure.

Comes in: first purchases. Goes out: per tenure the customers watched long enough, those who bought, the share and its
interval. Only customers watched for the whole tenure count, so that plain SQL gives the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from shopify_upsell.matrix.baskets import DAY, baskets_from_lines
from shopify_upsell.matrix.firsts import FirstPurchases, first_purchases
from shopify_upsell.matrix.lines import OrderLines
from shopify_upsell.matrix.survival import BOUGHT, CENSORED, IncidenceCurve, cumulative_incidence

TENURES_DAYS = (30, 60, 90, 180, 270, 365)


@dataclass(frozen=True)
class CohortShare:
    """One row of the cohort explorer. Units: days, customers, shares 0 to 1."""

    tenure_days: int
    customer_count: int
    bought_count: int
    share: float
    low: float
    high: float


def cohort_shares(
    firsts: FirstPurchases,
    anchor: int,
    target: int,
    *,
    now: int,
    tenures_days: tuple[int, ...] = TENURES_DAYS,
) -> list[CohortShare]:
    """Count, per tenure, who bought the target after the anchor and within the tenure.

    A customer belongs if the anchor was first bought at least the tenure before `now`, and the target was not owned by
    then (nor bought at that very moment). Tenures that nobody has reached are left out.

    Units: `now` in unix seconds.
    """
    watched, gap = _watched_and_gap(firsts, anchor, target, now=now)
    rows = []
    for tenure in tenures_days:
        is_watched = watched >= tenure * DAY
        customers = int(is_watched.sum())
        if customers:
            bought = int((is_watched & (gap > 0) & (gap <= tenure * DAY)).sum())
            low, high = wilson_interval(bought, customers)
            rows.append(CohortShare(tenure, customers, bought, bought / customers, low, high))
    return rows


def shares_of_products(
    lines: OrderLines, anchor_id: int, target_id: int, *, now: int, tenures_days: tuple[int, ...] = TENURES_DAYS
) -> list[CohortShare]:
    """Do the same for product ids, straight from order lines; empty if one of the two never sold to a customer."""
    baskets = baskets_from_lines(lines, now=now)
    ids = baskets.product_ids
    places = [int(place) for place in np.searchsorted(ids, [anchor_id, target_id])]
    if any(place >= len(ids) for place in places) or [*ids[places]] != [anchor_id, target_id]:
        return []
    return cohort_shares(first_purchases(baskets), *places, now=now, tenures_days=tenures_days)


def cohort_curve(firsts: FirstPurchases, anchor: int, target: int, *, now: int) -> IncidenceCurve:
    """Estimate the same share by each day from all customers, those still watched included."""
    watched, gap = _watched_and_gap(firsts, anchor, target, now=now)
    has_bought = gap > 0
    days = np.where(has_bought, gap, watched) / DAY
    return cumulative_incidence(days, np.where(has_bought, BOUGHT, CENSORED))


def _watched_and_gap(
    firsts: FirstPurchases, anchor: int, target: int, *, now: int
) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Give, per customer of the cohort, seconds watched and seconds to the target (0 if never)."""
    never = np.iinfo(np.int64).max
    anchor_time, target_time = np.full(firsts.customer_count, never), np.full(firsts.customer_count, never)
    for times, product in ((anchor_time, anchor), (target_time, target)):
        is_it = firsts.product == product
        times[firsts.customer[is_it]] = firsts.time[is_it]
    belongs = (anchor_time < never) & (target_time > anchor_time)
    gap = np.where(target_time[belongs] < never, target_time[belongs] - anchor_time[belongs], 0)
    return now - anchor_time[belongs], gap


def wilson_interval(successes: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Bound a share from its counts; sane at 0, at 1 and for few trials.

    Raises: ValueError if there are no trials or more successes than trials.
    Source: Wilson 1927.
    """
    if not 0 <= successes <= trials or trials == 0:
        raise ValueError(f"{successes} of {trials} is not a share")
    z = float(ndtri(0.5 + confidence / 2))
    share, pull = successes / trials, z * z / trials
    middle = (share + pull / 2) / (1 + pull)
    reach = z * np.sqrt(share * (1 - share) / trials + pull / (4 * trials)) / (1 + pull)
    return max(0.0, float(middle - reach)), min(1.0, float(middle + reach))
