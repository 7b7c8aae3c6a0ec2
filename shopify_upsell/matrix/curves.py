"""Curves as they are read: what is known of when one product follows another, for one pair or for thousands at once.

Comes in: learned timing and pairs of positions. Goes out: chances by window, cumulative incidence with competing
endings, bounds, the days to prefer and the days to stay silent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.matrix.lines import Integers
from shopify_upsell.matrix.poisson import lower_count, upper_count
from shopify_upsell.matrix.timing import Timing, pair_level
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS, Counts, exposure

Reals = NDArray[np.float64]

LEVELS = ("shop", "kind", "pair")
PAIR_LEVEL, KIND_LEVEL, SHOP_LEVEL = 2, 1, 0

WINDOW_SHARE = 0.8
"""Part of the purchases in excess of the norm that the preferred window holds: less would cut a rhythm that lies across
two windows.
"""

BLOCKED_RATIO = 0.5
"""A window is blocked when even the upper bound of its ratio to the norm lies below this."""

ENDING_WEIGHT = 10.0
"""Waiting customers that the shop's own share of other endings is worth to a pair. Our choice: a window of a pair that
a few dozen wait in speaks for itself."""


@dataclass(frozen=True)
class TimingCurve:
    """When the second product follows the first.

    Units: edges in days; hazard per window among those who still wait, incidence, bounds and shares 0 to 1; counts of
    customers. `incidence`: the share of owners who have bought by the window's end, those who gave the first product
    back or opted out counted as what they are; `ended` counts these. `share`: how the purchases of those who go on
    waiting would fall. `level` says whose evidence it is: "pair", "kind" or "shop". `window` is the days to prefer,
    first and last included, None where only the shop's curve is known; `blocked` are windows to stay silent in.
    """

    level: str
    edges_days: tuple[int, ...]
    hazard: tuple[float, ...]
    share: tuple[float, ...]
    at_risk: tuple[int, ...]
    events: tuple[int, ...]
    ended: tuple[int, ...]
    incidence: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    window: tuple[int, int] | None
    blocked: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Curves:
    """Curves of some pairs. Shape: pairs x windows, `level` one a pair: 0 shop, 1 kind, 2 pair."""

    level: NDArray[np.int8]
    events: Counts
    at_risk: Counts
    ended: Counts
    ratio: Reals
    hazard: Reals
    ending: Reals

    @property
    def share(self) -> Reals:
        """Give the share of each pair's purchases that falls in each window when nobody stops waiting."""
        return shares(self.hazard)

    @property
    def incidence(self) -> Reals:
        """Give the share of owners who have bought by the end of each window."""
        return incidence_of(self.hazard, self.ending)

    def windows(self) -> tuple[Integers, Integers]:
        """Choose each pair's windows to prefer, the first and the last."""
        return best_windows(self.share, self.ratio)

    def is_blocked(self) -> NDArray[np.bool_]:
        """Mark the windows where even the upper bound on the purchases is far below the pair's usual."""
        usual = exposure(self.at_risk, self.ended) * self.hazard / np.maximum(self.ratio, 1e-12)
        return np.asarray(upper_count(self.events) < BLOCKED_RATIO * usual)

    def bounds(self) -> tuple[Reals, Reals]:
        """Bound the incidence by exact Poisson bounds on the events behind it, spread as the curve is."""
        incidence = self.incidence
        seen = np.cumsum(self.events, axis=1).astype(np.float64)
        most = np.maximum(self.at_risk.max(axis=1, initial=0), 1)[:, None]
        trials = np.maximum(seen, incidence * most)
        scale = incidence / np.maximum(trials, 1e-12)
        low, high = lower_count(trials) * scale, upper_count(trials) * scale
        return np.minimum(low, incidence), np.clip(high, incidence, 1.0)


def incidence_of(hazard: Reals, ending: Reals) -> Reals:
    """Sum up who has bought by the end of each window, competing endings taken out as they happen.

    Shape: (..., windows) in and out. `hazard`: chance to buy of those who wait through the window; `ending`: share of
    those at its start who stop otherwise within it. Without endings it is one minus Kaplan-Meier.
    Source: Aalen and Johansen 1978, by windows; who stops within one is exposed for half of it.
    """
    bought = hazard * (1 - ending / 2)
    stays = np.maximum(1 - bought - ending, 0.0)
    before = np.cumprod(np.concatenate([np.ones((*stays.shape[:-1], 1)), stays[..., :-1]], axis=-1), axis=-1)
    return np.asarray(np.cumsum(before * bought, axis=-1))


def curves_of(timing: Timing, anchor: Integers, companion: Integers) -> Curves:
    """Read the curves of pairs of positions in the catalogue; a pair of one product with itself has the shop's.

    Shape: 1-d arrays of one length.
    """
    waiting, rare = timing.waiting, timing.rare
    level, head, held = _levels(timing, anchor, companion)
    is_head = head >= 0
    # A pair that nobody ever owned has its anchor's waiting, no purchases, and its kind's curve or the shop's.
    events = np.zeros((len(anchor), WINDOW_COUNT), np.int32)
    risk, ended = rare.anchor_risk[anchor], rare.anchor_ended[anchor]
    ratio = timing.kinds.ratio[timing.kinds.rows_of(timing.kinship.kinds_of(anchor, companion))]
    for mask, place, tables, own in (
        (is_head, head, (waiting.events, waiting.at_risk, waiting.ended), timing.ratio),
        (held >= 0, held, (rare.events, rare.at_risk, rare.ended), timing.rare_ratio),
    ):
        spot = place[mask]
        events[mask], risk[mask], ended[mask] = (table.reshape(-1, WINDOW_COUNT)[spot] for table in tables)
        ratio[mask] = own.reshape(-1, WINDOW_COUNT)[spot]
    alone = anchor == companion
    events[alone], risk[alone], ended[alone] = 0, 0, 0
    ratio[level == SHOP_LEVEL] = 1.0
    exposed = exposure(risk, ended)
    scale = pair_level(events, exposed, timing.shop_hazard)
    hazard = np.minimum(timing.shop_hazard * scale[:, None] * ratio, 1.0)
    ending = (ended + ENDING_WEIGHT * timing.shop_ending) / (risk + ENDING_WEIGHT)
    return Curves(level, events, risk, ended, ratio, hazard, ending)


def levels_of(timing: Timing, anchor: Integers, companion: Integers) -> NDArray[np.int8]:
    """Tell only whose curve each pair has. Shape: 1-d arrays of positions, of one length."""
    return _levels(timing, anchor, companion)[0]


def _levels(timing: Timing, anchor: Integers, companion: Integers) -> tuple[NDArray[np.int8], Integers, Integers]:
    """Give levels, and places among the best-sold products' pairs and among the rare ones, -1 where not there."""
    products = timing.waiting.products
    first, second = _place(products, anchor), _place(products, companion)
    head = np.where((first >= 0) & (second >= 0), first * len(products) + second, -1)
    held = timing.rare.places(anchor, companion)
    kind = timing.kinds.rows_of(timing.kinship.kinds_of(anchor, companion))
    level = timing.kinds.passes[kind].astype(np.int8)
    level[head >= 0] = timing.level.ravel()[head[head >= 0]]
    level[held >= 0] = timing.rare_level[held[held >= 0]]
    level[anchor == companion] = SHOP_LEVEL
    return level, head, held


def _place(products: Integers, positions: Integers) -> Integers:
    place = np.searchsorted(products, positions)
    return np.where(np.append(products, -1)[place] == positions, place, -1)


def days_of(first: int, last: int) -> tuple[int, int]:
    """Name a run of windows by its first and last day."""
    return WINDOW_EDGES_DAYS[first], WINDOW_EDGES_DAYS[last + 1] - 1


def preferred_days(timing: Timing, anchor: Integers, companion: Integers) -> list[tuple[int, int] | None]:
    """Read only the days to prefer; None where the shop's curve is all there is. Shape: positions, 1-d."""
    found: list[tuple[int, int] | None] = [None] * len(anchor)
    rows = np.flatnonzero(levels_of(timing, anchor, companion) > SHOP_LEVEL)
    if len(rows):
        firsts, lasts = curves_of(timing, anchor[rows], companion[rows]).windows()
        for row, first, last in zip(rows.tolist(), firsts.tolist(), lasts.tolist(), strict=True):
            found[row] = days_of(first, last)
    return found


def timing_curve(timing: Timing, anchor: int | None, companion: int | None) -> TimingCurve:
    """Read one pair's curve; positions in the catalogue, None for a product that is not in it."""
    if anchor is None or companion is None or anchor == companion:
        return _shops_own(timing)
    curves = curves_of(timing, np.array([anchor]), np.array([companion]))
    (first,), (last,) = curves.windows()
    is_own = int(curves.level[0]) > SHOP_LEVEL
    blocked = np.flatnonzero(curves.is_blocked()[0]).tolist() if is_own else []
    return _curve(curves, days_of(int(first), int(last)) if is_own else None, blocked)


def _shops_own(timing: Timing) -> TimingCurve:
    none = np.zeros((1, WINDOW_COUNT), np.int32)
    ones = np.ones((1, WINDOW_COUNT))
    level, hazard, ending = np.zeros(1, np.int8), timing.shop_hazard[None, :], timing.shop_ending[None, :]
    return _curve(Curves(level, none, none, none, ones, hazard, ending), None, [])


def _curve(curves: Curves, window: tuple[int, int] | None, blocked: list[int]) -> TimingCurve:
    low, high = curves.bounds()
    return TimingCurve(
        level=LEVELS[int(curves.level[0])],
        edges_days=WINDOW_EDGES_DAYS,
        hazard=tuple(curves.hazard[0].tolist()),
        share=tuple(curves.share[0].tolist()),
        at_risk=tuple(curves.at_risk[0].tolist()),
        events=tuple(curves.events[0].tolist()),
        ended=tuple(curves.ended[0].tolist()),
        incidence=tuple(curves.incidence[0].tolist()),
        low=tuple(low[0].tolist()),
        high=tuple(high[0].tolist()),
        window=window,
        blocked=tuple(days_of(place, place) for place in blocked),
    )


def shares(hazard: Reals) -> Reals:
    """Give the share of each pair's purchases that falls in each window when nobody stops. Shape: pairs x windows."""
    before = np.cumprod(np.concatenate([np.ones((len(hazard), 1)), 1 - hazard[:, :-1]], axis=1), axis=1)
    flow = before * hazard
    total = flow.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, flow / np.maximum(total, 1e-300), 1 / WINDOW_COUNT))


def best_windows(share: Reals, ratio: Reals) -> tuple[Integers, Integers]:
    """Choose for each pair the shortest run of windows that holds WINDOW_SHARE of what it has above the norm.

    Of runs of one length the fuller wins, then the earlier.
    """
    excess = np.maximum(share - share / np.maximum(ratio, 1e-12), 0.0)
    is_flat = excess.sum(axis=1) <= 0
    excess[is_flat] = share[is_flat]
    total = np.concatenate([np.zeros((len(share), 1)), np.cumsum(excess, axis=1)], axis=1)
    best = np.full(len(share), np.inf)
    held = np.zeros(len(share))
    first, last = np.zeros(len(share), np.int64), np.full(len(share), WINDOW_COUNT - 1)
    for low in range(WINDOW_COUNT):
        for high in range(low, WINDOW_COUNT):
            days = WINDOW_EDGES_DAYS[high + 1] - WINDOW_EDGES_DAYS[low]
            inside = total[:, high + 1] - total[:, low]
            is_enough = inside >= WINDOW_SHARE * total[:, -1] - 1e-12
            is_better = is_enough & ((days < best) | ((days == best) & (inside > held)))
            best[is_better], held[is_better] = days, inside[is_better]
            first[is_better], last[is_better] = low, high
    return first, last
