"""What earlier sends say of windows: each one's chance to be the best, by pair and by kind of pair.

Pure. Comes in: counts of the log. Goes out: chances for `matrix.sending.plan_send`. Whoever was held out was planned in
the same way and heard nothing, so what they bought is taken off where there are enough of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.timed import COMPLEMENT, RELATIONS, Pair
from shopify_upsell.matrix.waiting import WINDOW_COUNT

MOST_PAIRS = 300
"""Pairs with an estimate of their own, the most tried; the rest speak for their kind together. Our choice: a second of
CPU."""

FEWEST_HELD_OUT = 40
"""Held-out sends below which nothing is taken off: so few say nothing of eight windows. Our choice, as many as make a
pair's estimate its own."""

DRAWS = 1_000

Counts = NDArray[np.int64]
Chances = tuple[float, ...]
Named = tuple[Pair, str]


@dataclass(frozen=True, slots=True)
class Tried:
    """Sends of one pair in one window whose fourteen days are over. Units: sends; `bought` of those `tried`."""

    pair: Pair
    relation: str
    window: int
    is_holdout: bool
    tried: int
    bought: int


@dataclass(frozen=True, slots=True)
class Learned:
    """Chances by pair, and by relation for pairs that were never tried. Empty: nothing is known, draw uniformly."""

    by_pair: Mapping[Named, Chances] = field(default_factory=dict)
    by_relation: Mapping[str, Chances] = field(default_factory=dict)

    def chances_of(self, pair: Pair, relation: str) -> dict[int, float]:
        """Each window's chance to be the best for a pair. Units: rates, 0 to 1."""
        known = self.by_pair.get((pair, relation)) or self.by_relation.get(relation, ())
        return dict(enumerate(known))


NOTHING_LEARNED = Learned()


def learn_windows(counts: Iterable[Tried], *, seed: int) -> Learned:
    """Estimate from what was tried. The same counts and seed give the same chances, to the bit."""
    listed = sorted(counts, key=lambda one: (one.pair, one.relation, one.window, one.is_holdout))
    if not any(one.tried for one in listed if not one.is_holdout):
        return NOTHING_LEARNED
    from shopify_upsell.matrix.sending import Pitches, chances_of_best, estimate_rates

    names = _most_tried(listed)
    # One row a relation stands behind the pairs: for those that have no row, and for what their kind says.
    relations: list[str] = [relation for _, relation in names] + list(RELATIONS)
    category = np.array([RELATIONS.index(one) for one in relations], dtype=np.int64)
    told = [Pitches(*_summed(listed, names, is_holdout=side), category) for side in (False, True)]
    alone = estimate_rates(told[1]) if told[1].tried.sum() >= FEWEST_HELD_OUT else None
    chances = chances_of_best(
        estimate_rates(told[0]), np.random.default_rng(seed), held_out=alone, draws=DRAWS
    ).tolist()
    return Learned(
        by_pair={name: tuple(row) for name, row in zip(names, chances, strict=False)},
        by_relation={name: tuple(row) for name, row in zip(RELATIONS, chances[len(names) :], strict=True)},
    )


def _most_tried(counts: Iterable[Tried]) -> list[Named]:
    total: dict[Named, int] = {}
    for one in counts:
        if not one.is_holdout:
            name = (one.pair, _known(one.relation))
            total[name] = total.get(name, 0) + one.tried
    return sorted(total, key=lambda name: (-total[name], name))[:MOST_PAIRS]


def _summed(counts: Iterable[Tried], names: Sequence[Named], *, is_holdout: bool) -> tuple[Counts, Counts]:
    """Sum by row and window: a pair's own row, or that of its relation."""
    place = {name: at for at, name in enumerate(names)}
    shape = (len(names) + len(RELATIONS), WINDOW_COUNT)
    tried, bought = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    for one in counts:
        if one.is_holdout == is_holdout:
            relation = _known(one.relation)
            row = place.get((one.pair, relation), len(names) + RELATIONS.index(relation))
            tried[row, one.window] += one.tried
            bought[row, one.window] += one.bought
    return tried, bought


def _known(relation: str) -> str:
    return relation if relation in RELATIONS else COMPLEMENT
