"""Pairs of rarer products are counted by the same rules as those of the best-sold, and judged by the same proof."""

import numpy as np
import pytest
from builders_matrix import DAY, NOW, lines_from

from shopify_upsell.matrix import OrderLines, learn, load, rare, save, waiting
from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.endings import endings_of, waiting_starts
from shopify_upsell.matrix.gram import co_counts
from shopify_upsell.matrix.kinship import kinship_of
from shopify_upsell.matrix.negative import _of_rare, observed_and_expected, pairs_due
from shopify_upsell.matrix.products import align_products, products_from_table
from shopify_upsell.matrix.rare import count_rare
from shopify_upsell.matrix.timing import shop_hazard
from shopify_upsell.matrix.waiting import count_waiting

NOTHING = np.zeros(0, np.int64)


@pytest.fixture
def few_counted(monkeypatch):
    """Let three products be all that is counted pair by pair."""
    monkeypatch.setattr(waiting, "MOST_PRODUCTS", 3)


def a_world(seed, *, products=8, customers=60):
    random = np.random.default_rng(seed)
    rows = [
        (order, int(random.integers(-1, customers)), int(random.integers(0, NOW)), int(product))
        for order in range(4 * customers)
        for product in random.choice(products, size=int(random.integers(1, 4)), replace=False)
    ]
    lines = lines_from(rows)
    back = np.where(random.random(len(lines)) < 0.2, lines.ordered_at + random.integers(0, 90 * DAY, len(lines)), -1)
    columns = [getattr(lines, name) for name in ("order_id", "customer_id", "ordered_at", "product_id")]
    return OrderLines(*columns, lines.quantity, lines.unit_price, refunded_at=back)


def counted(lines, asked=NOTHING):
    baskets = baskets_from_lines(lines, now=NOW)
    firsts = waiting_starts(baskets, endings_of(lines, baskets, now=NOW))
    kinship = kinship_of(align_products(None, baskets.product_ids))
    head = count_waiting(firsts, now=NOW, seed=0)
    return firsts, head, count_rare(firsts, kinship, shop_hazard(head), asked, now=NOW, seed=0)


@pytest.mark.parametrize(("seed", "block"), [(0, 4_000_000), (1, 50), (2, 1), (3, 200)])
def test_rare_pairs_equal_the_count_of_every_pair(seed, block, monkeypatch):
    monkeypatch.setattr(rare, "BLOCK", block)
    _, whole, nothing = counted(a_world(seed))
    monkeypatch.setattr(waiting, "MOST_PRODUCTS", 3)
    monkeypatch.setattr(rare, "FEWEST_EVENTS", 1)

    _, head, found = counted(a_world(seed))

    assert len(nothing.keys) == 0
    anchor, companion = np.divmod(found.keys, found.product_count)
    assert not np.isin(anchor, head.products)[np.isin(companion, head.products)].all()
    assert np.array_equal(found.events, whole.events[anchor, companion])
    assert np.array_equal(found.at_risk, whole.at_risk[anchor, companion])
    assert np.array_equal(found.ended, whole.ended[anchor, companion])
    is_head = np.isin(np.arange(found.product_count), head.products)
    listed = ~(is_head[:, None] & is_head[None, :]) & ~np.eye(found.product_count, dtype=bool)
    assert int(found.events.sum()) == int(whole.events[listed].sum())
    assert found.follower_events == pytest.approx((whole.events * listed[..., None]).sum(axis=0))
    exposed = (whole.at_risk - whole.ended / 2) * listed[..., None]
    assert found.follower_exposure == pytest.approx(exposed.sum(axis=0))


def test_a_pair_that_nobody_owned_has_its_anchors_waiting(few_counted):
    rows = [(customer, customer, 0, customer % 6) for customer in range(60)]
    lines = lines_from(rows)

    asked = np.array([4 * 6 + 5])
    _, _, found = counted(lines, asked)

    assert found.keys.tolist() == [29]
    assert found.events.sum() == 0
    assert found.at_risk.tolist() == [[10] * 8]


def test_only_pairs_with_enough_purchases_are_held_and_the_most_bought_when_they_are_too_many(few_counted, monkeypatch):
    lines = a_world(5, customers=150)
    _, _, found = counted(lines)
    sums = found.events.sum(axis=1)
    monkeypatch.setattr(rare, "MOST_PAIRS", 7)

    _, _, fewer = counted(lines)

    assert int(sums.min()) >= 5
    kept = np.isin(found.keys, fewer.keys)
    assert 0 < kept.sum() <= 7
    assert sums[kept].min() > sums[~kept].max()


def a_shop_with_a_rare_rhythm():
    """Three products everybody buys at any time; 50 is followed by 51 after 75 days, 60 goes with no rhythm."""
    random = np.random.default_rng(3)
    rows = []
    for customer in range(240):
        rows += [(10 * customer + turn, customer, int(random.integers(0, 395)) * DAY, turn) for turn in range(3)]
        start = int(random.integers(0, 90)) * DAY
        if customer % 4 == 0:
            rows.append((10 * customer + 4, customer, start, 50))
            rows.append((10 * customer + 5, customer, start + int(random.normal(75, 5)) * DAY, 51))
        if customer % 4 == 1:
            rows.append((10 * customer + 6, customer, start, 60))
            rows.append((10 * customer + 7, customer, int(random.integers(0, 395)) * DAY, 51))
    return lines_from(rows)


def test_a_rhythm_of_products_that_sell_little_is_found_and_its_window_kept_in_a_file(few_counted, tmp_path):
    matrix = learn(a_shop_with_a_rare_rhythm(), now=NOW)

    curve = matrix.timing(50, 51)

    assert matrix.parts.when.timing.waiting.products.tolist() == [0, 1, 2]
    assert (curve.level, curve.window, sum(curve.events)) == ("pair", (61, 90), 60)
    assert matrix.timing(60, 51).level == matrix.timing(51, 50).level == matrix.timing(50, 0).level == "shop"
    (answer,) = [one for one in matrix.next([[50]], [[]], at=NOW, limit=9)[0] if one.product_id == 51]
    assert (answer.evidence.anchor_id, answer.evidence.window) in {(50, (61, 90)), (None, None)}
    save(matrix, tmp_path / "shop.matrix")
    assert load(tmp_path / "shop.matrix").timing(50, 51) == curve


def test_a_kind_of_rare_products_proves_a_rhythm_that_its_thinnest_member_is_served_by(few_counted):
    random = np.random.default_rng(4)
    rows = []
    for customer in range(300):
        rows += [(10 * customer + turn, customer, int(random.integers(0, 395)) * DAY, turn) for turn in range(3)]
        start = int(random.integers(0, 90)) * DAY
        # Forty serums and forty creams: every pair of them is bought a time or two.
        rows.append((10 * customer + 4, customer, start, 100 + customer % 40))
        rows.append((10 * customer + 5, customer, start + int(random.normal(45, 5)) * DAY, 200 + (customer // 7) % 40))
    ids = [0, 1, 2, *range(100, 140), *range(200, 240)]
    types = ["Other"] * 3 + ["Serum"] * 40 + ["Cream"] * 40
    matrix = learn(lines_from(rows), products_from_table({"id": ids, "subcategory": types}), now=NOW)

    curve = matrix.timing(100, 239)

    assert (curve.level, curve.window, sum(curve.events)) == ("kind", (31, 60), 0)
    assert matrix.timing(239, 100).level == "shop"


def never_together(*, customers):
    """Owners of 1 never buy 9; owners of anything else do. Both sell beside the three best."""
    random = np.random.default_rng(8)
    rows = []
    for customer in range(customers):
        rows += [(10 * customer + turn, customer, int(random.integers(0, 300)) * DAY, 2 + turn) for turn in range(3)]
        mine = 1 if customer % 2 else 8
        rows.append((10 * customer + 4, customer, int(random.integers(0, 200)) * DAY, mine))
        if mine == 8:
            rows.append((10 * customer + 5, customer, 395 * DAY - int(random.integers(0, 180)) * DAY, 9))
    return lines_from(rows)


def test_a_rare_pair_that_does_not_expand_is_found_with_the_same_numbers_as_if_it_sold_best(monkeypatch):
    lines = never_together(customers=400)
    every = {(edge.anchor_id, edge.companion_id): edge for edge in learn(lines, now=NOW).negative_edges()}
    monkeypatch.setattr(waiting, "MOST_PRODUCTS", 3)

    found = {(edge.anchor_id, edge.companion_id): edge for edge in learn(lines, now=NOW).negative_edges()}

    assert (1, 9) in found
    assert found == every


def test_the_norm_of_every_pair_is_that_of_the_whole_count(monkeypatch):
    lines = never_together(customers=100)
    _, whole, _ = counted(lines)
    expected = observed_and_expected(whole).expected
    monkeypatch.setattr(waiting, "MOST_PRODUCTS", 3)
    everything = np.arange(36)
    firsts, head, found = counted(lines, everything[everything // 6 != everything % 6])

    baskets = baskets_from_lines(lines, now=NOW)
    kinship = kinship_of(align_products(None, baskets.product_ids))
    judged = _of_rare(head, found, kinship, co_counts(baskets), baskets.order_count)

    rare_rows = ~(np.isin(judged.anchor, head.products) & np.isin(judged.companion, head.products))
    anchor, companion = judged.anchor[rare_rows], judged.companion[rare_rows]
    assert judged.after.expected[rare_rows] == pytest.approx(expected[anchor, companion])
    assert firsts.product_count == 6


def test_pairs_due_are_those_whose_absence_would_prove_something():
    orders = np.array([1_000, 500, 130, 0, 100])

    due = pairs_due(orders, 10_000, np.array([True, True, False, False, False]))

    # 12.3 orders with both must be due: 1,000 x 130 and not 1,000 x 100 of 10,000; 1,000 x 500 is counted elsewhere.
    assert due.tolist() == [0 * 5 + 2, 2 * 5 + 0]


@pytest.mark.parametrize("budget", [24_000_000, 400])
def test_the_order_of_the_lines_changes_nothing_whether_customers_are_drawn_or_not(few_counted, monkeypatch, budget):
    monkeypatch.setattr(rare, "PAIR_BUDGET", budget)
    lines = a_world(6, customers=150)
    mixed = lines.where(np.random.default_rng(1).permutation(len(lines)))

    found, again = counted(lines)[2], counted(mixed)[2]

    assert found.keys.tolist() == again.keys.tolist()
    assert np.array_equal(found.events, again.events)
    assert np.array_equal(found.at_risk, again.at_risk)
    assert np.array_equal(found.follower_exposure, again.follower_exposure)
    assert int(found.anchor_risk[:, 0].sum()) == {24_000_000: 725, 400: 110}[budget]
