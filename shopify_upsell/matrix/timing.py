"""When B is bought after A: a curve per pair, used only where it has proved itself.

Comes in: waiting counts and kinships. Goes out: per pair a curve from the nearest level (pair, kind, shop) that
predicted customers it had not seen better than the shop's own curve, with counts and intervals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from shopify_upsell.matrix.kinship import Kinship
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS, Waiting

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

FEWEST_EVENTS = 5
"""Events below which a kind is not even tried."""

WINDOW_SHARE = 0.8
"""Part of the purchases in excess of the norm that the preferred window holds: less would cut a rhythm that lies across
two windows.
"""

BLOCKED_RATIO = 0.5
"""A window is blocked when even the upper bound of its ratio to the norm lies below this."""


@dataclass(frozen=True)
class TimingCurve:
    """When the second product follows the first.

    Units: edges in days; hazard per window, incidence, bounds and shares 0 to 1; counts of customers. `level` says
    whose evidence it is: "pair", "kind" or "shop". `window` is the days to prefer, first and last included, None where
    only the shop's curve is known; `blocked` are windows to stay silent in.
    """

    level: str
    edges_days: tuple[int, ...]
    hazard: tuple[float, ...]
    share: tuple[float, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]
    incidence: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    window: tuple[int, int] | None
    blocked: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Timing:
    """All curves of a shop.

    Shape: `ratio[a, b, window]` is the hazard over the shop's, shrunk; `level[a, b]` 0 shop, 1 kind, 2 pair.
    """

    waiting: Waiting
    shop_hazard: Reals
    pair_level: Reals
    ratio: NDArray[np.float32]
    level: NDArray[np.int8]


def learn_timing(waiting: Waiting, kinship: Kinship) -> Timing:
    """Fit the ratios, and let each customer judge the curve fitted on all the others."""
    count = len(waiting.products)
    anchor, companion = np.indices((count, count))
    kind = kinship.kinds_of(waiting.products[anchor], waiting.products[companion])
    kind[np.arange(count), np.arange(count)] = -1
    codes, compact = np.unique(kind, return_inverse=True)
    kind = compact.reshape(kind.shape) - (1 if len(codes) and codes[0] == -1 else 0)
    events, risk = waiting.events, waiting.at_risk
    hazard = _shop_hazard(events, risk)
    pair_level = (events.sum(axis=-1) + 1.0) / ((risk * hazard).sum(axis=-1) + 1.0)
    expected = risk * hazard * pair_level[..., None]
    kinds = _kind_ratio(events, expected, kind, hazard_share(hazard))
    # A window in which nobody ever bought has no hazard to share; the crumb keeps 0 / 0 out.
    prior = PAIR_WEIGHT * hazard_share(hazard) + 1e-9
    above = kinds.ratio[kind]
    pair_gain = left_out_gain(events, expected, above, prior)
    kind_gain = _plain_gain(events, expected, above)
    kind_passes = kinds.passes[kind]
    ratio = (events + prior * above) / (expected + prior)
    has_events = events.sum(axis=-1) > 0
    is_own = pair_gain > np.maximum(kind_gain, 0) + PROOF + np.log(max(int(has_events.sum()), 1))
    # A kind that has proved a rhythm opens its own members only, so only they are the curves tried.
    in_kind = np.bincount(kind[kind >= 0], has_events[kind >= 0], minlength=len(kinds.passes))
    is_pulled = kind_passes & (pair_gain > kind_gain + PROOF + np.log(np.maximum(in_kind, 1))[kind])
    level = np.where(is_own | is_pulled, 2, kind_passes.astype(np.int8)).astype(np.int8)
    # A pair that has not proved itself within its kind is served by the kind's curve, not by its own.
    ratio[level == 1] = above[level == 1]
    return Timing(waiting, hazard, pair_level, ratio.astype(np.float32), level)


@dataclass(frozen=True)
class _Kinds:
    """Ratio per kind and window, and which kinds have proved a rhythm; the last entry stands for no kind."""

    ratio: Reals
    passes: NDArray[np.bool_]


def _shop_hazard(events: NDArray[np.int32], risk: NDArray[np.int32]) -> Reals:
    return np.asarray(events.sum(axis=(0, 1)) / np.maximum(risk.sum(axis=(0, 1), dtype=np.int64), 1), np.float64)


def _kind_ratio(events: NDArray[np.int32], expected: Reals, kind: NDArray[np.int64], share: Reals) -> _Kinds:
    count = int(kind.max(initial=-1)) + 1
    observed, predicted = np.zeros((count + 1, WINDOW_COUNT)), np.zeros((count + 1, WINDOW_COUNT))
    for window in range(WINDOW_COUNT):
        # Pairs of no kind carry -1, which lands in the last row and is cleared below.
        observed[:, window] = np.bincount(kind.ravel() % (count + 1), events[..., window].ravel(), count + 1)
        predicted[:, window] = np.bincount(kind.ravel() % (count + 1), expected[..., window].ravel(), count + 1)
    prior = KIND_WEIGHT * share + 1e-9
    ratio = (observed + prior) / (predicted + prior)
    gain = left_out_gain(observed, predicted, np.ones(observed.shape), prior)
    tried = max(int((observed[:-1].sum(axis=-1) >= FEWEST_EVENTS).sum()), 1)
    passes = gain > PROOF + np.log(tried)
    ratio[-1], passes[-1] = 1.0, False
    return _Kinds(ratio, passes)


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


def window_of(timing: Timing, anchor: int | None, companion: int | None) -> tuple[int, int] | None:
    """Read only the window of a pair's curve; None where the shop's curve is all there is."""
    if anchor is None or companion is None or anchor == companion or timing.level[anchor, companion] == 0:
        return None
    ratio = timing.ratio[anchor, companion].astype(np.float64)
    hazard = np.minimum(timing.shop_hazard * timing.pair_level[anchor, companion] * ratio, 1.0)
    return best_window(hazard_share(hazard), ratio)


def timing_curve(timing: Timing, anchor: int | None, companion: int | None) -> TimingCurve:
    """Read one pair's curve; `anchor` and `companion` are places in `waiting.products`, None if uncounted."""
    if anchor is None or companion is None or anchor == companion:
        return _curve("shop", timing.shop_hazard, None, None, np.ones(WINDOW_COUNT))
    events = timing.waiting.events[anchor, companion]
    risk = timing.waiting.at_risk[anchor, companion]
    level = int(timing.level[anchor, companion])
    ratio = np.ones(WINDOW_COUNT) if level == 0 else timing.ratio[anchor, companion].astype(np.float64)
    hazard = np.minimum(timing.shop_hazard * timing.pair_level[anchor, companion] * ratio, 1.0)
    return _curve(("shop", "kind", "pair")[level], hazard, events, risk, ratio)


def _curve(
    level: str, hazard: Reals, events: NDArray[np.int32] | None, risk: NDArray[np.int32] | None, ratio: Reals
) -> TimingCurve:
    events = np.zeros(WINDOW_COUNT, np.int32) if events is None else events
    risk = np.zeros(WINDOW_COUNT, np.int32) if risk is None else risk
    share = hazard_share(hazard)
    incidence = 1 - np.cumprod(1 - hazard)
    low, high = _incidence_bounds(events, risk, hazard)
    return TimingCurve(
        level=level,
        edges_days=WINDOW_EDGES_DAYS,
        hazard=tuple(hazard.tolist()),
        share=tuple(share.tolist()),
        at_risk=tuple(risk.tolist()),
        events=tuple(events.tolist()),
        incidence=tuple(incidence.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        window=None if level == "shop" else best_window(share, ratio),
        blocked=() if level == "shop" else _blocked(events, risk, hazard, ratio),
    )


def _incidence_bounds(events: NDArray[np.int32], risk: NDArray[np.int32], hazard: Reals) -> tuple[Reals, Reals]:
    """Bound the incidence by exact Poisson bounds on the events behind it, spread as the curve is."""
    incidence = 1 - np.cumprod(1 - hazard)
    seen = np.cumsum(events).astype(np.float64)
    trials = np.maximum(seen, (incidence * np.maximum(risk.max(initial=0), 1)))
    scale = incidence / np.maximum(trials, 1e-12)
    low = np.where(trials > 0, chi2.ppf(0.025, 2 * np.maximum(trials, 1e-9)) / 2, 0.0) * scale
    high = chi2.ppf(0.975, 2 * (trials + 1)) / 2 * scale
    return np.minimum(low, incidence), np.clip(high, incidence, 1.0)


def best_window(share: Reals, ratio: Reals) -> tuple[int, int]:
    """Choose the shortest run of windows that holds WINDOW_SHARE of what the pair has above the norm."""
    excess = np.maximum(share - share / np.maximum(ratio, 1e-12), 0.0)
    if excess.sum() <= 0:
        excess = share
    runs = [(first, last) for first in range(WINDOW_COUNT) for last in range(first, WINDOW_COUNT)]
    enough = [run for run in runs if excess[run[0] : run[1] + 1].sum() >= WINDOW_SHARE * excess.sum() - 1e-12]
    edges = WINDOW_EDGES_DAYS
    first, last = min(enough, key=lambda run: (edges[run[1] + 1] - edges[run[0]], -excess[run[0] : run[1] + 1].sum()))
    return edges[first], edges[last + 1] - 1


def _blocked(
    events: NDArray[np.int32], risk: NDArray[np.int32], hazard: Reals, ratio: Reals
) -> tuple[tuple[int, int], ...]:
    """List the windows where even the upper bound on the purchases is far below the pair's usual."""
    usual = risk * hazard / np.maximum(ratio, 1e-12)
    upper = chi2.ppf(0.975, 2 * (events + 1)) / 2
    is_blocked = upper < BLOCKED_RATIO * usual
    return tuple((WINDOW_EDGES_DAYS[w], WINDOW_EDGES_DAYS[w + 1] - 1) for w in np.flatnonzero(is_blocked))
