"""Words are learned only where there is history enough; what is assumed depends on what the companion is."""

import numpy as np
import pytest
from builders_matrix import DAY, NOW, lines_from

from shopify_upsell.core import ProductId
from shopify_upsell.ledger.delivered import OrderDelivery, UsualDelivery
from shopify_upsell.matrix import OrderLines, learn
from shopify_upsell.matrix.arrivals import arrivals
from shopify_upsell.matrix.companion import Companion
from shopify_upsell.matrix.curves import best_windows, shares
from shopify_upsell.matrix.products import products_from_table
from shopify_upsell.matrix.timed import ACCESSORY, COMPLEMENT, CONSUMABLE, PRIOR_TIME, REFILL
from shopify_upsell.matrix.timing_words import timing_words


def served(*pairs):
    rows = {}
    for anchor, companion in pairs:
        rows.setdefault(ProductId(anchor), []).append(Companion(ProductId(companion), 5, 10, 10, 100, 0.5))
    return [rows]


def a_rhythm(*, peak=75, customers=200, delivered_after=0):
    """Buyers of 1, of whom half buy 2 around the peak after delivery; 3 is bought at any time by anybody."""
    random = np.random.default_rng(5)
    rows, arrived = [], []
    for customer in range(customers):
        start = int(random.integers(0, 90)) * DAY
        rows.append((3 * customer, customer, start, 1))
        arrived.append(start + delivered_after * DAY)
        if customer % 2:
            later = start + delivered_after * DAY + int(random.normal(peak, 5)) * DAY
            rows.append((3 * customer + 1, customer, later, 2))
            arrived.append(later)
        other = int(random.integers(0, 395)) * DAY
        rows.append((3 * customer + 2, customer, other, 3))
        arrived.append(other)
    lines = lines_from(rows)
    columns = (lines.order_id, lines.customer_id, lines.ordered_at, lines.product_id, lines.quantity, lines.unit_price)
    return OrderLines(*columns, delivered_at=np.array(arrived))


def test_a_planted_rhythm_is_learned_and_its_window_holds_the_peak():
    matrix = learn(a_rhythm(), now=NOW)

    (word,) = timing_words(matrix, served((1, 2)), days=400)[ProductId(1)]

    assert (word.level, word.source, word.n) == ("pair", "learned", 100)
    assert word.window == (61, 90)
    assert word.interval[0] < 0.5 < word.interval[1]
    assert not word.peaks_at_zero
    assert (61, 90) not in word.blocked


def test_days_are_counted_from_delivery_and_not_from_the_order():
    from_order = learn(a_rhythm(peak=50, delivered_after=0), now=NOW)
    from_delivery = learn(a_rhythm(peak=50, delivered_after=20), now=NOW)

    windows = [
        timing_words(matrix, served((1, 2)), days=400)[ProductId(1)][0].window for matrix in (from_order, from_delivery)
    ]

    assert windows == [(31, 60), (31, 60)]


def test_a_shop_of_less_than_180_days_gets_assumptions_only():
    matrix = learn(a_rhythm(), now=NOW)

    (word,) = timing_words(matrix, served((1, 2)), days=179.9)[ProductId(1)]

    assert (word.source, word.window, word.n, word.interval) == (PRIOR_TIME, (7, 270), 0, (0.0, 1.0))


def test_a_pair_without_a_rhythm_of_its_own_gets_an_assumption():
    matrix = learn(a_rhythm(), now=NOW)

    (word,) = timing_words(matrix, served((3, 2)), days=400)[ProductId(3)]

    assert (word.source, word.level) == (PRIOR_TIME, "shop")


def test_what_the_companion_is_decides_what_is_assumed():
    rows = [(10 * customer + turn, customer, 40 * turn * DAY, 4) for customer in range(20) for turn in range(4)]
    catalogue = products_from_table(
        {
            "id": [1, 2, 3, 4, 5],
            "title": ["Serum 30 ml", "Serum 50 ml", "Brush", "Pads", "Lamp"],
            "subcategory": ["Serum", "Serum", "Tool", "Pad", "Lamp"],
            "family": ["Serum", "Serum", "", "", ""],
            "price": [4_000, 6_000, 900, 500, 9_000],
        }
    )
    matrix = learn(lines_from(rows), catalogue, now=NOW)

    words = timing_words(matrix, served((1, 2), (1, 3), (1, 4), (1, 5)), days=400)[ProductId(1)]

    assert [word.relation for word in words] == [REFILL, ACCESSORY, CONSUMABLE, COMPLEMENT]
    assert [word.window for word in words] == [(20, 90), (0, 270), (0, 270), (7, 270)]


def best_run(share, ratio):
    """Try every run of windows: the shortest that holds 80 % of the excess, of those the fullest, then the earliest."""
    edges = (0, 4, 8, 15, 31, 61, 91, 151, 271)
    excess = [max(part - part / norm, 0.0) for part, norm in zip(share, ratio, strict=True)]
    if sum(excess) <= 0:
        excess = list(share)
    held = {
        (first, last): sum(excess[first : last + 1])
        for first in range(8)
        for last in range(first, 8)
        if sum(excess[first : last + 1]) >= 0.8 * sum(excess) - 1e-12
    }
    first, last = min(held, key=lambda run: (edges[run[1] + 1] - edges[run[0]], -held[run], run))
    return edges[first], edges[last + 1] - 1


@pytest.mark.parametrize("seed", range(5))
def test_windows_of_all_pairs_at_once_are_those_of_one_by_one(seed):
    from shopify_upsell.matrix.timing import hazard_share

    random = np.random.default_rng(seed)
    hazard = random.uniform(0, 0.1, (50, 8))
    ratio = random.choice([0.2, 1.0, 3.0], (50, 8))
    ratio[0] = 1.0
    share = shares(hazard)

    first, last = best_windows(share, ratio)

    edges = (0, 4, 8, 15, 31, 61, 91, 151, 271)
    for row in range(50):
        assert np.allclose(share[row], hazard_share(hazard[row]))
        assert (edges[first[row]], edges[last[row] + 1] - 1) == best_run(share[row], ratio[row])


def test_arrivals_are_known_or_estimated_by_the_rule_that_judges_offers():
    from datetime import UTC, datetime, timedelta

    usual = UsualDelivery(timedelta(days=1), timedelta(days=3), timedelta(days=5), 20, False)
    day = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=1)
    known = [
        OrderDelivery(2, day, day + timedelta(days=7)),
        OrderDelivery(3, day + timedelta(days=2)),
        OrderDelivery(9),
    ]

    found = arrivals(np.array([1, 2, 2, 3, 9]), np.array([DAY] * 5), known, usual)

    assert (found // DAY).tolist() == [6, 8, 8, 6, 6]
    assert arrivals(np.array([], np.int64), np.array([], np.int64), known, usual).tolist() == []
