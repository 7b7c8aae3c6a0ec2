"""From scores to a short list: what may not be shown is struck out, then the best are taken in a fixed order.

Comes in: scores per query and product. Goes out: positions, best first. Exclusion happens here, at the last moment, so
that no learned table has to be rebuilt when stock or a merchant's word changes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Reals = NDArray[np.float64]
Pair = tuple[int, int]


@dataclass(frozen=True)
class MerchantWord:
    """What the merchant decided about ordered pairs of product ids; it wins over anything learned.

    `blocked` pairs are never shown, `lifted` ones are shown although learned to be negative, `pinned` ones come first.
    """

    blocked: frozenset[Pair] = field(default_factory=frozenset)
    lifted: frozenset[Pair] = field(default_factory=frozenset)
    pinned: frozenset[Pair] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Choice:
    """Chosen products per query, best first; -1 fills up where nothing was left. Shape: queries x limit."""

    product: NDArray[np.int64]
    score: Reals


def basket_table(queries: Iterable[Iterable[int]], product_ids: NDArray[np.int64]) -> sparse.csr_matrix:
    """Lay lists of product ids out as queries x products, each product once; unknown ids are passed over."""
    lists = [np.unique(np.fromiter(query, dtype=np.int64)) for query in queries]
    sizes = [len(ids) for ids in lists]
    wanted = np.concatenate(lists) if lists else np.empty(0, dtype=np.int64)
    shape = (len(lists), len(product_ids))
    if not len(product_ids):
        return sparse.csr_matrix(shape, dtype=np.float32)
    place = np.minimum(np.searchsorted(product_ids, wanted), len(product_ids) - 1)
    is_known = product_ids[place] == wanted
    row = np.repeat(np.arange(len(lists)), sizes)
    ones = np.ones(int(is_known.sum()), dtype=np.float32)
    return sparse.csr_matrix((ones, (row[is_known], place[is_known])), shape=shape)


def choose(scores: Reals, excluded: NDArray[np.bool_], tie_break: Reals, *, limit: int) -> Choice:
    """Take the best of what is not excluded; equal scores go by `tie_break`, then by position.

    Shape: scores and excluded queries x products; tie_break one number per product.
    """
    scores = np.where(excluded, -np.inf, scores)
    kept = min(limit, scores.shape[1])
    if kept == 0 or not len(scores):
        return Choice(np.full((len(scores), limit), -1), np.full((len(scores), limit), -np.inf))
    # Everything that ties with the last place is in the running, so that ties are settled by rule, not by luck.
    edge = -np.partition(-scores, kept - 1, axis=1)[:, kept - 1]
    product = np.full((len(scores), limit), -1, dtype=np.int64)
    score = np.full((len(scores), limit), -np.inf)
    for row, least in enumerate(edge):
        running = np.flatnonzero((scores[row] >= least) & (scores[row] > -np.inf))
        best = running[np.lexsort((running, -tie_break[running], -scores[row, running]))][:kept]
        product[row, : len(best)], score[row, : len(best)] = best, scores[row, best]
    return Choice(product, score)


def blocked_table(anchor: NDArray[np.int64], companion: NDArray[np.int64], count: int) -> sparse.csr_matrix:
    """Lay blocked pairs out as n x n, row = anchor."""
    ones = np.ones(len(anchor), dtype=np.float32)
    return sparse.csr_matrix((ones, (anchor, companion)), shape=(count, count))


def margin_factors(price: NDArray[np.int64], cost: NDArray[np.int64], exponent: float) -> Reals:
    """Give the factor that margin puts on a score: (margin / typical margin) ** exponent.

    Only price minus cost enters, so a change of price at the same margin changes nothing. Products whose margin is
    unknown count as typical.

    Units: minor units; the factor is dimensionless.
    Source: reference `matrix.md` part 0: exponent .25 costs 1-8 % of hits for 5 % and more of margin; 1 loses money.
    """
    margin = (price - cost).astype(np.float64)
    is_known = (price >= 0) & (cost >= 0)
    if exponent == 0 or not is_known.any():
        return np.ones(len(price))
    typical = max(float(np.median(margin[is_known])), 1.0)
    relative = np.where(is_known, np.maximum(margin, 1.0) / typical, 1.0)
    return np.asarray(relative**exponent)
