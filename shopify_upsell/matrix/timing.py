"""When B is bought after A: a curve per pair, used only where it has proved itself.

Comes in: waiting counts and kinships. Goes out: for every pair the nearest level (pair, kind, shop) that predicted
customers it had not seen better than the shop's own curve, and its ratios to that curve. `curves` reads them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.lines import Integers
from shopify_upsell.matrix.rare import FEWEST_EVENTS, RarePairs
from shopify_upsell.matrix.waiting import WINDOW_COUNT, Counts, Waiting, exposure

Reals = NDArray[np.float64]

PAIR_WEIGHT, KIND_WEIGHT = 10.0, 20.0
"""Expected events per curve that the level above is worth. Source: gamma-Poisson shrinkage of the ratio of hazards;
flat between half and double on early seeds of the planted-truth generator.
"""

PROOF = 2.0
"""Held-out log likelihood, in nats, by which a curve must beat the level above, on top of the logarithm of how many
curves are tried: seven to one that not even one of them got through by luck. Source: Ville's inequality; tested from
the kind down, so that a kind that has passed opens only its own members.
"""


@dataclass(frozen=True)
class Kinds:
    """What pairs of a kind have in common.

    Shape: `codes` ascending; `ratio` one row a code, and a last one of ones for pairs of no kind; `passes` alike.
    """

    codes: Integers
    ratio: Reals
    passes: NDArray[np.bool_]

    def rows_of(self, kind: Integers) -> Integers:
        """Find kinds in `ratio`; the last row where a kind was never seen. Shape: any in, the same out."""
        place = np.searchsorted(self.codes, kind)
        known = np.append(self.codes, -2)[place] == kind
        return np.where(known, place, len(self.codes))


@dataclass(frozen=True)
class Timing:
    """All curves of a shop.

    Shape: `ratio[a, b, window]` is the hazard over the shop's, shrunk; `level[a, b]` 0 shop, 1 kind, 2 pair, by places
    in `waiting.products`; `rare_ratio` and `rare_level` alike by places in `rare.keys`. `shop_ending`: chance to stop
    by another ending, a window.
    """

    waiting: Waiting
    rare: RarePairs
    kinship: Kinship
    shop_hazard: Reals
    shop_ending: Reals
    kinds: Kinds
    ratio: NDArray[np.float32]
    level: NDArray[np.int8]
    rare_ratio: NDArray[np.float32]
    rare_level: NDArray[np.int8]


@dataclass(frozen=True)
class _Pairs:
    """Pairs to judge. Shape: `events`, `expected` pairs x windows; `kind` their rows in the table of kinds."""

    events: Counts
    expected: Reals
    kind: Integers


def shop_hazard(waiting: Waiting) -> Reals:
    """Give the chance to buy the second product, over all pairs of best-sold ones. Shape: one a window."""
    at_risk = exposure(waiting.at_risk, waiting.ended).sum(axis=(0, 1))
    return np.asarray(waiting.events.sum(axis=(0, 1)) / np.maximum(at_risk, 1), np.float64)


def shop_ending(waiting: Waiting) -> Reals:
    """Give the chance to stop by another ending. Shape: one a window."""
    at_risk = np.maximum(waiting.at_risk.sum(axis=(0, 1), dtype=np.int64), 1)
    return np.asarray(waiting.ended.sum(axis=(0, 1), dtype=np.int64) / at_risk, np.float64)


def pair_level(events: Counts, exposed: Reals, hazard: Reals) -> Reals:
    """Tell how much likelier the second product is than any, shrunk. Shape: (..., windows) in, (...) out."""
    return np.asarray((events.sum(axis=-1) + 1.0) / ((exposed * hazard).sum(axis=-1) + 1.0))


def learn_timing(waiting: Waiting, rare: RarePairs, kinship: Kinship) -> Timing:
    """Fit the ratios, and let each customer judge the curve fitted on all the others."""
    count = len(waiting.products)
    anchor, companion = (waiting.products[place].ravel() for place in np.indices((count, count)))
    kind = kinship.kinds_of(anchor, companion)
    kind[:: count + 1] = -1
    hazard = shop_hazard(waiting)
    events = waiting.events.reshape(-1, WINDOW_COUNT)
    exposed = exposure(waiting.at_risk, waiting.ended).reshape(-1, WINDOW_COUNT)
    expected = exposed * hazard * pair_level(events, exposed, hazard)[:, None]
    kinds = _kinds(events, expected, kind, rare, hazard_share(hazard))
    head = _Pairs(events, expected, kinds.rows_of(kind))
    few_exposed = exposure(rare.at_risk, rare.ended)
    few_expected = few_exposed * hazard * pair_level(rare.events, few_exposed, hazard)[:, None]
    few_kind = kinship.kinds_of(*np.divmod(rare.keys, max(rare.product_count, 1)))
    few = _Pairs(rare.events, few_expected, kinds.rows_of(few_kind))
    tried = _tried(head, kinds) + _tried(few, kinds)
    ratio, level = _judged(head, kinds, hazard_share(hazard), tried)
    rare_ratio, rare_level = _judged(few, kinds, hazard_share(hazard), tried)
    ending = shop_ending(waiting)
    square = (count, count)
    tables = (ratio.reshape(*square, WINDOW_COUNT), level.reshape(square), rare_ratio, rare_level)
    return Timing(waiting, rare, kinship, hazard, ending, kinds, *tables)


def _tried(pairs: _Pairs, kinds: Kinds) -> Reals:
    """Count the pairs that anybody bought, by row of the table of kinds."""
    has_events = (pairs.events.sum(axis=-1) > 0).astype(np.float64)
    return np.bincount(pairs.kind, has_events, minlength=len(kinds.passes)).astype(np.float64)


def _judged(pairs: _Pairs, kinds: Kinds, share: Reals, tried: Reals) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Let pairs prove themselves. `tried`: pairs with purchases by kind, of which all were tried."""
    # A window in which nobody ever bought has no hazard to share; the crumb keeps 0 / 0 out.
    prior = PAIR_WEIGHT * share + 1e-9
    above, kind_passes = kinds.ratio[pairs.kind], kinds.passes[pairs.kind]
    pair_gain = left_out_gain(pairs.events, pairs.expected, above, prior)
    kind_gain = _plain_gain(pairs.events, pairs.expected, above)
    ratio = (pairs.events + prior * above) / (pairs.expected + prior)
    is_own = pair_gain > np.maximum(kind_gain, 0) + PROOF + np.log(max(int(tried.sum()), 1))
    # A kind that has proved a rhythm opens its own members only, so only they are the curves tried.
    is_pulled = kind_passes & (pair_gain > kind_gain + PROOF + np.log(np.maximum(tried, 1))[pairs.kind])
    level = np.where(is_own | is_pulled, 2, kind_passes.astype(np.int8)).astype(np.int8)
    # A pair that has not proved itself within its kind is served by the kind's curve, not by its own.
    ratio[level == 1] = above[level == 1]
    return ratio.astype(np.float32), level


def _kinds(events: Counts, expected: Reals, kind: Integers, rare: RarePairs, share: Reals) -> Kinds:
    """Pool the best-sold products' pairs, and when the others' purchases fell, by kind."""
    codes = np.union1d(kind[kind >= 0], rare.kind_codes)
    count = len(codes)
    observed, predicted = np.zeros((count + 1, WINDOW_COUNT)), np.zeros((count + 1, WINDOW_COUNT))
    # Pairs of no kind land in the last row, which is cleared below.
    row = np.where(kind >= 0, np.searchsorted(codes, kind), count)
    for window in range(WINDOW_COUNT):
        observed[:, window] = np.bincount(row, events[:, window], count + 1)
        predicted[:, window] = np.bincount(row, expected[:, window], count + 1)
    other = np.searchsorted(codes, rare.kind_codes)
    observed[other] += rare.kind_events
    predicted[other] += rare.kind_expected
    prior = KIND_WEIGHT * share + 1e-9
    ratio = (observed + prior) / (predicted + prior)
    gain = left_out_gain(observed, predicted, np.ones(observed.shape), prior)
    tried = max(int((observed[:-1].sum(axis=-1) >= FEWEST_EVENTS).sum()), 1)
    passes = gain > PROOF + np.log(tried)
    ratio[-1], passes[-1] = 1.0, False
    return Kinds(codes, ratio, passes)


def left_out_gain(events: Reals | NDArray[np.int32], expected: Reals, above: Reals, prior: Reals) -> Reals:
    """Measure how much better each customer's window is predicted by the others' than by the shop's curve, in nats.

    Every event is predicted by a curve that was fitted without it; a customer has at most one event per pair, so this
    leaves customers out one by one, and loses no data as halving them would.

    Shape: (..., windows) in, (...) out. `above` is the ratio of the level above, worth `prior` expected events.
    """
    bottom = expected + prior + 1e-12
    top = events + prior * above
    norm = expected / np.maximum(expected.sum(axis=-1, keepdims=True), 1e-300)
    total = (norm * top / bottom).sum(axis=-1, keepdims=True)
    without = np.maximum(top - 1, 1e-9) / bottom
    total_without = np.maximum(total - norm / bottom, 1e-12)
    return np.asarray((events * np.log(without / total_without)).sum(axis=-1))


def _plain_gain(events: NDArray[np.int32], expected: Reals, ratio: Reals) -> Reals:
    norm = expected / np.maximum(expected.sum(axis=-1, keepdims=True), 1e-300)
    total = np.maximum((norm * ratio).sum(axis=-1, keepdims=True), 1e-300)
    return np.asarray((events * np.log(ratio / total)).sum(axis=-1))


def hazard_share(hazard: Reals) -> Reals:
    """Give the share of purchases that fall in each window when nobody is censored."""
    waiting = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    flow = waiting * hazard
    return np.asarray(flow / max(flow.sum(), 1e-300)) if flow.sum() > 0 else np.full(len(hazard), 1 / len(hazard))
