"""Co-counts of products over baskets, the additive evidence that every pair score is made of.

Comes in: baskets. Goes out: sparse symmetric tables. Every table is a sum over orders, so that it can be kept up to
date by adding an order and subtracting a refund, and a giant shop can be counted in parts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import DAY, Baskets

HALF_LIFE_DAYS = 730
"""Age at which an order counts half in the ridge. Source: on the bench sets anything from 180 days to no decay differs
by 1 % either way, set by set; a mild decay lets a shop forget what it no longer sells.
"""


def order_weights(baskets: Baskets, *, now: int, half_life_days: float = HALF_LIFE_DAYS) -> NDArray[np.float32]:
    """Weigh each order by basket size ** -1/2 and by age.

    A basket of n products shows n² pairs, so unweighted counts are mostly the opinion of the largest baskets; the
    square root is the middle way between counting pairs alike and counting orders alike.

    Units: `now` in unix seconds; the weight is dimensionless, 1 for a fresh order of one product.
    Source: reference `matrix.md` part 5 (n^-1/2 weights stay additive); exponential decay by half-life.
    """
    sizes = np.bincount(baskets.entry_order, minlength=baskets.order_count)
    age_days = np.maximum(now - baskets.order_time, 0) / DAY
    weights = 0.5 ** (age_days / half_life_days) / np.sqrt(np.maximum(sizes, 1))
    return weights.astype(np.float32)


def co_counts(baskets: Baskets, weights: NDArray[np.float32] | None = None) -> sparse.csr_matrix:
    """Sum, over orders, the weight of each pair of products bought together; the diagonal counts the product.

    Shape: product_count x product_count, symmetric, float32, indices sorted.
    """
    root = None if weights is None else np.sqrt(weights)
    table = baskets.table(root)
    gram = (table.T @ table).tocsr()
    gram.sort_indices()
    return gram
