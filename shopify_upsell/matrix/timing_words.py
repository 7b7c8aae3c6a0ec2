"""From curves to words: when each companion that is served may follow its anchor.

Comes in: a learned matrix, the rows it serves, how long the shop has been selling. Goes out: one `TimingWord` a pair.
The arithmetic is that of `curves`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from shopify_upsell.core import ProductId
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.curves import SHOP_LEVEL, curves_of, days_of, levels_of
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
from shopify_upsell.matrix.timing import Timing
from shopify_upsell.matrix.waiting import WINDOW_EDGES_DAYS

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
    rows = np.flatnonzero(levels_of(timing, places[:, 0], places[:, 1]) > SHOP_LEVEL)
    if not len(rows):
        return {}
    return dict(zip(rows.tolist(), _proved(timing, [pairs[row] for row in rows.tolist()], places[rows]), strict=True))


def _proved(timing: Timing, pairs: Sequence[Pair], places: Places) -> list[TimingWord]:
    curves = curves_of(timing, places[:, 0], places[:, 1])
    first, last = curves.windows()
    low, high = curves.bounds()
    is_blocked = curves.is_blocked()
    peak = (curves.hazard / np.diff(WINDOW_EDGES_DAYS)).argmax(axis=1)
    return [
        TimingWord(
            pair[0],
            pair[1],
            LEVELS[int(curves.level[row])],
            days_of(int(first[row]), int(last[row])),
            tuple(days_of(window, window) for window in np.flatnonzero(is_blocked[row]).tolist()),
            bool(peak[row] == 0),
            int(curves.events[row].sum()),
            (_rounded(low[row, last[row]]), _rounded(high[row, last[row]])),
            LEARNED_TIME,
        )
        for row, pair in enumerate(pairs)
    ]


def _rounded(share: float) -> float:
    return round(float(share), INTERVAL_DIGITS)
