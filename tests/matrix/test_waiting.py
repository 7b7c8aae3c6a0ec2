from __future__ import annotations

import numpy as np
import pytest
from builders_matrix import DAY, NOW, a_shop, lines_from

from shopify_upsell.matrix import learn
from shopify_upsell.matrix.baskets import baskets_from_lines
from shopify_upsell.matrix.cohorts import cohort_curve, cohort_shares, wilson_interval
from shopify_upsell.matrix.firsts import first_purchases
from shopify_upsell.matrix.survival import cumulative_incidence
from shopify_upsell.matrix.waiting import count_waiting

# Remission weeks of the 21 patients on 6-MP, Freireich et al. 1963; 0 marks the censored.
WEEKS = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
RELAPSED = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]


def test_the_incidence_curve_is_the_published_kaplan_meier():
    curve = cumulative_incidence(WEEKS, RELAPSED)

    published = [0.8571, 0.8067, 0.7529, 0.6902, 0.6275, 0.5378, 0.4482]
    assert np.allclose(1 - curve.incidence, published, atol=5e-5)
    assert curve.median_day() == 23


def test_without_censoring_the_variance_is_the_binomial_one():
    curve = cumulative_incidence([1, 2, 3, 4], [1, 1, 2, 2], confidence=0.95)

    assert curve.incidence.tolist() == [0.25, 0.5]
    reach = 1.959964 * np.sqrt(0.25 * 0.75 / 4) / (np.log(4) * 0.25)
    assert curve.low[0] == pytest.approx(0.25 ** np.exp(reach), rel=1e-5)


def test_competing_endings_are_not_waiting():
    waiting = cumulative_incidence([1, 1, 2, 3], [0, 0, 1, 0])
    competing = cumulative_incidence([1, 1, 2, 3], [2, 2, 1, 0])

    assert waiting.at(2) == pytest.approx(0.5)
    assert competing.at(2) == pytest.approx(0.25)


def test_pair_windows_and_risk_sets_equal_a_count_customer_by_customer():
    lines = a_shop(customers=30, products=5)
    firsts = first_purchases(baskets_from_lines(lines, now=NOW))

    waiting = count_waiting(firsts, now=NOW, seed=0)

    edges = [0, 4, 8, 15, 31, 61, 91, 151, 271]
    when = {(int(c), int(p)): int(t) for c, p, t in zip(firsts.customer, firsts.product, firsts.time, strict=True)}
    events, risk = np.zeros((5, 5, 8), int), np.zeros((5, 5, 8), int)
    for (customer, a), bought_a in when.items():
        for b in range(5):
            bought_b = when.get((customer, b))
            if a == b or (bought_b is not None and bought_b <= bought_a):
                continue
            gap = None if bought_b is None else (bought_b - bought_a) // DAY
            watched = (NOW - bought_a) // DAY
            for window in range(8):
                is_event = gap is not None and edges[window] <= gap < edges[window + 1]
                events[a, b, window] += is_event
                # An actuarial risk set: those who leave unbought within the window are not counted in it.
                still = watched >= edges[window + 1] if gap is None or gap >= 271 else gap >= edges[window]
                risk[a, b, window] += still if gap is None or gap < 271 else watched >= edges[window]
    assert np.array_equal(waiting.events, events)
    assert (waiting.at_risk >= waiting.events).all()


def test_cohort_shares_equal_a_plain_count():
    rows = [(customer, customer, 0, 1) for customer in range(40)]
    rows += [(100 + customer, customer, 20 * DAY, 2) for customer in range(10)]
    rows += [(200 + customer, customer, 80 * DAY, 2) for customer in range(10, 16)]
    baskets = baskets_from_lines(lines_from(rows), now=100 * DAY)

    shares = cohort_shares(first_purchases(baskets), 0, 1, now=100 * DAY)

    assert [(s.tenure_days, s.customer_count, s.bought_count) for s in shares] == [
        (30, 40, 10),
        (60, 40, 10),
        (90, 40, 16),
    ]
    assert cohort_curve(first_purchases(baskets), 0, 1, now=100 * DAY).at(30) == pytest.approx(0.25)


def test_the_wilson_interval_is_the_published_one():
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=1e-4)


def test_timing_of_a_pair_nobody_bought_is_the_shops_own_curve():
    matrix = learn(a_shop(), now=NOW)

    curve = matrix.timing(3, 999)

    assert (curve.level, curve.window) == ("shop", None)
    assert sum(curve.share) == pytest.approx(1.0)


def test_windows_in_which_nobody_ever_bought_leave_numbers_everywhere():
    rows = [(customer, customer, 0, 1) for customer in range(30)]
    rows += [(100 + customer, customer, 95 * DAY, 2) for customer in range(20)]

    timing = learn(lines_from(rows), now=300 * DAY).parts.when.timing

    assert np.isfinite(timing.ratio).all()
    assert np.flatnonzero(timing.shop_hazard).tolist() == [6]
