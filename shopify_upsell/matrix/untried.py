"""Which companions a product might have of which no order tells yet: what exploring may try, chosen by the catalogue.

Pure. In: the catalogue, what was sold, and the rows with evidence. Out: a few companions a product, best first.

A pair can be untried only where one of the two has hardly sold: two products that sell and do not meet are known not to
go together. As in `backoff.cold_start_scores`, what speaks for a companion is that it is of the same line (brand,
category) and another kind of product; it says so little that it never counts beside evidence.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.backoff import FEW_ORDERS
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.products import Products, group_codes
from shopify_upsell.matrix.tally import Tally

MOST_UNTRIED = 4
"""Companions without evidence kept a product: one is tried at a time, the others wait for stock and wishes."""

MOST_ANCHORS = 5_000
"""Products that get such companions, the best-sold first: two tenths of a millisecond each, so a second at most."""

MOST_LOOKED_AT = 200
"""Companions weighed for one product, the best-sold of its line."""

UNTRIED_SCORE = 1e-6
"""Score of a companion for which brand alone speaks: behind everything that has evidence."""

LINES = (("brand", 1.0), ("category", 0.5))
SAME_KIND = ("family", "subcategory")

Rows = dict[ProductId, tuple[Companion, ...]]


def untried_companions(products: Products, tally: Tally, known: Mapping[ProductId, tuple[Companion, ...]]) -> Rows:
    """List for each product what might go with it and has not shown whether it does. Ties: the more sold, then by id.

    Among equals the turn goes round, beginning after the product itself, so that not all of them try the same one.
    """
    catalogue = _Catalogue(products, _sold(products, tally))
    rows: Rows = {}
    for anchor in np.lexsort((products.id, -catalogue.sold))[:MOST_ANCHORS].tolist():
        product_id = ProductId(int(products.id[anchor]))
        has_evidence = {one.product_id for one in known.get(product_id, ())}
        places, scores = catalogue.companions_of(anchor, has_evidence)
        if len(places):
            ids = products.id[places].tolist()
            rows[product_id] = tuple(tally.companions(product_id, ids, (UNTRIED_SCORE * scores).tolist()))
    return rows


def _sold(products: Products, tally: Tally) -> NDArray[np.int64]:
    """Orders with each product of the catalogue."""
    if not len(tally.ids):
        return np.zeros(len(products), dtype=np.int64)
    places = np.minimum(np.searchsorted(tally.ids, products.id), len(tally.ids) - 1)
    return np.where(tally.ids[places] == products.id, tally.sales[places], 0)


class _Catalogue:
    """The catalogue, numbered once: lines with their members, kinds, and what has hardly sold."""

    def __init__(self, products: Products, sold: NDArray[np.int64]) -> None:
        self.ids, self.sold, self.is_new = products.id, sold, sold < FEW_ORDERS
        self._kinds = [group_codes(getattr(products, name)) for name in SAME_KIND]
        self._lines = [(group_codes(getattr(products, name)), worth) for name, worth in LINES]
        popular = np.lexsort((self.ids, -sold))
        self._members = [
            (_members(codes, popular), _members(codes, popular[self.is_new[popular]])) for codes, _ in self._lines
        ]

    def companions_of(self, anchor: int, has_evidence: set[ProductId]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Places and scores of the best untried companions of a place. Shape: equal length."""
        pool, scores = self._weighed(anchor)
        is_known = np.isin(self.ids[pool], list(has_evidence)) | (pool == anchor)
        for codes in self._kinds:
            is_known |= (codes[pool] == codes[anchor]) & (codes[anchor] >= 0)
        pool, scores = pool[~is_known], scores[~is_known]
        turn = (pool - anchor) % len(self.ids)
        best = np.lexsort((turn, -self.sold[pool], -scores))[:MOST_UNTRIED]
        return pool[best], scores[best]

    def _weighed(self, anchor: int) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Who is of a line with the place, and how much speaks for each. Beside what sells, only what is new."""
        pool = np.zeros(0, dtype=np.int64)
        for (codes, _), (everything, new) in zip(self._lines, self._members, strict=True):
            members = (everything if self.is_new[anchor] else new).get(int(codes[anchor]), pool[:0])
            pool = np.union1d(pool, members[:MOST_LOOKED_AT])
        scores = np.zeros(len(pool))
        for codes, worth in self._lines:
            scores += worth * ((codes[pool] == codes[anchor]) & (codes[anchor] >= 0))
        return pool, scores


def _members(codes: NDArray[np.int64], order: NDArray[np.int64]) -> dict[int, NDArray[np.int64]]:
    """Places of every group, in the order given."""
    known = order[codes[order] >= 0]
    by_group = known[np.argsort(codes[known], kind="stable")]
    groups, starts = np.unique(codes[by_group], return_index=True)
    return dict(zip(groups.tolist(), np.split(by_group, starts[1:]), strict=True)) if len(groups) else {}
