"""Counts of who waited how long for B after first buying A, the evidence for timing and for negative edges.

Comes in: first purchases and the end of the data. Goes out: for the shop's most-owned products, events and customers at
risk per pair and window.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.baskets import DAY
from shopify_upsell.matrix.firsts import FirstPurchases, ordered_pairs, within_budget
from shopify_upsell.matrix.lines import Integers

WINDOW_EDGES_DAYS = (0, 4, 8, 15, 31, 61, 91, 151, 271)
"""First day of each window, and the day after the last: 0-3, 4-7, 8-14, 15-30, 31-60, 61-90, 91-150, 151-270.
Source: reference `measurement.md` part 4.
"""

WINDOW_COUNT = len(WINDOW_EDGES_DAYS) - 1
MOST_PRODUCTS = 600
"""Products with counts per pair; 600 take 30 MB. Rarer ones have too few events to tell a window from noise."""

PAIR_BUDGET = 30_000_000

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Waiting:
    """Events and risk sets per pair and window.

    Shape: `products` n positions, ascending; `events[a, b, window]` first purchases of b after a; `at_risk` alike:
    customers still waiting at the window's start.
    """

    products: Integers
    events: Counts
    at_risk: Counts

    def place_of(self, product: int) -> int | None:
        """Find a product position's place among the counted, or None."""
        place = int(np.searchsorted(self.products, product))
        return place if place < len(self.products) and self.products[place] == product else None


def count_waiting(firsts: FirstPurchases, *, now: int, seed: int) -> Waiting:
    """Count events and risk sets; a customer leaves a pair's risk set at the purchase of B or at `now`.

    Units: `now` in unix seconds.
    """
    firsts = _most_owned(firsts)
    products = np.unique(firsts.product)
    firsts = within_budget(firsts, PAIR_BUDGET, seed=seed)
    count = len(products)
    place = np.searchsorted(products, firsts.product)
    edges = np.array(WINDOW_EDGES_DAYS)
    # Waiting begins when the first product is in hand; who buys the second before that has waited no day.
    watched = np.maximum(now - firsts.arrived, 0)
    followed = np.searchsorted(edges, watched // DAY, side="right") - 1
    shape = (count, count, WINDOW_COUNT + 1)
    events, gone = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    for left, right in ordered_pairs(firsts):
        base = place[left] * count + place[right]
        gap = firsts.time[right] - firsts.time[left]
        wait = np.maximum(firsts.time[right] - firsts.arrived[left], 0)
        window = np.searchsorted(edges, wait // DAY, side="right") - 1
        is_event = gap > 0
        _add(events, base[is_event] * (WINDOW_COUNT + 1) + window[is_event])
        # Owners of B at the time of A never wait; buyers of B stop waiting by buying, not by the data's end.
        is_gone = (gap <= 0) | (window < WINDOW_COUNT)
        _add(gone, base[is_gone] * (WINDOW_COUNT + 1) + followed[left][is_gone])
    anchors = np.zeros((count, WINDOW_COUNT + 1), np.int32)
    np.add.at(anchors, (place, followed), 1)
    within = events[..., :WINDOW_COUNT]
    stayed = _from_end(anchors[:, None, :] - gone)[..., :WINDOW_COUNT]
    return Waiting(products, np.ascontiguousarray(within), stayed + _from_end(within))


def _most_owned(firsts: FirstPurchases) -> FirstPurchases:
    owners = firsts.owners_per_product()
    ranked = np.lexsort((np.arange(len(owners)), -owners))[:MOST_PRODUCTS]
    is_counted = np.zeros(len(owners), dtype=bool)
    is_counted[ranked[owners[ranked] > 0]] = True
    return firsts.where(is_counted[firsts.product])


def _add(counts: Counts, key: Integers) -> None:
    flat = counts.reshape(-1)
    flat += np.bincount(key, minlength=len(flat)).astype(np.int32)


def _from_end(counts: Counts) -> Counts:
    """Sum each window with all later ones."""
    return np.ascontiguousarray(np.cumsum(counts[..., ::-1], axis=-1, dtype=np.int32)[..., ::-1])
