"""The signals that the next-step ranking weighs: association, history, recency and recent popularity.

Comes in: what a shop's past says about each product and pair. Goes out: for each (query, candidate) a row of numbers,
each on a scale that means the same in every shop, so that weights learned on one month serve the next. Price is not
among them: a dearer product must never rank higher for being dearer.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import Baskets
from shopify_upsell.matrix.firsts import FirstPurchases, first_purchases, within_budget
from shopify_upsell.matrix.gram import co_counts
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.popularity import Popularity, popularity_of
from shopify_upsell.matrix.products import Products, group_codes
from shopify_upsell.matrix.pruning import prune_sparse_rows, rows_budget
from shopify_upsell.matrix.sequences import count_followers, sequence_lifts

SIGNAL_NAMES = (
    "popularity_overall",
    "popularity_season",
    "popularity_trend",
    "newly_owned_recent",
    "newly_owned_season",
    "ridge_basket",
    "ridge_history",
    "confidence_basket",
    "owners_basket",
    "owners_history",
    "sequence_basket",
    "sequence_history",
    "category",
    "subcategory",
    "brand",
    "family",
)

RATE_FLOOR = 0.003
"""Added to a rate before its logarithm, so that "never" is far below "seldom" but not infinitely so."""

CONFIDENCE_PRIOR = 20
"""Orders, or owners, added below a confidence's fraction. Source: shrunk confidence (20), reference `matrix.md` part 3.
"""

OWNER_PAIR_BUDGET = 60_000_000
"""Pairs of owned products that are counted: about two seconds; beyond it, a drawn sample of customers."""

GROUP_PRIOR = 5.0

Table = NDArray[np.float32]


@dataclass(frozen=True)
class Signals:
    """All that a shop's past contributes, as of one moment. Tables are n x n, row = what is owned."""

    popularity: Popularity
    ridge: sparse.csr_matrix
    confidence: sparse.csr_matrix
    owners: sparse.csr_matrix
    sequence: sparse.csr_matrix
    groups: tuple[NDArray[np.int64], ...]
    family: NDArray[np.int64]
    volume: NDArray[np.float64]

    @property
    def product_count(self) -> int:
        """Count the products."""
        return len(self.volume)

    @cached_property
    def pull(self) -> sparse.csr_matrix:
        """Give lift - 1 where it is above 0. Hazards add up, so the products of a basket add their excess."""
        excess = self.sequence.copy()
        excess.data = np.expm1(np.maximum(excess.data, 0))
        excess.eliminate_zeros()
        return excess


def learn_signals(
    baskets: Baskets, products: Products, kinship: Kinship, ridge: sparse.csr_matrix, *, now: int, seed: int
) -> Signals:
    """Gather the signals from the orders up to `now`."""
    firsts = first_purchases(baskets)
    return Signals(
        popularity=popularity_of(baskets, firsts, now=now),
        ridge=ridge,
        confidence=_shrunk_confidence(co_counts(baskets)),
        owners=_owner_confidence(firsts, seed=seed),
        sequence=sequence_lifts(count_followers(firsts), kinship),
        groups=tuple(group_codes(getattr(products, name)) for name in ("category", "subcategory", "brand")),
        family=group_codes(products.family),
        volume=np.asarray(baskets.orders_per_product() + 1e-3, dtype=np.float64),
    )


def signal_table(signals: Signals, bought: sparse.csr_matrix, owned: sparse.csr_matrix) -> Table:
    """Evaluate every signal for every query and product.

    Shape: `bought` (baskets) and `owned` (histories) are queries x products; the result queries x products x signals,
    in the order of SIGNAL_NAMES.
    """
    queries, count = bought.shape[0], signals.product_count
    table = np.zeros((queries, count, len(SIGNAL_NAMES)), dtype=np.float32)
    rates = signals.popularity
    table[:, :, 0] = np.log(rates.overall)
    table[:, :, 1] = np.log(rates.season)
    table[:, :, 2] = np.log((rates.recent + 1e-4) / (rates.season + 1e-4))
    table[:, :, 3] = np.log(rates.newly_owned_recent)
    table[:, :, 4] = np.log(rates.newly_owned_season)
    of_basket, of_history = _mean_rows(bought), _mean_rows(owned)
    table[:, :, 5] = (bought @ signals.ridge).toarray()
    table[:, :, 6] = (owned @ signals.ridge).toarray()
    table[:, :, 7] = np.log((of_basket @ signals.confidence).toarray() + RATE_FLOOR)
    table[:, :, 8] = np.log((of_basket @ signals.owners).toarray() + RATE_FLOOR)
    table[:, :, 9] = np.log((of_history @ signals.owners).toarray() + RATE_FLOOR)
    table[:, :, 10] = np.log1p((bought @ signals.pull).toarray())
    table[:, :, 11] = (of_history @ signals.sequence).toarray()
    known = (bought + owned).tocsr()
    for place, codes in enumerate(signals.groups, start=12):
        table[:, :, place] = _group_lift(known, codes, signals.volume)
    table[:, :, 15] = _owns_family(known, signals.family)
    return table


def _mean_rows(rows: sparse.csr_matrix) -> sparse.csr_matrix:
    sizes = np.maximum(np.diff(rows.indptr), 1).astype(np.float32)
    return sparse.diags(1 / sizes).astype(np.float32) @ rows


def _shrunk_confidence(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    scale = (1 / (counts.diagonal() + CONFIDENCE_PRIOR)).astype(np.float32)
    confidence = counts.copy()
    confidence.data *= np.repeat(scale, np.diff(confidence.indptr))
    confidence.setdiag(0)
    confidence.eliminate_zeros()
    return prune_sparse_rows(confidence, rows_budget(counts.shape[0]))


def _owner_confidence(firsts: FirstPurchases, *, seed: int) -> sparse.csr_matrix:
    """Estimate, for each pair, the share of the first product's owners who also own the second."""
    owned = within_budget(firsts, OWNER_PAIR_BUDGET, seed=seed).ownership()
    return _shrunk_confidence((owned.T @ owned).tocsr())


def _group_lift(known: sparse.csr_matrix, codes: NDArray[np.int64], volume: NDArray[np.float64]) -> Table:
    """Give the log of how much more of its group a customer holds than the shop sells, shrunk."""
    has_group = codes >= 0
    lift = np.zeros(known.shape, dtype=np.float32)
    if not has_group.any():
        return lift
    places = np.flatnonzero(has_group)
    shape = (len(codes), int(codes.max()) + 1)
    membership = sparse.csr_matrix((np.ones(len(places), np.float32), (places, codes[places])), shape=shape)
    norm = membership.T @ volume
    norm = (norm + 1e-6) / norm.sum()
    held = (known @ membership).toarray()
    total = held.sum(axis=1, keepdims=True)
    log_lift = np.log((held + GROUP_PRIOR * norm) / ((total + GROUP_PRIOR) * norm))
    lift[:, places] = log_lift[:, codes[places]]
    return lift


def _owns_family(known: sparse.csr_matrix, family: NDArray[np.int64]) -> Table:
    """Tell whether the customer already holds another size or shade of the same product."""
    owns = np.zeros(known.shape, dtype=np.float32)
    places = np.flatnonzero(family >= 0)
    if not len(places):
        return owns
    shape = (len(family), int(family.max()) + 1)
    membership = sparse.csr_matrix((np.ones(len(places), np.float32), (places, family[places])), shape=shape)
    held = (known @ membership).toarray() > 0
    owns[:, places] = held[:, family[places]]
    return owns
