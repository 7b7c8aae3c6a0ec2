"""Waiting counts beyond the best-sold products: every pair with enough purchases to tell a window from noise.

Comes in: first purchases, the shop's own curve, and pairs that are asked for whatever was seen of them. Goes out: a
sparse table of the pairs with support, what is known of every anchor (which is all there is to know of a pair that was
never seen), and purchases by kind of pair. Cost follows the pairs that customers really own, not the square of the
catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.firsts import FirstPurchases, ordered_pairs
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.lines import Integers
from shopify_upsell.matrix.waiting import (
    OWNED,
    WINDOW_COUNT,
    Counts,
    exposure,
    from_end,
    most_owned,
    outcomes,
    stopped,
    watched,
    who_waits,
)

Reals = NDArray[np.float64]

FEWEST_EVENTS = 5
"""Purchases of B after A below which a pair is not tried on its own: fewer cannot beat the shop's curve by the proof
that is asked, wherever they fall. Choosing by the sum says nothing about the windows, so that the proof stays honest.
"""

MOST_PAIRS = 500_000
"""Pairs kept; where more have enough purchases, those with most. 500,000 take 60 MB."""

PAIR_BUDGET, BLOCK = 24_000_000, 4_000_000
"""Rows of one customer laid beside a rare one, in all and at once; beyond the first, whole customers are drawn by seed.
A block takes 300 MB at most, and all of them fifteen seconds."""

CODES = (WINDOW_COUNT + 1) * (WINDOW_COUNT + 1) * 2
"""Ways in which a pair of one customer can have ended: slot, window in which watching stopped, and why."""


@dataclass(frozen=True)
class RarePairs:
    """What the rarer products' pairs came to.

    Shape: `keys` m, ascending: anchor x `product_count` + companion, as positions; `events`, `at_risk`, `ended` m x
    windows as in `Waiting`; `anchor_*` and `follower_*` product_count x windows: what a pair never seen has of its
    anchor, and purchases and exposure of each product after any other; `kind_*` one row a code in `kind_codes`.
    """

    product_count: int
    keys: Integers
    events: Counts
    at_risk: Counts
    ended: Counts
    anchor_risk: Counts
    anchor_ended: Counts
    follower_events: Reals
    follower_exposure: Reals
    kind_codes: Integers
    kind_events: Reals
    kind_expected: Reals

    def places(self, anchor: Integers, companion: Integers) -> Integers:
        """Find pairs of positions in `keys`, -1 where they are not held. Shape: 1-d, of one length."""
        if not len(self.keys):
            return np.full(len(anchor), -1, dtype=np.int64)
        wanted = anchor * np.int64(self.product_count) + companion
        place = np.minimum(np.searchsorted(self.keys, wanted), len(self.keys) - 1)
        return np.where(self.keys[place] == wanted, place, -1)


def count_rare(
    firsts: FirstPurchases, kinship: Kinship, hazard: Reals, asked: Integers, *, now: int, seed: int
) -> RarePairs:
    """Count the pairs of which one product at least is not among the most owned.

    Shape: `hazard` the shop's, one a window; `asked` keys of pairs to hold whatever was seen of them.
    Units: `now` in unix seconds.
    """
    firsts = who_waits(firsts)
    count, is_head = firsts.product_count, most_owned(firsts)
    if int((firsts.owners_per_product() > 0).sum()) <= int(is_head.sum()):
        return _nothing(count)
    firsts = _within_budget(firsts, is_head, seed)
    stop = watched(firsts, now=now)
    anchors, anchors_ended = stopped(firsts, stop, firsts.product, count)
    anchor_risk, anchor_ended = from_end(anchors)[:, :WINDOW_COUNT], anchors_ended[:, :WINDOW_COUNT]
    norm = hazard * exposure(anchor_risk, anchor_ended)
    norm /= np.maximum(norm.sum(axis=1, keepdims=True), 1e-300)
    sums = _Sums(count, kinship, norm)
    for rows, products in _blocks(firsts, ~is_head):
        seen = _group(np.concatenate([np.zeros(0, np.int64), *_codes(firsts, is_head, rows, now)]))
        sums.add(seen, asked[products[_rare_one(asked, is_head)]])
    held, table = sums.held(asked)
    followers, (codes, kind_events, kind_expected) = sums.followers, sums.kinds()
    anchor = held // max(count, 1)
    whole = _anchors_of(anchor_risk - anchor_ended / 2, is_head)
    return RarePairs(
        count,
        held,
        table.events,
        anchor_risk[anchor] - table.left,
        anchor_ended[anchor] - table.left_ended,
        anchor_risk,
        anchor_ended,
        followers.events.astype(np.float64),
        whole - followers.left + followers.left_ended / 2,
        codes,
        kind_events,
        kind_expected,
    )


def _blocks(firsts: FirstPurchases, is_rare: NDArray[np.bool_]) -> Iterator[tuple[Integers, NDArray[np.bool_]]]:
    """Split the rare products so that not too many pairs are held at once; give their rows, and which they are.

    Every pair is counted from one rare product, so that each is seen whole in one block.
    """
    sizes = np.bincount(firsts.customer, minlength=firsts.customer_count)
    cost = np.bincount(firsts.product, sizes[firsts.customer], minlength=firsts.product_count) * is_rare
    block_of = np.where(is_rare, (np.cumsum(cost) - cost) // BLOCK, -1)
    for block in np.unique(block_of[is_rare]).tolist():
        products = block_of == block
        yield np.flatnonzero(products[firsts.product]), products


def _rare_one(keys: Integers, is_head: NDArray[np.bool_]) -> Integers:
    """Give the product that a pair is counted from: the anchor, or the companion of a best-sold anchor."""
    anchor, companion = np.divmod(keys, max(len(is_head), 1))
    return np.where(is_head[anchor], companion, anchor)


def _nothing(count: int) -> RarePairs:
    none, anchors = np.zeros((0, WINDOW_COUNT), np.int32), np.zeros((count, WINDOW_COUNT), np.int32)
    keys = np.zeros(0, np.int64)
    zeros = np.zeros((count, WINDOW_COUNT))
    kinds = np.zeros((0, WINDOW_COUNT))
    return RarePairs(count, keys, none, none, none, anchors, anchors, zeros, zeros, keys, kinds, kinds)


def _within_budget(firsts: FirstPurchases, is_head: NDArray[np.bool_], seed: int) -> FirstPurchases:
    """Keep whole customers, drawn by seed, until their rare rows beside all their rows fill the budget."""
    sizes, rare = (
        np.bincount(firsts.customer, weights, minlength=firsts.customer_count).astype(np.int64)
        for weights in (None, ~is_head[firsts.product])
    )
    cost = sizes * rare
    if int(cost.sum()) <= PAIR_BUDGET:
        return firsts
    drawn = np.random.default_rng(seed).permutation(firsts.customer_count)
    is_in = np.zeros(firsts.customer_count, dtype=bool)
    is_in[drawn[np.cumsum(cost[drawn]) <= PAIR_BUDGET]] = True
    return firsts.where(is_in[firsts.customer])


def _codes(firsts: FirstPurchases, is_head: NDArray[np.bool_], rows: Integers, now: int) -> Iterator[Integers]:
    """Write every pair of one customer that counts, from these rare rows, as one number: the pair, and how it ended."""
    stop = watched(firsts, now=now)
    count = np.int64(firsts.product_count)
    is_rare = ~is_head[firsts.product]
    for rare, other in ordered_pairs(firsts, rows):
        # A rare row meets every other row once; two rare rows meet from both sides of themselves.
        back = ~is_rare[other]
        for first, second in ((rare, other), (other[back], rare[back])):
            left, right, slot = outcomes(firsts, first, second)
            key = firsts.product[left] * count + firsts.product[right]
            yield ((key * (WINDOW_COUNT + 1) + slot) * (WINDOW_COUNT + 1) + stop.last[left]) * 2 + stop.is_ended[left]


@dataclass(frozen=True)
class _Seen:
    """Pairs by how they ended, ascending by key, and how many customers each. Shape: equal-length 1-d arrays."""

    key: Integers
    slot: NDArray[np.int8]
    last: NDArray[np.int8]
    is_ended: NDArray[np.int8]
    n: Integers


def _group(codes: Integers) -> _Seen:
    distinct, n = np.unique(codes, return_counts=True)
    rest, is_ended = np.divmod(distinct, 2)
    rest, last = np.divmod(rest, WINDOW_COUNT + 1)
    key, slot = np.divmod(rest, WINDOW_COUNT + 1)
    return _Seen(key, slot.astype(np.int8), last.astype(np.int8), is_ended.astype(np.int8), n.astype(np.int64))


def _supported(seen: _Seen) -> tuple[Integers, Integers]:
    """Give the pairs with enough purchases, and how many each."""
    starts = np.flatnonzero(np.append(True, seen.key[1:] != seen.key[:-1])) if len(seen.key) else seen.key
    bought = np.where(seen.slot != OWNED, seen.n, 0)
    sums = np.add.reduceat(bought, starts) if len(starts) else bought
    return seen.key[starts[sums >= FEWEST_EVENTS]], sums[sums >= FEWEST_EVENTS]


@dataclass(frozen=True)
class _Table:
    """Per row and window: purchases; customers who are no longer at risk for owning or buying; of them who ended."""

    events: Counts
    left: Counts
    left_ended: Counts


def _tables(seen: _Seen, rows: Integers, count: int, by: Integers | None = None) -> _Table:
    """Sum what was seen by key, or by another number of each entry. Shape: `rows` ascending, `count` of them."""
    key = seen.key if by is None else by
    spot = np.minimum(np.searchsorted(rows, key), max(count - 1, 0))
    inside = rows[spot] == key if count else np.zeros(len(key), dtype=bool)
    spot, slot, last, n = spot[inside], seen.slot[inside], seen.last[inside], seen.n[inside]
    is_ended = seen.is_ended[inside]
    width = WINDOW_COUNT + 1

    def summed(place: NDArray[np.int8], weights: Integers) -> Counts:
        flat = np.bincount(spot * width + place, weights, minlength=count * width)
        return np.rint(flat).astype(np.int32).reshape(count, width)

    events = summed(slot, n * (slot != OWNED))[:, :WINDOW_COUNT]
    left = from_end(summed(last, n))[:, :WINDOW_COUNT] - from_end(events)
    return _Table(events, left, summed(last, n * is_ended)[:, :WINDOW_COUNT])


def _anchors_of(anchor_exposure: Reals, is_head: NDArray[np.bool_]) -> Reals:
    """Sum the exposure of all anchors a product is listed after: all others, or for the best-sold the rare ones."""
    rare = anchor_exposure[~is_head].sum(axis=0)
    return np.asarray(np.where(is_head[:, None], rare, rare + anchor_exposure[is_head].sum(axis=0) - anchor_exposure))


class _Sums:
    """What blocks of pairs come to, added up as they are seen."""

    def __init__(self, count: int, kinship: Kinship, norm: Reals) -> None:
        self._count, self._kinship, self._norm = count, kinship, norm
        none = np.zeros((0, WINDOW_COUNT), np.int32)
        self._keys, self._bought, self._table = np.zeros(0, np.int64), np.zeros(0, np.int64), _Table(none, none, none)
        self.followers = _Table(*(np.zeros((count, WINDOW_COUNT), np.int32) for _ in range(3)))
        self._kind_events, self._kind_expected = (np.zeros((kinship.kind_count, WINDOW_COUNT)) for _ in range(2))

    def add(self, seen: _Seen, asked: Integers) -> None:
        """Add a block; `asked` are its pairs to hold whatever was seen of them."""
        keys, bought = _supported(seen)
        held = np.union1d(keys, asked)
        purchases = np.zeros(len(held), np.int64)
        purchases[np.searchsorted(held, keys)] = bought
        # Pairs that are asked for outlast all others.
        purchases[np.searchsorted(held, asked)] = np.iinfo(np.int64).max
        self._keys, self._bought = np.append(self._keys, held), np.append(self._bought, purchases)
        self._table = _joined(self._table, _tables(seen, held, len(held)))
        everyone = np.arange(self._count)
        self.followers = _added(self.followers, _tables(seen, everyone, self._count, by=seen.key % max(self._count, 1)))
        self._add_kinds(seen)

    def held(self, asked: Integers) -> tuple[Integers, _Table]:
        """Give the pairs to hold, ascending, and their counts; of too many those with most purchases.

        All with one number of purchases go together, so that no tie is broken by chance.
        """
        room = MOST_PAIRS + len(asked)
        least = int(np.sort(self._bought)[-room]) + 1 if len(self._bought) > room else 0
        order = np.argsort(self._keys, kind="stable")
        order = order[self._bought[order] >= least]
        table = self._table
        return self._keys[order], _Table(table.events[order], table.left[order], table.left_ended[order])

    def kinds(self) -> tuple[Integers, Reals, Reals]:
        """Give the kinds that were bought, their purchases, and what the shop's curve makes of as many."""
        codes = np.flatnonzero(self._kind_events.sum(axis=1))
        return codes, self._kind_events[codes], self._kind_expected[codes]

    def _add_kinds(self, seen: _Seen) -> None:
        """Sum purchases by kind of pair, and what the shop's curve makes of as many by the same anchors.

        Only when they fell is compared, never how many, so that pairs nobody ever owned need not be listed.
        """
        is_event = seen.slot != OWNED
        anchor, companion = np.divmod(seen.key[is_event], max(self._count, 1))
        kind = self._kinship.kinds_of(anchor, companion)
        known = kind >= 0
        if not known.any():
            return
        kind, anchor, n = kind[known], anchor[known], seen.n[is_event][known].astype(np.float64)
        slot, size = seen.slot[is_event][known], len(self._kind_events)
        flat = np.bincount(kind * WINDOW_COUNT + slot, n, minlength=size * WINDOW_COUNT)
        self._kind_events += flat.reshape(size, WINDOW_COUNT)
        for window in range(WINDOW_COUNT):
            self._kind_expected[:, window] += np.bincount(kind, n * self._norm[anchor, window], minlength=size)


def _joined(first: _Table, second: _Table) -> _Table:
    pairs = zip(_columns(first), _columns(second), strict=True)
    return _Table(*(np.concatenate(pair) for pair in pairs))


def _added(first: _Table, second: _Table) -> _Table:
    return _Table(*(one + other for one, other in zip(_columns(first), _columns(second), strict=True)))


def _columns(table: _Table) -> tuple[Counts, Counts, Counts]:
    return table.events, table.left, table.left_ended
