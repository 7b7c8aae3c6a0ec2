"""What is bought next: how much likelier a product becomes for the owner of another, in later orders only.

Comes in: first purchases. Goes out: a table of log lifts, row = what was bought, column = what followed. Few pairs have
enough events of their own, so a pair is pulled towards the pairs that look like it: same two kinds of product, same
line or not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import DAY
from shopify_upsell.matrix.firsts import FirstPurchases
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.pruning import prune_sparse_rows, rows_budget

FOLLOW_DAYS = 180
"""Days in which a purchase counts as following another. Source: the protocol's horizon, reference `matrix.md` part 2.
"""

PAIR_WEIGHT, LONE_PAIR_WEIGHT, KIND_WEIGHT = 2.0, 5.0, 10.0
"""Expected events that the level above is worth to a pair of a known kind, to a pair without, and to a kind.
Source: gamma-Poisson shrinkage; a pair that cannot lean on its kind is pulled harder to no effect.
"""

LATEST = 60
"""Later first purchases that one purchase is paired with: enough for a year of a weekly grocery customer's nearest
future, and a bound on cost.
"""

DENSE_UP_TO = 1_500
"""Products up to which pairs never seen also get their kind's lift."""


@dataclass(frozen=True)
class Followers:
    """Counts of B first bought after A, in a later order within the window. Shape: n x n, row A, column B."""

    counts: sparse.csr_matrix

    def expected_of(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give row totals and column shares; their product is what independence expects."""
        by_anchor = np.asarray(self.counts.sum(axis=1)).ravel()
        by_follower = np.asarray(self.counts.sum(axis=0)).ravel()
        return by_anchor, by_follower / max(by_follower.sum(), 1.0)


def count_followers(firsts: FirstPurchases, *, follow_days: int = FOLLOW_DAYS) -> Followers:
    """Count, for each ordered pair, the customers who first bought B after A and soon enough."""
    count = firsts.product_count
    keys: list[NDArray[np.int64]] = []
    totals: list[NDArray[np.int64]] = []
    rows = np.arange(len(firsts))
    for lag in range(1, LATEST + 1):
        rows = rows[rows + lag < len(firsts)]
        gap = firsts.time[rows + lag] - firsts.time[rows]
        # A row whose customer or window has ended at this lag has ended for all larger ones.
        rows = rows[(firsts.customer[rows + lag] == firsts.customer[rows]) & (gap <= follow_days * DAY)]
        if not len(rows):
            break
        later = rows[firsts.time[rows + lag] > firsts.time[rows]]
        distinct, times = np.unique(
            firsts.product[later] * np.int64(count) + firsts.product[later + lag], return_counts=True
        )
        keys.append(distinct)
        totals.append(times)
    if not keys:
        return Followers(sparse.csr_matrix((count, count), dtype=np.float32))
    key, weight = np.concatenate(keys), np.concatenate(totals).astype(np.float32)
    return Followers(sparse.csr_matrix((weight, (key // count, key % count)), shape=(count, count), dtype=np.float32))


def sequence_lifts(followers: Followers, kinship: Kinship) -> sparse.csr_matrix:
    """Turn counts into log lifts, shrunk pair → kind → no effect.

    Shape: n x n sparse; an absent entry is a log lift of zero.
    Source: posterior mean of a gamma-Poisson rate ratio, applied twice.
    """
    count = followers.counts.shape[0]
    by_anchor, share = followers.expected_of()
    if count <= DENSE_UP_TO:
        anchor, companion = (part.ravel() for part in np.indices((count, count)))
        seen = followers.counts.toarray().ravel().astype(np.float64)
    else:
        pairs = followers.counts.tocoo()
        anchor, companion, seen = pairs.row, pairs.col, pairs.data.astype(np.float64)
    expected = by_anchor[anchor] * share[companion]
    kind = kinship.kinds_of(anchor, companion)
    kind_lift = _kind_lifts(kind, seen, expected, followers, kinship)
    worth = PAIR_WEIGHT if count <= DENSE_UP_TO else LONE_PAIR_WEIGHT
    lift = np.log((seen + worth * kind_lift) / (expected + worth))
    is_kept = (np.abs(lift) > 0.05) & (anchor != companion)
    table = sparse.csr_matrix(
        (lift[is_kept].astype(np.float32), (anchor[is_kept], companion[is_kept])), shape=(count, count)
    )
    return prune_sparse_rows(table, rows_budget(count))


def _kind_lifts(
    kind: NDArray[np.int64],
    seen: NDArray[np.float64],
    expected: NDArray[np.float64],
    followers: Followers,
    kinship: Kinship,
) -> NDArray[np.float64]:
    """Give each pair the shrunk lift of its kind; pairs of no kind get 1."""
    size = kinship.kind_count
    if size == 0 or followers.counts.shape[0] > DENSE_UP_TO:
        # Without the unseen pairs a kind's expectation is not known, and every lift would look large.
        return np.ones(len(seen))
    is_of_kind = kind >= 0
    observed = np.bincount(kind[is_of_kind], seen[is_of_kind], minlength=size)
    predicted = np.bincount(kind[is_of_kind], expected[is_of_kind], minlength=size)
    lifts = (observed + KIND_WEIGHT) / (predicted + KIND_WEIGHT)
    return np.where(is_of_kind, lifts[np.maximum(kind, 0)], 1.0)
