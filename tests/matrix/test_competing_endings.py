"""Waiting ends by buying, by giving the first product back, by opting out, or with the data: four different things."""

from itertools import pairwise

import numpy as np
import pytest
from builders_matrix import DAY, NOW, a_shop

from shopify_upsell.matrix import OrderLines, learn, load, save
from shopify_upsell.matrix.arrivals import first_after
from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.curves import incidence_of
from shopify_upsell.matrix.endings import endings_of, waiting_starts
from shopify_upsell.matrix.waiting import WINDOW_EDGES_DAYS, count_waiting, exposure

COLUMNS = ("order_id", "customer_id", "ordered_at", "product_id", "quantity", "unit_price")


def with_endings(lines, **given):
    return OrderLines(*(getattr(lines, name) for name in COLUMNS), **given)


def a_world(seed):
    """A small shop in which a third of the lines comes back and a third of the customers opts out."""
    random = np.random.default_rng(seed)
    lines = a_shop(seed=seed, customers=40, products=5, orders_each=3)
    arrived = lines.ordered_at + random.integers(0, 9, len(lines)) * DAY
    back = np.where(random.random(len(lines)) < 1 / 3, lines.ordered_at + random.integers(0, 120 * DAY, len(lines)), -1)
    moments = np.where(random.random(41) < 1 / 3, random.integers(0, NOW, 41), -1)
    return with_endings(lines, delivered_at=arrived, refunded_at=back, opted_out_at=moments[lines.customer_id])


def owned(lines, customer, product):
    """What the customer has of a product: what is kept before what came back, then the earliest."""
    rows = [
        row
        for row in range(len(lines))
        if lines.customer_id[row] == customer and lines.product_id[row] == product and lines.ordered_at[row] <= NOW
    ]
    told = []
    for row in rows:
        is_back = 0 <= lines.refunded_at[row] <= NOW
        order = int(lines.order_id[row])
        mine = [at for at in range(len(lines)) if lines.order_id[at] == order and not 0 <= lines.refunded_at[at] <= NOW]
        arrived = max((lines.delivered_at[at] for at in mine), default=0) if not is_back else lines.delivered_at[row]
        ends = [lines.opted_out_at[row]] if lines.ordered_at[row] < lines.opted_out_at[row] <= NOW else []
        ends += [lines.refunded_at[row]] if is_back else []
        told.append((is_back, int(lines.ordered_at[row]), order, int(arrived), int(min(ends, default=10**15))))
    return min(told, default=None)


def slow_aalen_johansen(lines, first, second):
    """Customer by customer and window by window, from the definition."""
    stories = []
    for customer in sorted(set(lines.customer_id.tolist()) - {-1}):
        anchor, companion = owned(lines, customer, first), owned(lines, customer, second)
        if anchor is None or anchor[4] <= anchor[3]:
            continue
        bought = None if companion is None or companion[0] else companion[1]
        if bought is not None and bought <= anchor[1]:
            continue
        if bought is not None and bought <= anchor[4]:
            stories.append((max(bought - anchor[3], 0) // DAY, "bought"))
        else:
            why = "ended" if anchor[4] <= NOW else "watched"
            stories.append((max(min(anchor[4], NOW) - anchor[3], 0) // DAY, why))
    left, share, curve = 1.0, 0.0, []
    for low, high in pairwise(WINDOW_EDGES_DAYS):
        waiting = [story for story in stories if story[0] >= low]
        within = [why for day, why in waiting if day < high]
        if waiting:
            share += left * within.count("bought") / len(waiting)
            left *= 1 - (within.count("bought") + within.count("ended")) / len(waiting)
        curve.append(share)
    return curve


@pytest.mark.parametrize("seed", range(4))
def test_the_windows_incidence_is_aalen_johansen_customer_by_customer(seed):
    lines = a_world(seed)
    baskets = baskets_from_lines(lines, now=NOW)
    waiting = count_waiting(waiting_starts(baskets, endings_of(lines, baskets, now=NOW)), now=NOW, seed=0)
    exposed = np.maximum(exposure(waiting.at_risk, waiting.ended), 1e-300)

    found = incidence_of(waiting.events / exposed, waiting.ended / np.maximum(waiting.at_risk, 1))

    ids = baskets.product_ids[waiting.products].tolist()
    assert waiting.ended.sum() > 50
    for first, anchor in enumerate(ids):
        for second, companion in enumerate(ids):
            if first != second:
                assert found[first, second] == pytest.approx(slow_aalen_johansen(lines, anchor, companion)), (
                    first,
                    second,
                )


def a_rhythm(*, returns, opt_outs=0):
    """Of 120 owners of 1, half buy 2 about 75 days later; 3 comes at any time. Then come owners who give 1 up."""
    random = np.random.default_rng(5)
    rows = []
    for customer in range(120 + returns + opt_outs):
        start = int(random.integers(0, 60)) * DAY
        gone = start + int(random.integers(5, 70)) * DAY
        refunded, out = (gone if 120 <= customer < 120 + returns else -1), (gone if customer >= 120 + returns else -1)
        rows.append((3 * customer, customer, start, 1, refunded, out))
        if customer < 120 and customer % 2:
            rows.append((3 * customer + 1, customer, start + int(random.normal(75, 5)) * DAY, 2, -1, out))
        rows.append((3 * customer + 2, customer, int(random.integers(0, 395)) * DAY, 3, -1, out))
    order, customer, time, product, refunded, out = np.array(rows, dtype=np.int64).T
    ones = np.ones(len(order), dtype=np.int64)
    return OrderLines(order, customer, time, product, ones, ones, refunded_at=refunded, opted_out_at=out)


def test_heavy_refunding_of_the_first_product_does_not_shift_the_window():
    calm, heavy = (learn(a_rhythm(returns=count), now=NOW).timing(1, 2) for count in (0, 240))

    assert (calm.level, calm.window) == (heavy.level, heavy.window) == ("pair", (61, 90))
    assert (61, 90) not in heavy.blocked
    assert sum(calm.ended) == 0
    assert sum(heavy.ended) == 240
    # Half of those who keep it buy, but only a sixth of those who ever had it.
    assert calm.incidence[-1] == pytest.approx(1 / 2, abs=0.05)
    assert heavy.incidence[-1] == pytest.approx(1 / 6, abs=0.05)
    assert heavy.hazard[5] == pytest.approx(calm.hazard[5], rel=0.2)


def test_opting_out_ends_waiting_as_giving_back_does():
    returned = learn(a_rhythm(returns=100), now=NOW).timing(1, 2)
    opted_out = learn(a_rhythm(returns=0, opt_outs=100), now=NOW).timing(1, 2)

    assert returned.ended == opted_out.ended
    assert returned.incidence[-1] == pytest.approx(opted_out.incidence[-1], rel=0.05)


def test_what_was_given_back_is_in_no_basket_and_owned_by_nobody():
    lines = a_shop(customers=20, products=4)
    back = np.where(lines.product_id == 10, lines.ordered_at + DAY, -1)
    without = lines.where(lines.product_id != 10)

    told, expected = learn(with_endings(lines, refunded_at=back), now=NOW), learn(without, now=NOW)

    assert told.complete([[3]], limit=9) == expected.complete([[3]], limit=9)
    assert told.next([[3]], [[17]], at=NOW, limit=9) == expected.next([[3]], [[17]], at=NOW, limit=9)


def test_endings_after_the_moment_of_learning_are_not_known_yet():
    lines = a_shop(customers=20, products=4)
    later = np.full(len(lines), NOW + 1)

    told = learn(with_endings(lines, refunded_at=later, opted_out_at=later), now=NOW)

    assert told.timing(3, 10) == learn(lines, now=NOW).timing(3, 10)
    assert told.complete([[3]]) == learn(lines, now=NOW).complete([[3]])


def test_who_orders_after_an_opt_out_waits_like_anybody():
    lines = a_shop(customers=20, products=4)

    told = learn(with_endings(lines, opted_out_at=np.zeros(len(lines), dtype=np.int64)), now=NOW)

    assert told.timing(3, 10) == learn(lines, now=NOW).timing(3, 10)


def test_the_order_of_the_lines_changes_nothing_and_a_file_keeps_the_curve(tmp_path):
    lines = a_world(1)
    mixed = lines.where(np.random.default_rng(2).permutation(len(lines)))
    matrix = learn(lines, now=NOW)

    save(matrix, tmp_path / "shop.matrix")

    assert learn(mixed, now=NOW).timing(3, 10) == matrix.timing(3, 10) == load(tmp_path / "shop.matrix").timing(3, 10)
    assert learn(mixed, now=NOW).negative_edges() == matrix.negative_edges()


def test_columns_of_endings_are_checked():
    lines = a_shop(customers=3)
    with pytest.raises(ValueError, match="refunded_at must be at least -1"):
        with_endings(lines, refunded_at=np.full(len(lines), -2))
    with pytest.raises(ValueError, match="opted_out_at has 1 entries"):
        with_endings(lines, opted_out_at=np.array([5]))


def test_the_next_opt_out_after_an_order_is_found():
    told = [(7, 50), (7, 10), (9, 30)]

    found = first_after(np.array([7, 7, 7, 8, 9, -1]), np.array([0, 10, 60, 0, 30, 0]), told)

    assert found.tolist() == [10, 50, -1, -1, -1, -1]
    assert first_after(np.array([7]), np.array([0]), []).tolist() == [-1]
