"""Pairs that do not expand: owners of A who turn to B clearly less than others do.

Comes in: waiting counts, kinships and same-order counts. Goes out: edges with their evidence and the day to look again.
The rule is on the upper bound, so that a pair is never blocked for want of data.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from shopify_upsell.matrix.baskets import DAY
from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.lines import Integers
from shopify_upsell.matrix.poisson import upper_count
from shopify_upsell.matrix.rare import RarePairs
from shopify_upsell.matrix.waiting import Waiting, exposure

Reals = NDArray[np.float64]

UPPER_LIMIT = 0.5
"""Largest upper bound on the ratio of a blocked pair. Source: at .8 reference `matrix.md` part 0 found .82 on unseen
customers where .7 is asked; the winner's curse takes back about a tenth.
"""

CONFIDENCE = 0.95
HORIZON_WINDOWS = 6
"""Windows counted: the first 90 days, the protocol's horizon."""

REVIEW_DAYS = 90
MOST_ASKED = 500_000
"""Rarer products' pairs that are looked at, those whose sales are largest; 500,000 take 60 MB."""

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
    """The blocked pairs by position in the catalogue. Shape: equal-length 1-d arrays."""

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
    bound = upper_count(observed, confidence)
    return np.asarray(np.where(expected > 0, bound / np.maximum(expected, 1e-300), np.inf))


@dataclass(frozen=True)
class Tally:
    """Observed and expected counts. Shape: alike, one entry a pair."""

    observed: Reals
    expected: Reals

    def upper(self) -> Reals:
        """Give the upper bounds on the ratios."""
        return upper_ratio(self.observed, self.expected)


@dataclass(frozen=True)
class _Judged:
    """Pairs to judge by position, with their kinds, what followed and what went along. Shape: equal-length 1-d."""

    anchor: Integers
    companion: Integers
    kind: Integers
    after: Tally
    together: Tally


@dataclass(frozen=True)
class _Pools:
    """Sums over the best-sold products' pairs by kind; the last entry, of nothing, stands for no kind."""

    codes: Integers
    after: Tally
    together: Tally

    def of(self, tally: Tally, kind: Integers) -> Tally:
        """Give each pair the sums of its kind, 0 where it has none."""
        place = np.searchsorted(self.codes, kind)
        place = np.where(np.append(self.codes, -2)[place] == kind, place, len(self.codes))
        return Tally(tally.observed[place], tally.expected[place])


def find_negative(
    waiting: Waiting, rare: RarePairs, kinship: Kinship, counts: sparse.csr_matrix, order_count: int
) -> Verdicts:
    """Judge every counted pair, alone and pooled with its kind, by what follows and by what goes along.

    Kinds are pooled over the best-sold products; rarer pairs are judged by their own counts and by their kind's.

    Shape: `counts` orders with both of two positions, the diagonal orders with the one.
    """
    head = _of_best_sold(waiting, kinship, counts, order_count)
    few = _of_rare(waiting, rare, kinship, counts, order_count)
    pools = _pools(head)
    verdicts = [_verdicts(pairs, pools) for pairs in (head, few)]
    columns = (np.concatenate(part) for part in zip(*verdicts, strict=True))
    return Verdicts(*columns)


def pairs_due(orders: Integers, order_count: int, is_counted: NDArray[np.bool_]) -> Integers:
    """List the pairs that so many orders are due to hold both of that none at all would prove something.

    Shape: one entry a position in, keys (anchor x positions + companion, ascending) out; pairs of which both are
    counted already are left out.
    """
    ranked = np.lexsort((np.arange(len(orders)), -orders))
    ranked = ranked[orders[ranked] > 0]
    due = float(upper_count(0)) / TOGETHER_LIMIT * order_count
    sold = orders[ranked].astype(np.float64)
    while True:
        # Sales fall along the ranks, so that each product's partners are the first so many.
        many = np.searchsorted(-sold, -due / np.maximum(sold, 1), side="right")
        if int(many.sum()) <= MOST_ASKED + int(is_counted.sum()) ** 2:
            break
        due *= 2
    anchor = np.repeat(ranked, many)
    companion = ranked[np.arange(len(anchor)) - np.repeat(np.cumsum(many) - many, many)]
    kept = (anchor != companion) & ~(is_counted[anchor] & is_counted[companion])
    return np.sort(anchor[kept] * np.int64(len(orders)) + companion[kept])


def observed_and_expected(waiting: Waiting) -> Tally:
    """Count purchases of B after A within the horizon, and what B's norm would give the same risk sets.

    Shape: n x n.
    """
    events = waiting.events[..., :HORIZON_WINDOWS].astype(np.float64)
    risk = _exposed(waiting)
    norm = events.sum(axis=0) / np.maximum(risk.sum(axis=0), 1)
    return Tally(events.sum(axis=-1), (risk * norm[None, :, :]).sum(axis=-1))


def _exposed(waiting: Waiting) -> Reals:
    risk = exposure(waiting.at_risk, waiting.ended)[..., :HORIZON_WINDOWS]
    spot = np.arange(len(waiting.products))
    risk[spot, spot] = 0
    return risk


def _of_best_sold(waiting: Waiting, kinship: Kinship, counts: sparse.csr_matrix, order_count: int) -> _Judged:
    counted = waiting.products
    orders = counts.diagonal()[counted].astype(np.float64)
    together = counts[counted][:, counted].toarray().astype(np.float64)
    expected = orders[:, None] * orders[None, :] / max(order_count, 1)
    after = observed_and_expected(waiting)
    anchor, companion = (counted[place].ravel() for place in np.indices(expected.shape))
    kind = kinship.kinds_of(anchor, companion)
    kind[anchor == companion] = -1
    flat = Tally(after.observed.ravel(), after.expected.ravel())
    return _Judged(anchor, companion, kind, flat, Tally(together.ravel(), expected.ravel()))


def _of_rare(
    waiting: Waiting, rare: RarePairs, kinship: Kinship, counts: sparse.csr_matrix, order_count: int
) -> _Judged:
    anchor, companion = np.divmod(rare.keys, max(rare.product_count, 1))
    head = slice(0, HORIZON_WINDOWS)
    bought, exposed = rare.follower_events[:, head].copy(), rare.follower_exposure[:, head].copy()
    bought[waiting.products] += waiting.events[..., head].sum(axis=0)
    exposed[waiting.products] += _exposed(waiting).sum(axis=0)
    norm = bought / np.maximum(exposed, 1)
    risk = exposure(rare.at_risk, rare.ended)[:, head]
    after = Tally(rare.events[:, head].sum(axis=1).astype(np.float64), (risk * norm[companion]).sum(axis=1))
    orders = counts.diagonal().astype(np.float64)
    # Long rows may have been cut; a pair that one of its two rows still holds was met.
    together = np.maximum(_entries(counts, anchor, companion), _entries(counts, companion, anchor))
    due = orders[anchor] * orders[companion] / max(order_count, 1)
    return _Judged(anchor, companion, kinship.kinds_of(anchor, companion), after, Tally(together, due))


def _entries(counts: sparse.csr_matrix, row: Integers, column: Integers) -> Reals:
    return np.asarray(counts[row, column], np.float64).ravel() if len(row) else np.zeros(0)


def _pools(pairs: _Judged) -> _Pools:
    inside = pairs.kind >= 0
    codes, place = np.unique(pairs.kind[inside], return_inverse=True)

    def pooled(tally: Tally) -> Tally:
        observed, expected = (
            np.bincount(place, part[inside], len(codes) + 1).astype(np.float64)
            for part in (tally.observed, tally.expected)
        )
        return Tally(observed, expected)

    return _Pools(codes, pooled(pairs.after), pooled(pairs.together))


def _verdicts(pairs: _Judged, pools: _Pools) -> tuple[NDArray[np.generic], ...]:
    """Judge pairs; give the columns of `Verdicts`."""
    after, together = pairs.after, pairs.together
    after_kind, together_kind = pools.of(pools.after, pairs.kind), pools.of(pools.together, pairs.kind)
    own_upper, kind_upper = after.upper(), after_kind.upper()
    is_own = (own_upper < UPPER_LIMIT) & (together.upper() < TOGETHER_LIMIT)
    # A kind never condemns a member that by its own counts does as well as the norm.
    is_pooled = (kind_upper < UPPER_LIMIT) & (together_kind.upper() < TOGETHER_LIMIT) & ~is_own
    is_pooled &= (after.observed <= after.expected) & (together.observed <= together.expected)
    rows = np.flatnonzero((is_own | is_pooled) & (pairs.anchor != pairs.companion))
    pooled = is_pooled[rows]

    def chosen(own: Reals, shared: Reals) -> Reals:
        return np.where(pooled, shared[rows], own[rows])

    return (
        pairs.anchor[rows],
        pairs.companion[rows],
        pooled,
        chosen(after.observed, after_kind.observed),
        chosen(after.expected, after_kind.expected),
        chosen(own_upper, kind_upper),
    )


def edges_of(verdicts: Verdicts, ids: NDArray[np.int64], *, now: int) -> list[NegativeEdge]:
    """Write the verdicts out with product ids, of which `ids` is the catalogue's. Units: `now` in unix seconds."""
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
