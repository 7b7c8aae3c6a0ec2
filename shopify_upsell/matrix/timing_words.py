"""From curves to words: when each companion that is served may follow its anchor.

Comes in: a learned matrix, the rows it serves, how long the shop has been selling. Goes out: one `TimingWord` a pair.
The arithmetic is that of `timing`, on all pairs at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.model import Matrix
from shopify_upsell.matrix.products import group_codes
from shopify_upsell.matrix.replenishment import Replenishment
from shopify_upsell.matrix.timed import (
    ACCESSORY,
    COMPLEMENT,
    CONSUMABLE,
    LEARNED_TIME,
    LEVELS,
    REFILL,
    RELATIONS,
    Pair,
    TimingWord,
    prior_word,
)
from shopify_upsell.matrix.timing import BLOCKED_RATIO, WINDOW_SHARE, Timing
from shopify_upsell.matrix.waiting import WINDOW_COUNT, WINDOW_EDGES_DAYS

Reals = NDArray[np.float64]
Places = NDArray[np.int64]

ENOUGH_DAYS = 180
"""History below which no curve is believed: most of its pairs have not been watched to the end. Our
choice: two thirds of the 270 days that curves cover."""

REBUY_RATE, FEWEST_GAPS = 0.25, 8
"""A product is used up when at least a quarter of its buyers buy it again, told from at least this many gaps."""

ACCESSORY_PRICE = 0.5
"""An accessory costs at most this share of its anchor. Our choice."""

INTERVAL_DIGITS = 4

Words = dict[ProductId, tuple[TimingWord, ...]]


def timing_words(matrix: Matrix, kinds: Iterable[Mapping[ProductId, Sequence[Companion]]], *, days: float) -> Words:
    """Say of every pair of anchor and companion in the rows when the second may follow the first, by anchor.

    Units: `days` from the shop's first order to now; below ENOUGH_DAYS nothing but assumptions is said.
    """
    pairs = sorted({(anchor, one.product_id) for rows in kinds for anchor, row in rows.items() for one in row})
    ids = matrix.parts.products.id
    places = np.searchsorted(ids, np.array(pairs, dtype=np.int64).reshape(-1, 2))
    relation = relations_of(matrix, places[:, 0], places[:, 1]).tolist()
    learned = _learned(matrix.parts.when.timing, pairs, places) if days >= ENOUGH_DAYS else {}
    words: dict[ProductId, list[TimingWord]] = {}
    for place, (anchor, companion) in enumerate(pairs):
        name = RELATIONS[relation[place]]
        word = replace(learned[place], relation=name) if place in learned else prior_word(anchor, companion, name)
        words.setdefault(anchor, []).append(word)
    return {anchor: tuple(said) for anchor, said in words.items()}


def relations_of(matrix: Matrix, anchor: Places, companion: Places) -> NDArray[np.int64]:
    """Tell what each companion is to its anchor: a place in RELATIONS. Shape: places in the catalogue, 1-d."""
    products = matrix.parts.products
    family, kind, price = group_codes(products.family), group_codes(products.subcategory), products.price
    is_same = (family[anchor] == family[companion]) & (family[anchor] >= 0)
    is_used_up = _used_up(matrix.parts.when.replenishment)[companion]
    is_other_type = (kind[anchor] != kind[companion]) & (kind[anchor] >= 0) & (kind[companion] >= 0)
    is_smaller = (price[anchor] > 0) & (price[companion] >= 0) & (price[companion] <= ACCESSORY_PRICE * price[anchor])
    found = np.full(len(anchor), RELATIONS.index(COMPLEMENT), dtype=np.int64)
    found[is_other_type & is_smaller] = RELATIONS.index(ACCESSORY)
    found[is_used_up] = RELATIONS.index(CONSUMABLE)
    found[is_same] = RELATIONS.index(REFILL)
    return found


def _used_up(rhythm: Replenishment) -> NDArray[np.bool_]:
    return np.asarray((rhythm.gap_count >= FEWEST_GAPS) & (rhythm.rebuy_rate >= REBUY_RATE))


def _learned(timing: Timing, pairs: Sequence[Pair], places: Places) -> dict[int, TimingWord]:
    """Write out the words of the pairs whose curve is proved, by place in `pairs`."""
    counted, of_product = timing.waiting.products, places
    spot = np.searchsorted(counted, of_product)
    inside = np.minimum(spot, max(len(counted) - 1, 0))
    is_counted = (counted[inside] == of_product).all(axis=1) if len(counted) else np.zeros(len(places), dtype=bool)
    is_counted &= places[:, 0] != places[:, 1]
    rows = np.flatnonzero(is_counted)
    rows = rows[timing.level[inside[rows, 0], inside[rows, 1]] > 0]
    if not len(rows):
        return {}
    return dict(zip(rows.tolist(), _proved(timing, [pairs[row] for row in rows], inside[rows]), strict=True))


def _proved(timing: Timing, pairs: Sequence[Pair], spot: Places) -> list[TimingWord]:
    anchor, companion = spot[:, 0], spot[:, 1]
    ratio = timing.ratio[anchor, companion].astype(np.float64)
    events, risk = timing.waiting.events[anchor, companion], timing.waiting.at_risk[anchor, companion]
    hazard = np.minimum(timing.shop_hazard * timing.pair_level[anchor, companion][:, None] * ratio, 1.0)
    first, last = _windows(_shares(hazard), ratio)
    low, high = _bounds(events, risk, hazard)
    upper = chi2.ppf(0.975, 2 * (events + 1)) / 2
    is_blocked = upper < BLOCKED_RATIO * risk * hazard / np.maximum(ratio, 1e-12)
    peak = (hazard / np.diff(WINDOW_EDGES_DAYS)).argmax(axis=1)
    level = timing.level[anchor, companion]
    edges = WINDOW_EDGES_DAYS
    return [
        TimingWord(
            pair[0],
            pair[1],
            LEVELS[level[row]],
            (edges[first[row]], edges[last[row] + 1] - 1),
            tuple((edges[window], edges[window + 1] - 1) for window in np.flatnonzero(is_blocked[row]).tolist()),
            bool(peak[row] == 0),
            int(events[row].sum()),
            (_rounded(low[row, last[row]]), _rounded(high[row, last[row]])),
            LEARNED_TIME,
        )
        for row, pair in enumerate(pairs)
    ]


def _rounded(share: float) -> float:
    return round(float(share), INTERVAL_DIGITS)


def _shares(hazard: Reals) -> Reals:
    """Give the share of each pair's purchases that falls in each window. Shape: pairs x windows."""
    before = np.cumprod(np.concatenate([np.ones((len(hazard), 1)), 1 - hazard[:, :-1]], axis=1), axis=1)
    flow = before * hazard
    total = flow.sum(axis=1, keepdims=True)
    return np.asarray(np.where(total > 0, flow / np.maximum(total, 1e-300), 1 / WINDOW_COUNT))


def _windows(share: Reals, ratio: Reals) -> tuple[Places, Places]:
    """Choose for each pair the shortest run of windows that holds enough of what it has above the norm.

    Of runs of one length the fuller wins, then the earlier, as in `timing.best_window`.
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


def _bounds(events: NDArray[np.int32], risk: NDArray[np.int32], hazard: Reals) -> tuple[Reals, Reals]:
    """Bound each pair's incidence, as `timing` does for one. Shape: pairs x windows."""
    incidence = 1 - np.cumprod(1 - hazard, axis=1)
    seen = np.cumsum(events, axis=1).astype(np.float64)
    most = np.maximum(risk.max(axis=1, initial=0), 1)[:, None]
    trials = np.maximum(seen, incidence * most)
    scale = incidence / np.maximum(trials, 1e-12)
    low = np.where(trials > 0, chi2.ppf(0.025, 2 * np.maximum(trials, 1e-9)) / 2, 0.0) * scale
    high = chi2.ppf(0.975, 2 * (trials + 1)) / 2 * scale
    return np.minimum(low, incidence), np.clip(high, incidence, 1.0)
