"""Counts of who waited how long for B after first buying A, the evidence for timing and for negative edges.

Comes in: first purchases and the end of the data. Goes out: for the shop's most-owned products, events, other endings
and customers at risk per pair and window. `rare` counts the other pairs, by the same rules.
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
"""Products of which every pair is counted, seen or not; 600 take 45 MB. The shop's own curve is theirs; of rarer ones
`rare` counts the pairs that have enough events to tell a window from noise.
"""

PAIR_BUDGET = 30_000_000

OWNED = WINDOW_COUNT
"""Slot of a pair whose second product was there before the first, or came with it."""

Counts = NDArray[np.int32]


@dataclass(frozen=True)
class Waiting:
    """Events, other endings and risk sets per pair and window.

    Shape: `products` n positions, ascending; `events[a, b, window]` first purchases of b after a; `ended` alike:
    customers who gave a back or opted out while they waited; `at_risk`: those still waiting at the window's start.
    """

    products: Integers
    events: Counts
    at_risk: Counts
    ended: Counts

    def place_of(self, product: int) -> int | None:
        """Find a product position's place among the counted, or None."""
        place = int(np.searchsorted(self.products, product))
        return place if place < len(self.products) and self.products[place] == product else None


@dataclass(frozen=True)
class Watched:
    """How each first purchase's owner was watched.

    Shape: one entry a row of the first purchases, sorted alike. `last`: the window in which watching stopped,
    WINDOW_COUNT for all that is later; `is_ended`: it stopped by another ending, not with the data.
    """

    last: Integers
    is_ended: NDArray[np.bool_]


def exposure(at_risk: NDArray[np.int32], ended: NDArray[np.int32]) -> NDArray[np.float64]:
    """Count a customer who stops within a window for half of it.

    Source: the life table's actuarial exposure. Without it a first product that is often given back would seem to be
    followed less in just the days of its returns.
    """
    return np.asarray(at_risk - ended / 2, np.float64)


def who_waits(firsts: FirstPurchases) -> FirstPurchases:
    """Leave out who stopped before the product was in hand: they never waited, whatever they own is asked of others."""
    if not firsts.has_endings:
        return firsts
    return firsts.where((firsts.until > firsts.arrived) | firsts.is_kept)


def watched(firsts: FirstPurchases, *, now: int) -> Watched:
    """Tell when and why watching stopped. Units: `now` in unix seconds."""
    # Waiting begins when the first product is in hand; who buys the second before that has waited no day.
    days = np.maximum(np.minimum(firsts.until, now) - firsts.arrived, 0) // DAY
    last = np.searchsorted(np.array(WINDOW_EDGES_DAYS), days, side="right") - 1
    return Watched(last, firsts.until <= now)


def outcomes(firsts: FirstPurchases, left: Integers, right: Integers) -> tuple[Integers, Integers, Integers]:
    """Say how pairs of rows ended: the window of the purchase, or OWNED; pairs that leave the risk set alone go.

    Shape: two equal-length arrays of row positions in; the ones that count and their slots out.
    """
    gap = firsts.time[right] - firsts.time[left]
    wait = np.maximum(firsts.time[right] - firsts.arrived[left], 0)
    slot = np.searchsorted(np.array(WINDOW_EDGES_DAYS), wait // DAY, side="right") - 1
    # Owners of B at the time of A never wait; buyers of B stop waiting by buying, not by the data's end.
    is_counted = (gap <= 0) | (slot < WINDOW_COUNT)
    # What was given back is not owned, and whoever stopped waiting did so before they bought.
    is_counted &= firsts.is_kept[right] & ((gap <= 0) | (firsts.time[right] <= firsts.until[left]))
    is_counted &= firsts.until[left] > firsts.arrived[left]
    slot[gap <= 0] = OWNED
    return left[is_counted], right[is_counted], slot[is_counted]


def count_waiting(firsts: FirstPurchases, *, now: int, seed: int) -> Waiting:
    """Count events and risk sets.

    A customer leaves a pair's risk set at the purchase of B, by giving A back, by opting out, or at `now`.

    Units: `now` in unix seconds.
    """
    firsts = _most_owned(who_waits(firsts))
    products = np.flatnonzero(firsts.owners_per_product())
    firsts = within_budget(firsts, PAIR_BUDGET, seed=seed)
    count = len(products)
    place = np.searchsorted(products, firsts.product)
    stop = watched(firsts, now=now)
    shape = (count, count, WINDOW_COUNT + 1)
    events, gone = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    gone_ended = np.zeros(shape if stop.is_ended.any() else (1, 1, WINDOW_COUNT + 1), np.int32)
    for left, right in ordered_pairs(firsts):
        left, right, slot = outcomes(firsts, left, right)
        base = (place[left] * count + place[right]) * (WINDOW_COUNT + 1)
        _add(events, base + slot)
        _add(gone, base + stop.last[left])
        is_ended = stop.is_ended[left]
        if is_ended.any():
            _add(gone_ended, (base + stop.last[left])[is_ended])
    anchors, anchors_ended = stopped(firsts, stop, place, count)
    within = events[..., :WINDOW_COUNT]
    stayed = from_end(anchors[:, None, :] - gone)[..., :WINDOW_COUNT]
    ended = np.broadcast_to(anchors_ended[:, None, :] - gone_ended, shape)[..., :WINDOW_COUNT]
    return Waiting(products, np.ascontiguousarray(within), stayed + from_end(within), np.ascontiguousarray(ended))


def stopped(firsts: FirstPurchases, stop: Watched, place: Integers, count: int) -> tuple[Counts, Counts]:
    """Count owners by the window in which watching them stopped, and those of them who stopped by another ending.

    Shape: two tables of `count` anchors x (WINDOW_COUNT + 1).
    """
    waits = firsts.until > firsts.arrived
    anchors, ended = (np.zeros((count, WINDOW_COUNT + 1), np.int32) for _ in range(2))
    np.add.at(anchors, (place[waits], stop.last[waits]), 1)
    waits &= stop.is_ended
    np.add.at(ended, (place[waits], stop.last[waits]), 1)
    return anchors, ended


def most_owned(firsts: FirstPurchases) -> NDArray[np.bool_]:
    """Mark the MOST_PRODUCTS products with most owners."""
    owners = firsts.owners_per_product()
    ranked = np.lexsort((np.arange(len(owners)), -owners))[:MOST_PRODUCTS]
    is_counted = np.zeros(len(owners), dtype=bool)
    is_counted[ranked[owners[ranked] > 0]] = True
    return is_counted


def _most_owned(firsts: FirstPurchases) -> FirstPurchases:
    return firsts.where(most_owned(firsts)[firsts.product])


def _add(counts: Counts, key: Integers) -> None:
    flat = counts.reshape(-1)
    flat += np.bincount(key, minlength=len(flat)).astype(np.int32)


def from_end(counts: Counts) -> Counts:
    """Sum each window with all later ones."""
    return np.ascontiguousarray(np.cumsum(counts[..., ::-1], axis=-1, dtype=np.int32)[..., ::-1])
