"""The learned state of a matrix: plain frozen values, one per question that it answers.

Comes in: what the learning steps return. Goes out: the same, grouped by purpose, so that it can be saved to a file,
loaded elsewhere and asked without the order history.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.backoff import Lending
from shopify_upsell.matrix.bundles import BundleSettings
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.negative import Verdicts
from shopify_upsell.matrix.products import Products
from shopify_upsell.matrix.replenishment import Replenishment
from shopify_upsell.matrix.signals import Signals
from shopify_upsell.matrix.timing import Timing


@dataclass(frozen=True)
class BundlePart:
    """What completes a basket. Tables are n x n, row = anchor; `counts` are orders with both products."""

    ridge: sparse.csr_matrix
    lending: Lending
    settings: BundleSettings
    counts: sparse.csr_matrix
    orders_per_product: NDArray[np.int64]
    order_count: int
    recent_share: NDArray[np.float64]


@dataclass(frozen=True)
class NextPart:
    """What is bought next: signals and one weight for each.

    Shape: `sold` are the positions of the products that have ever sold; the signals know only these.
    """

    sold: NDArray[np.int64]
    signals: Signals
    weights: NDArray[np.float64]


@dataclass(frozen=True)
class WhenPart:
    """When it is bought, what never is, and what is bought again."""

    timing: Timing
    verdicts: Verdicts
    replenishment: Replenishment


@dataclass(frozen=True)
class Learned:
    """Everything. Units: `now`, the moment learned from, in unix seconds."""

    now: int
    seed: int
    products: Products
    kinship: Kinship
    bundle: BundlePart
    next_step: NextPart
    when: WhenPart
