"""Which pairs of products are alike, so that thin evidence can be pooled.

Comes in: catalogue columns. Goes out: a kind for each pair: the two products' types (subcategory, else category) and
whether they share a line (brand, else family), the lowest level at which shops describe their goods.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from shopify_upsell.matrix.lines import Integers
from shopify_upsell.matrix.products import Products, group_codes

MOST_TYPES = 400
"""Types above which the finer level is too fine to pool by, and the coarser one is used."""


@dataclass(frozen=True)
class Kinship:
    """Type and line of each product; -1 where the catalogue does not say."""

    type_of: Integers
    line_of: Integers

    @property
    def type_count(self) -> int:
        """Count the types."""
        return int(self.type_of.max(initial=-1)) + 1

    @property
    def kind_count(self) -> int:
        """Count the possible kinds of pair."""
        return self.type_count**2 * 2

    def kinds_of(self, anchor: Integers, companion: Integers) -> Integers:
        """Give each pair's kind, -1 where one of the two has no type."""
        first, second = self.type_of[anchor], self.type_of[companion]
        same_line = (self.line_of[anchor] == self.line_of[companion]) & (self.line_of[anchor] >= 0)
        kind = (first * self.type_count + second) * 2 + same_line
        return np.where((first >= 0) & (second >= 0), kind, -1)


def kinship_of(products: Products) -> Kinship:
    """Read types and lines from the finest column that is filled and not too fine."""
    return Kinship(
        type_of=_first_usable(products, ("subcategory", "category")),
        line_of=_first_usable(products, ("brand", "family"), most=len(products)),
    )


def _first_usable(products: Products, names: tuple[str, ...], most: int = MOST_TYPES) -> Integers:
    for name in names:
        codes = group_codes(getattr(products, name))
        if codes.max(initial=-1) >= 0 and codes.max() < most:
            return codes
    return np.full(len(products), -1, dtype=np.int64)
