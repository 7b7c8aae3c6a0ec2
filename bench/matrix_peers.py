"""The methods that the matrix is measured against, each in its usual few lines.

Comes in: baskets before T. Goes out: a function from queries to scores; lists and ties are then settled by popularity,
for every method alike.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import DAY, Baskets

Reals = NDArray[np.float64]
Scorer = Callable[[sparse.csr_matrix, sparse.csr_matrix], Reals]
"""From baskets and (decayed) histories, queries x products, to scores of the same shape."""

DECAY_DAYS = 30
LEAST_ORDERS = 3
"""Orders that an mlxtend pair needs; its cost explodes below."""

MOST_PRODUCTS_OF_RULES = 300
"""mlxtend wants every order as a dense row; above this it is left out."""


@dataclass(frozen=True)
class Past:
    """What a peer may look at: the baskets before `moment`."""

    baskets: Baskets
    moment: int


def _counts(past: Past) -> sparse.csr_matrix:
    table = past.baskets.table()
    return (table.T @ table).tocsr()


def _without_diagonal(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    counts = counts.copy()
    counts.setdiag(0)
    counts.eliminate_zeros()
    return counts


def _by_basket(weights: sparse.csr_matrix) -> Scorer:
    return lambda bought, _: (bought @ weights).toarray()


def popularity(past: Past) -> Scorer:
    """Score by orders in the last 28 days."""
    recent = past.baskets.between(past.moment - 28 * DAY, past.moment).orders_per_product()
    return lambda bought, _: np.tile(recent.astype(float), (bought.shape[0], 1))


def raw_co_count(past: Past) -> Scorer:
    """Score by orders that hold both, the typical app."""
    return _by_basket(_without_diagonal(_counts(past)))


def jaccard(past: Past) -> Scorer:
    """Score by orders with both over orders with either."""
    return _by_basket(_jaccard(_counts(past)))


def shrunk_confidence(past: Past) -> Scorer:
    """Score by confidence with 20 orders added below."""
    counts = _counts(past)
    scale = sparse.diags(1 / (counts.diagonal() + 20))
    return _by_basket((scale @ _without_diagonal(counts)).tocsr())


def sar(past: Past) -> Scorer:
    """Score the basket and the decayed history by Jaccard over customers (Smart Adaptive Recommendations)."""
    baskets = past.baskets
    known = baskets.order_customer >= 0
    shape = (max(len(baskets.customer_ids), 1), baskets.order_count)
    by_customer = sparse.csr_matrix(
        (np.ones(int(known.sum())), (baskets.order_customer[known], np.flatnonzero(known))), shape=shape
    )
    owned = (by_customer @ baskets.table()).tocsr()
    owned.data[:] = 1
    # Guests only: baskets are the nearest thing to customers.
    similar = _jaccard((owned.T @ owned).tocsr() if owned.nnz else _counts(past), keep_diagonal=True)
    return lambda bought, history: ((bought + history) @ similar).toarray()


def ease(past: Past, penalty: float = 50.0) -> Scorer:
    """Score by the textbook EASE: double precision, one dense inverse."""
    gram = _counts(past).toarray().astype(np.float64)
    spot = np.arange(len(gram))
    gram[spot, spot] += penalty
    inverse = np.linalg.inv(gram)
    weights = inverse / -np.diag(inverse)
    weights[spot, spot] = 0
    return lambda bought, _: np.asarray(bought @ weights)


def implicit_tfidf(past: Past) -> Scorer:
    """Score by implicit's TFIDFRecommender with all neighbours that it keeps by default for items."""
    from implicit.nearest_neighbours import TFIDFRecommender

    model = TFIDFRecommender(K=200, num_threads=1)
    model.fit(past.baskets.table().astype(np.float64), show_progress=False)
    return _by_basket(_without_diagonal(model.similarity.tocsr()))


def mlxtend_rules(past: Past) -> Scorer:
    """Score by the confidence of mlxtend's pair rules, whatever their lift."""
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    table = past.baskets.table()
    frame = pd.DataFrame(table.toarray().astype(bool))
    itemsets = fpgrowth(frame, min_support=max(LEAST_ORDERS / table.shape[0], 1e-4), max_len=2)
    rules = association_rules(itemsets, metric="confidence", min_threshold=0.0)
    first, second = ([next(iter(side)) for side in rules[name]] for name in ("antecedents", "consequents"))
    count = table.shape[1]
    return _by_basket(sparse.csr_matrix((rules["confidence"].to_numpy(), (first, second)), shape=(count, count)))


def _jaccard(counts: sparse.csr_matrix, *, keep_diagonal: bool = False) -> sparse.csr_matrix:
    own, entries = counts.diagonal(), counts.tocoo()
    values = entries.data / (own[entries.row] + own[entries.col] - entries.data)
    table = sparse.csr_matrix((values, (entries.row, entries.col)), shape=counts.shape)
    return table if keep_diagonal else _without_diagonal(table)


PEERS: dict[str, Callable[[Past], Scorer]] = {
    "popularity 28 d": popularity,
    "raw co-count": raw_co_count,
    "Jaccard": jaccard,
    "shrunk confidence": shrunk_confidence,
    "SAR-Jaccard": sar,
    "implicit TFIDF": implicit_tfidf,
    "EASE(50)": ease,
}


def peers_for(product_count: int) -> dict[str, Callable[[Past], Scorer]]:
    """Give the peers that can stand a catalogue of that size."""
    if product_count > MOST_PRODUCTS_OF_RULES:
        return PEERS
    return PEERS | {"mlxtend rules": mlxtend_rules}


def decayed_history(baskets: Baskets, customers: NDArray[np.int64], moment: int) -> sparse.csr_matrix:
    """Weigh what customers bought before `moment` by age, half-life DECAY_DAYS. Shape: customers x products."""
    past = baskets.between(0, moment)
    row = np.full(max(len(baskets.customer_ids), 1), -1)
    row[customers] = np.arange(len(customers))
    of_order = np.where(past.order_customer >= 0, row[past.order_customer], -1)
    kept = np.flatnonzero(of_order >= 0)
    weight = 0.5 ** ((moment - past.order_time[kept]) / DAY / DECAY_DAYS)
    shape = (len(customers), past.order_count)
    return (sparse.csr_matrix((weight, (of_order[kept], kept)), shape=shape) @ past.table()).tocsr()
