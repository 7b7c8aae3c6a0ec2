"""Pairs that do not expand: owners of A who turn to B clearly less than others do.

Comes in: waiting counts, kinships and same-order counts. Goes out: edges with their evidence and the day to look again.
The rule is on the upper bound, so that a pair is never blocked for want of data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from shopify_upsell.matrix.baskets import DAY
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.waiting import Waiting

Reals = NDArray[np.float64]

UPPER_LIMIT = 0.5
"""Largest upper bound on the ratio of a blocked pair. Source: at .8 reference `matrix.md` part 0 found .82 on unseen
customers where .7 is asked; the winner's curse takes back about a tenth.
"""

CONFIDENCE = 0.95
HORIZON_WINDOWS = 6
"""Windows counted: the first 90 days, the protocol's horizon."""

REVIEW_DAYS = 90
TOGETHER_LIMIT = 0.3
"""Upper bound on the association lift in one order that a blocked pair must stay below too: owners who bought both at
once need no second trip, and would look like owners who turned away.
"""


@dataclass(frozen=True)
class NegativeEdge:
    """A pair that is not to be offered.

    Units: `observed` purchases of the companion by owners of the anchor within 90 days, and `expected` were they like
    the owners of anything; `ratio` and its `upper` bound; `review_at` in unix seconds. `level` is "pair" where the
    pair's own count decides, "kind" where it is pooled with pairs like it, and "merchant" where the merchant has said
    so.
    """

    anchor_id: int
    companion_id: int
    level: str
    observed: float
    expected: float
    ratio: float
    upper: float
    review_at: int


@dataclass(frozen=True)
class Verdicts:
    """The blocked pairs by place in the counted products. Shape: equal-length 1-d arrays."""

    anchor: NDArray[np.int64]
    companion: NDArray[np.int64]
    is_pooled: NDArray[np.bool_]
    observed: Reals
    expected: Reals
    upper: Reals


def upper_ratio(observed: Reals, expected: Reals, confidence: float = CONFIDENCE) -> Reals:
    """Give the exact upper bound on observed over expected.

    Source: Garwood 1936, two-sided Poisson interval by the chi-square quantile.
    """
    bound = chi2.ppf(0.5 + confidence / 2, 2 * (observed + 1)) / 2
    return np.asarray(np.where(expected > 0, bound / np.maximum(expected, 1e-300), np.inf))


@dataclass(frozen=True)
class Tally:
    """Observed and expected counts of every counted pair. Shape: n x n."""

    observed: Reals
    expected: Reals

    def pooled(self, kind: NDArray[np.int64]) -> Tally:
        """Give every pair the sums over its kind; zero where it has none."""
        return Tally(_pool(kind, self.observed), _pool(kind, self.expected))

    def upper(self) -> Reals:
        """Give the upper bounds on the ratios."""
        return upper_ratio(self.observed, self.expected)


def find_negative(waiting: Waiting, kinship: Kinship, together: Tally, *, upper_limit: float = UPPER_LIMIT) -> Verdicts:
    """Judge every counted pair, alone and pooled with its kind, by what follows and by what goes along.

    Shape: `together` counts orders with both and what independence expects, n x n.
    """
    after = observed_and_expected(waiting)
    count = len(waiting.products)
    anchor, companion = np.indices((count, count))
    kind = kinship.kinds_of(waiting.products[anchor], waiting.products[companion])
    kind[np.arange(count), np.arange(count)] = -1
    after_kind, together_kind = after.pooled(kind), together.pooled(kind)
    own_upper, kind_upper = after.upper(), after_kind.upper()
    is_own = (own_upper < upper_limit) & (together.upper() < TOGETHER_LIMIT)
    # A kind never condemns a member that by its own counts does as well as the norm.
    is_pooled = (kind_upper < upper_limit) & (together_kind.upper() < TOGETHER_LIMIT) & ~is_own
    is_pooled &= (after.observed <= after.expected) & (together.observed <= together.expected)
    first, second = np.nonzero((is_own | is_pooled) & (anchor != companion))
    pooled = is_pooled[first, second]

    def chosen(own: Reals, shared: Reals) -> Reals:
        return np.where(pooled, shared[first, second], own[first, second])

    return Verdicts(
        first,
        second,
        pooled,
        chosen(after.observed, after_kind.observed),
        chosen(after.expected, after_kind.expected),
        chosen(own_upper, kind_upper),
    )


def observed_and_expected(waiting: Waiting) -> Tally:
    """Count purchases of B after A within the horizon, and what B's norm would give the same risk sets."""
    events = waiting.events[..., :HORIZON_WINDOWS].astype(np.float64)
    risk = waiting.at_risk[..., :HORIZON_WINDOWS].astype(np.float64)
    spot = np.arange(len(waiting.products))
    risk[spot, spot] = 0
    norm = events.sum(axis=0) / np.maximum(risk.sum(axis=0), 1)
    return Tally(events.sum(axis=-1), (risk * norm[None, :, :]).sum(axis=-1))


def _pool(kind: NDArray[np.int64], values: Reals) -> Reals:
    inside = kind >= 0
    codes, compact = np.unique(kind[inside], return_inverse=True)
    pooled = np.zeros(kind.shape)
    pooled[inside] = np.bincount(compact.reshape(-1), values[inside], minlength=len(codes))[compact.reshape(-1)]
    return pooled


def edges_of(verdicts: Verdicts, ids: NDArray[np.int64], *, now: int) -> list[NegativeEdge]:
    """Write the verdicts out with product ids. Units: `now` in unix seconds."""
    return [
        NegativeEdge(
            anchor_id=int(ids[verdicts.anchor[place]]),
            companion_id=int(ids[verdicts.companion[place]]),
            level="kind" if verdicts.is_pooled[place] else "pair",
            observed=float(verdicts.observed[place]),
            expected=float(verdicts.expected[place]),
            ratio=float(verdicts.observed[place] / verdicts.expected[place]),
            upper=float(verdicts.upper[place]),
            review_at=now + REVIEW_DAYS * DAY,
        )
        for place in range(len(verdicts.anchor))
    ]
