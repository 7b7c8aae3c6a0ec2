"""The next step: which product a customer who never bought it is likeliest to buy soon.

Comes in: signals, and a fold of the past one horizon earlier. Goes out: one weight per signal, learned by asking which
of the candidates the customers of that fold did buy. Shops with little history keep the prior weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import minimize

from shopify_upsell.matrix.baskets import DAY, Baskets
from shopify_upsell.matrix.firsts import FirstPurchases, first_purchases
from shopify_upsell.matrix.signals import SIGNAL_NAMES, Signals, signal_table

Reals = NDArray[np.float64]

PRIOR_WEIGHTS = {
    "popularity_overall": 0.1,
    "popularity_season": 0.2,
    "popularity_trend": 0.1,
    "newly_owned_recent": 0.3,
    "newly_owned_season": 0.2,
    "ridge_basket": 0.3,
    "ridge_history": 0.5,
    "confidence_basket": 0.2,
    "owners_basket": 0.2,
    "owners_history": 0.2,
    "sequence_basket": 1.0,
    "sequence_history": 0.4,
    "category": 0.1,
    "subcategory": 0.1,
    "brand": 0.05,
    "family": 0.0,
}
"""What a shop without a usable fold gets. Source: rounded from the weights that several shops' earlier folds agree on;
their order matters, their size does not.
"""

PRIOR_STRENGTH = 300.0
"""Pull towards the prior per unit of standardised weight. Source: 100 to 1,000 lie on one plateau on the earlier folds;
less overfits the month that the fold happens to be.
"""

PRIOR_SCALE = 0.3
"""Size of the prior weights where a fold can be asked: their proportions are trusted more than their size."""

CANDIDATES = 300
QUERIES_AT_ONCE = 64
MOST_QUERIES, FEWEST_QUERIES = 500, 20


@dataclass(frozen=True)
class Queries:
    """Customers at one order: what they bought then, owned before, and bought for the first time after.

    Shape: three sparse tables, queries x products; `customer` holds positions.
    """

    customer: NDArray[np.int64]
    bought: sparse.csr_matrix
    owned: sparse.csr_matrix
    targets: sparse.csr_matrix


@dataclass(frozen=True)
class Ranking:
    """Chosen products per query, best first. Shape: queries x limit; score is -inf where nothing is left."""

    product: NDArray[np.int64]
    score: Reals


def prior_weights() -> Reals:
    """Give the prior weights in the order of the signals."""
    return np.array([PRIOR_WEIGHTS[name] for name in SIGNAL_NAMES])


def next_queries(baskets: Baskets, *, start: int, end: int, horizon_days: int, most: int, seed: int) -> Queries:
    """Take each customer's first order in [start, end) as a query, those with at least one target only.

    Units: `start` and `end` in unix seconds.
    """
    low, high = np.searchsorted(baskets.order_time, [start, end])
    customer = baskets.order_customer[low:high]
    orders = np.flatnonzero(customer >= 0) + low
    _, first = np.unique(baskets.order_customer[orders], return_index=True)
    orders = np.sort(orders[first])
    firsts = first_purchases(baskets)
    owned, targets = _before_and_after(baskets, firsts, orders, horizon_days)
    useful = np.flatnonzero(np.diff(targets.indptr) > 0)
    if len(useful) > most:
        useful = np.sort(np.random.default_rng(seed).choice(useful, most, replace=False))
    bought = baskets.table()[orders[useful]]
    return Queries(baskets.order_customer[orders[useful]], bought, owned[useful], targets[useful])


def _before_and_after(
    baskets: Baskets, firsts: FirstPurchases, orders: NDArray[np.int64], horizon_days: int
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    query_of = np.full(max(len(baskets.customer_ids), 1), -1)
    query_of[baskets.order_customer[orders]] = np.arange(len(orders))
    query = query_of[firsts.customer]
    firsts, query = firsts.where(query >= 0), query[query >= 0]
    since = firsts.time - baskets.order_time[orders][query]
    shape = (len(orders), firsts.product_count)

    def table(kept: NDArray[np.bool_]) -> sparse.csr_matrix:
        ones = np.ones(int(kept.sum()), dtype=np.float32)
        return sparse.csr_matrix((ones, (query[kept], firsts.product[kept])), shape=shape)

    return table(since < 0), table((since > 0) & (since <= horizon_days * DAY))


def fit_weights(signals: Signals, queries: Queries) -> Reals:
    """Learn the weights under which the bought candidates score above the others.

    Source: conditional logit (McFadden 1974) with a Gaussian prior; a customer with many targets counts by their square
    root, so that heavy buyers do not decide alone.
    """
    prior = prior_weights()
    if queries.bought.shape[0] < FEWEST_QUERIES:
        return prior
    parts = [_candidate_signals(signals, queries, rows) for rows in _chunks(queries.bought.shape[0])]
    values, chosen = (np.concatenate(part) for part in zip(*parts, strict=True))
    spread = values.reshape(-1, values.shape[-1]).std(axis=0) + 1e-6
    values = ((values - values.mean(axis=(0, 1))) / spread).astype(np.float32)
    sizes = chosen.sum(axis=1, keepdims=True)
    chosen = chosen / np.sqrt(np.maximum(sizes, 1))
    centre = PRIOR_SCALE * prior * spread

    def loss(weights: Reals) -> tuple[float, Reals]:
        score = (values @ weights.astype(np.float32)).astype(np.float64)
        score -= score.max(axis=1, keepdims=True)
        odds = np.exp(score)
        total = odds.sum(axis=1, keepdims=True)
        miss = chosen.sum(axis=1, keepdims=True) * odds / total - chosen
        slope = np.tensordot(miss.astype(np.float32), values, ((0, 1), (0, 1))).astype(np.float64)
        pull = weights - centre
        likelihood = float((chosen * (score - np.log(total))).sum())
        return PRIOR_STRENGTH / 2 * float(pull @ pull) - likelihood, slope + PRIOR_STRENGTH * pull

    solved = minimize(loss, centre, jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return np.asarray(solved.x / spread, dtype=np.float64)


def _candidate_signals(
    signals: Signals, queries: Queries, rows: slice
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Give the signals of the likeliest candidates by the prior, and which of them were bought."""
    bought, owned = queries.bought[rows], queries.owned[rows]
    table = signal_table(signals, bought, owned)
    score = table @ prior_weights().astype(np.float32)
    score[(bought + owned).nonzero()] = -np.inf
    kept = min(CANDIDATES, score.shape[1])
    chosen = np.argpartition(-score, kept - 1, axis=1)[:, :kept]
    # Owned products fill up the list only in tiny catalogues; they are never targets, so they do no harm.
    picked = np.take_along_axis(table, chosen[:, :, None], axis=1)
    return picked, np.take_along_axis(queries.targets[rows].toarray(), chosen, axis=1).astype(np.float64)


def next_scores(signals: Signals, weights: Reals, bought: sparse.csr_matrix, owned: sparse.csr_matrix) -> Reals:
    """Score every product for every query. Shape: queries x products. Units: log odds, up to a constant."""
    scores = [
        signal_table(signals, bought[rows], owned[rows]) @ weights.astype(np.float32)
        for rows in _chunks(bought.shape[0])
    ]
    return np.concatenate(scores).astype(np.float64) if scores else np.empty(bought.shape)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + QUERIES_AT_ONCE) for start in range(0, count, QUERIES_AT_ONCE)]
