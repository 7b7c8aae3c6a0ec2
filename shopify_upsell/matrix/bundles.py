"""The bundle part: which products complete a basket.

Comes in: baskets. Goes out: ridge weights with their two settings, chosen on the shop's own latest baskets: how hard to
shrink, and how much a product's plain popularity counts beside what it goes with.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import Baskets
from shopify_upsell.matrix.gram import co_counts, order_weights
from shopify_upsell.matrix.local_ridge import NEIGHBOURS
from shopify_upsell.matrix.ridge import EXACT_UP_TO, ridge_weights

Reals = NDArray[np.float64]

PENALTIES = (3.0, 10.0, 30.0)
POPULARITY_WEIGHTS = (0.0, 0.03, 0.1, 0.3)
FOLD_SHARE = 0.15
MOST_TRIALS, FEWEST_TRIALS = 2_000, 100

MOST_MODELLED = 25_000
"""Products with a ridge of their own; in a larger catalogue the least-bought get their relatives' rows."""


@dataclass(frozen=True)
class BundleSettings:
    """Units: `penalty` in weighted orders; `popularity_weight` in ridge score per share of orders."""

    penalty: float
    popularity_weight: float


SMALL_SHOP = BundleSettings(penalty=10.0, popularity_weight=0.1)
"""For shops with too few baskets to choose by. Source: best or near it at 200 and 1,000 orders of two shops."""

LARGE_SHOP = BundleSettings(penalty=15.0, popularity_weight=0.1)
"""For catalogues too large to solve several times. Source: the plateau's middle on the largest bench set."""


def learn_ridge(baskets: Baskets, penalty: float, *, now: int, neighbours: int = NEIGHBOURS) -> sparse.csr_matrix:
    """Solve the ridge on weighted co-counts of the products that can be modelled."""
    gram = co_counts(baskets, order_weights(baskets, now=now))
    return ridge_weights(_modelled(gram, baskets.orders_per_product()), penalty, neighbours=neighbours)


def _modelled(gram: sparse.csr_matrix, orders: NDArray[np.int64]) -> sparse.csr_matrix:
    """Clear the rows of the least-bought products of a catalogue beyond MOST_MODELLED."""
    if int((orders > 0).sum()) <= MOST_MODELLED:
        return gram
    least = int(np.sort(orders)[-MOST_MODELLED])
    is_kept = (orders > least).astype(np.float32)
    kept = (sparse.diags(is_kept) @ gram @ sparse.diags(is_kept)).tocsr()
    kept.eliminate_zeros()
    return kept.astype(np.float32)


def choose_settings(baskets: Baskets, *, seed: int) -> BundleSettings:
    """Try the settings on the latest baskets, with one product of each hidden.

    The default is left only for a gain larger than its own standard error, so that luck in a small shop does not pass
    for knowledge.
    """
    products = int((baskets.orders_per_product() > 0).sum())
    if products > EXACT_UP_TO:
        return LARGE_SHOP
    start = int(baskets.order_count * (1 - FOLD_SHARE))
    if start < 1 or start >= baskets.order_count:
        return SMALL_SHOP
    moment = int(baskets.order_time[start])
    past, recent = baskets.between(0, moment), baskets.between(moment, np.iinfo(np.int64).max)
    shown, hidden = hide_one(recent, most=MOST_TRIALS, seed=seed)
    if len(hidden) < FEWEST_TRIALS or not past.order_count:
        return SMALL_SHOP
    gram = co_counts(past, order_weights(past, now=moment))
    share = past.orders_per_product() / max(past.order_count, 1)
    quality: dict[BundleSettings, Reals] = {}
    for penalty in PENALTIES:
        scores = (shown @ ridge_weights(gram, penalty)).toarray().astype(np.float64)
        for weight in POPULARITY_WEIGHTS:
            quality[BundleSettings(penalty, weight)] = hidden_gain(scores + weight * share, shown, hidden)
    return _clear_winner(quality)


def _clear_winner(quality: dict[BundleSettings, Reals]) -> BundleSettings:
    default = quality[SMALL_SHOP]
    best = max(quality, key=lambda settings: float(quality[settings].mean()))
    gain = quality[best] - default
    error = float(gain.std()) / np.sqrt(len(gain))
    return best if float(gain.mean()) > error else SMALL_SHOP


def hide_one(baskets: Baskets, *, most: int, seed: int) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
    """Hide one product, drawn by seed, from each basket of two or more.

    Shape: the shown rest as queries x products, and the hidden product positions.
    """
    table = baskets.table()
    random = np.random.default_rng(seed)
    orders = np.flatnonzero(np.diff(table.indptr) >= 2)
    if len(orders) > most:
        orders = np.sort(random.choice(orders, most, replace=False))
    table = table[orders]
    drawn = table.indptr[:-1] + (random.random(len(orders)) * np.diff(table.indptr)).astype(np.int64)
    hidden = table.indices[drawn].astype(np.int64)
    table.data[drawn] = 0
    table.eliminate_zeros()
    return table, hidden


def hidden_gain(scores: Reals, shown: sparse.csr_matrix, hidden: NDArray[np.int64]) -> Reals:
    """Give each query's NDCG@6: 1 / log2(rank + 1) of the hidden product, 0 below rank six."""
    scores = scores.copy()
    scores[shown.nonzero()] = -np.inf
    mine = scores[np.arange(len(hidden)), hidden][:, None]
    # Half of the tied products are counted as ahead: the middle of what chance would do.
    rank = (scores > mine).sum(axis=1) + ((scores == mine).sum(axis=1) - 1) / 2
    return np.where(rank < 6, 1 / np.log2(rank + 2), 0.0)
