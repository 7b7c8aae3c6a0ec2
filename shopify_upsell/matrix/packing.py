"""What was learned of a shop as rows for serving: the fifty best companions of every product, for every purpose.

Pure. In: a learned matrix and the exact counts. Out: companions by kind and product, best first.

A pair is offered in the name of "often bought together" only where its association lift is above 1 beyond accident
(`association`); among those the ridge decides, which knows what else the orders held. Availability, ownership and
refused pairs are applied when a row is read, never here.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.association import MOST_COMPANIONS, Association
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.ladders import ladders_of
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.tally import SCORE_DIGITS, Tally

ROWS_AT_ONCE = 256

MOST_NEXT_ROWS = 5_000
"""Best-sold products that get a row of next steps: 2 to 5 ms each, so that the largest shop takes half a minute."""

UNKNOWN_TO_RIDGE = 1e-3
"""Share of its association that a pair scores where the ridge gives it no weight: behind every pair that has some."""

Rows = dict[ProductId, tuple[Companion, ...]]


def rows_together(matrix: Matrix, association: Association) -> Rows:
    """Rank the pairs that are associated beyond accident by the ridge. Score: its weight, 0 to 1."""
    bundle, ids = matrix.parts.bundle, matrix.parts.products.id
    rows: Rows = {}
    for anchors, bought in _one_by_one(np.flatnonzero(np.isin(ids, list(association.companions))), len(ids)):
        scores = bundle.lending.scores(bought, bundle.ridge)
        for at, anchor in enumerate(anchors):
            row = association.companions[ProductId(int(ids[anchor]))]
            places = np.searchsorted(ids, [one.product_id for one in row])
            rows[ProductId(int(ids[anchor]))] = _reranked(row, scores[at, places])
    return rows


def rows_next(matrix: Matrix, tally: Tally) -> Rows:
    """List what buyers of a product go on to buy for the first time. Score: its share among those listed."""
    best = tally.ids[np.lexsort((tally.ids, -tally.sales))][:MOST_NEXT_ROWS].tolist()
    rows: Rows = {}
    for start in range(0, len(best), ROWS_AT_ONCE):
        some = best[start : start + ROWS_AT_ONCE]
        answers = matrix.next([[one] for one in some], [[]] * len(some), at=matrix.parts.now, limit=MOST_COMPANIONS)
        for anchor, answer in zip(some, answers, strict=True):
            shares = _shares(np.array([one.score for one in answer]))
            found = tally.companions(anchor, [one.product_id for one in answer], shares.tolist())
            rows[ProductId(anchor)] = tuple(
                replace(one, window=known.evidence.window) for one, known in zip(found, answer, strict=True)
            )
    return rows


def rows_upgrade(matrix: Matrix, tally: Tally) -> Rows:
    """List the steps up from a product, nearest first. Score: the price below over the price above."""
    products = matrix.parts.products
    rows: dict[ProductId, list[Companion]] = {}
    for rung in ladders_of(products):
        below, above = int(products.id[rung.product]), int(products.id[rung.above])
        nearness = float(products.price[rung.product] / products.price[rung.above])
        rows.setdefault(ProductId(below), []).extend(tally.companions(below, [above], [nearness]))
    return {anchor: tuple(row[:MOST_COMPANIONS]) for anchor, row in rows.items()}


def _one_by_one(places: NDArray[np.int64], count: int) -> Iterator[tuple[list[int], sparse.csr_matrix]]:
    """Give baskets of one product each, a few hundred at a time."""
    for start in range(0, len(places), ROWS_AT_ONCE):
        some = places[start : start + ROWS_AT_ONCE]
        ones = np.ones(len(some), dtype=np.float32)
        yield some.tolist(), sparse.csr_matrix((ones, (np.arange(len(some)), some)), shape=(len(some), count))


def _reranked(row: tuple[Companion, ...], weights: NDArray[np.float64]) -> tuple[Companion, ...]:
    scored = [
        replace(one, score=round(min(1.0, max(weight, UNKNOWN_TO_RIDGE * one.score)), SCORE_DIGITS))
        for one, weight in zip(row, weights.tolist(), strict=True)
    ]
    return tuple(sorted(scored, key=lambda one: (-one.score, one.product_id)))


def _shares(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    if not len(scores):
        return scores
    odds = np.exp(scores - scores.max())
    return np.asarray(odds / odds.sum())
