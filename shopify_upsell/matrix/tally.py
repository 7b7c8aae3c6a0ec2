"""The exact counts of a shop in a form that learning can hold: a few numbers a pair, however many pairs there are.

Pure. In: counts as they were kept order by order. Out: the same, found again by product ids.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.companion import Companion

SCORE_DIGITS = 9

Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Tally:
    """Orders with one product, and with both of two.

    Shape: `ids` ascending and `sales` of equal length; `keys` ascending and `n` of equal length, where a key is the
    place of the smaller id times the number of products, plus the place of the larger.
    """

    basket_count: int
    ids: Integers
    sales: Integers
    keys: Integers
    n: Integers

    @property
    def ends(self) -> tuple[Integers, Integers]:
        """Places of both products of every pair, the smaller id first."""
        first, second = np.divmod(self.keys, max(len(self.ids), 1))
        return first, second

    def sold(self, product: int) -> int:
        """Orders with the product."""
        place = int(np.searchsorted(self.ids, product))
        return int(self.sales[place]) if place < len(self.ids) and self.ids[place] == product else 0

    def met(self, product: int, others: Integers) -> Integers:
        """Orders with the product and each of the others. Shape: one number an id of `others`."""
        if not len(self.keys):
            return np.zeros(len(others), dtype=np.int64)
        mine, theirs = np.searchsorted(self.ids, product), np.searchsorted(self.ids, others)
        keys = np.minimum(mine, theirs) * len(self.ids) + np.maximum(mine, theirs)
        place = np.minimum(np.searchsorted(self.keys, keys), len(self.keys) - 1)
        known = np.isin(others, self.ids) & bool(self.sold(product)) & (self.keys[place] == keys)
        return np.where(known, self.n[place], 0)

    def companions(self, anchor: int, others: list[int], scores: list[float]) -> list[Companion]:
        """What is known of the anchor with each of the others, with the scores given."""
        sold, together = self.sold(anchor), self.met(anchor, np.array(others, dtype=np.int64)).tolist()
        return [
            Companion(ProductId(other), met, sold, self.sold(other), self.basket_count, round(score, SCORE_DIGITS))
            for other, met, score in zip(others, together, scores, strict=True)
        ]


def tally_of(basket_count: int, products: Mapping[int, int], first: Integers, second: Integers, n: Integers) -> Tally:
    """Lay counts out. Shape: `first`, `second` (product ids, the smaller one first) and `n` of equal length.

    Orders may have been counted between one look and the next: what the products cannot bear out is cut.
    """
    ids = np.array(sorted(products), dtype=np.int64)
    sales = np.array([products[product] for product in ids.tolist()], dtype=np.int64)
    known = np.isin(first, ids) & np.isin(second, ids)
    first, second, n = first[known], second[known], n[known]
    if len(n):
        n = np.minimum(n, np.minimum(sales[np.searchsorted(ids, first)], sales[np.searchsorted(ids, second)]))
    keys = np.searchsorted(ids, first) * len(ids) + np.searchsorted(ids, second)
    order = np.argsort(keys, kind="stable")
    return Tally(basket_count, ids, sales, keys[order].astype(np.int64), n[order])
