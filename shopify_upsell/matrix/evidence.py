"""What is returned to the caller: products with the reasons for them.

Comes in: positions chosen for queries, and the learned counts. Goes out: plain values, no arrays, fit to be shown to a
merchant or kept with a decision.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class Evidence:
    """Why a companion was chosen.

    Units: `support` orders holding it with the anchor; `association` is the association lift in one order, 1 for
    independence; `window` first and last day to prefer after buying the anchor, None where no rhythm is proved;
    `anchor_id` the product of the query that speaks most for it, None where popularity alone does. `sources` name the
    kinds of evidence, strongest first.
    """

    anchor_id: int | None
    support: int
    association: float
    window: tuple[int, int] | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Companion:
    """One answer to a query: a product id, its score (comparable within the query only) and the evidence."""

    product_id: int
    score: float
    evidence: Evidence


@dataclass(frozen=True)
class PairCount:
    """Orders with the anchor, the companion, both, and in all."""

    anchor: int
    companion: int
    together: int
    orders: int

    @property
    def confidence(self) -> float:
        """Share of the anchor's orders that hold the companion too."""
        return self.together / self.anchor if self.anchor else 0.0

    @property
    def association(self) -> float:
        """Association lift: confidence over the companion's share of all orders; 0 where nothing is known."""
        expected = self.anchor * self.companion / self.orders if self.orders else 0.0
        return self.together / expected if expected else 0.0


def strongest_anchors(
    chosen: NDArray[np.int64],
    anchors: sparse.csr_matrix,
    counts: sparse.csr_matrix,
    orders: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find, for each chosen product, the anchor of its query with the highest confidence, and their count.

    Shape: chosen queries x limit with -1 for none; anchors (the baskets) queries x products; two arrays like `chosen`,
    anchor -1 where no anchor was ever bought with the product.
    """
    best, support = np.full(chosen.shape, -1, dtype=np.int64), np.zeros(chosen.shape, dtype=np.int64)
    for row in range(len(chosen)):
        held = anchors.indices[anchors.indptr[row] : anchors.indptr[row + 1]]
        filled = np.flatnonzero(chosen[row] >= 0)
        if not len(held) or not len(filled):
            continue
        wanted = chosen[row, filled]
        together = counts[held][:, wanted].toarray()
        confidence = together / np.maximum(orders[held], 1)[:, None]
        place = confidence.argmax(axis=0)
        found = together[place, np.arange(len(wanted))].astype(np.int64)
        best[row, filled] = np.where(found > 0, held[place], -1)
        support[row, filled] = found
    return best, support
