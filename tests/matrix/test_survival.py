"""Curves of individual waiting, against examples worked by hand and published ones."""

import numpy as np
import pytest

from shopify_upsell.matrix.survival import cumulative_incidence, log_rank

REFUND, OPT_OUT = 2, 3


def test_aalen_johansen_equals_the_example_worked_by_hand():
    # Ten customers. Day 1: one refund of ten; day 2: two buy of nine; day 3: one censored, one opts out of seven;
    # day 5: one buys of five; the rest are censored on day 6.
    days = [1, 2, 2, 3, 3, 5, 6, 6, 6, 6]
    ending = [REFUND, 1, 1, 0, OPT_OUT, 1, 0, 0, 0, 0]

    curve = cumulative_incidence(days, ending)

    after_day_2 = 9 / 10 * 2 / 9
    waiting_before_day_5 = 9 / 10 * 7 / 9 * 6 / 7
    assert curve.day.tolist() == [2, 5]
    assert curve.incidence == pytest.approx([after_day_2, after_day_2 + waiting_before_day_5 / 5])
    assert curve.at_risk.tolist() == [9, 5]


def test_all_endings_together_leave_what_kaplan_meier_leaves():
    random = np.random.default_rng(4)
    days, ending = random.integers(1, 40, 300), random.integers(0, 4, 300)

    parts = [cumulative_incidence(days, np.where(ending == kind, 1, np.where(ending > 0, 2, 0))) for kind in (1, 2, 3)]
    whole = cumulative_incidence(days, (ending > 0).astype(int))

    for day in (1, 5, 10, 20, 39):
        assert sum(part.at(day) for part in parts) == pytest.approx(whole.at(day))


@pytest.mark.parametrize("seed", range(3))
def test_without_a_competitor_it_is_one_minus_kaplan_meier(seed):
    random = np.random.default_rng(seed)
    days, ending = random.integers(1, 30, 200), random.integers(0, 2, 200)

    curve = cumulative_incidence(days, ending)

    survival = 1.0
    for day, incidence in zip(curve.day, curve.incidence, strict=True):
        survival *= 1 - ((days == day) & (ending == 1)).sum() / (days >= day).sum()
        assert incidence == pytest.approx(1 - survival)


def test_log_rank_of_freireich_is_the_published_one():
    treated = [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35]
    relapsed = [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0]
    placebo = [1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23]

    found = log_rank(treated, relapsed, placebo, [1] * 21)

    assert found.statistic == pytest.approx(16.79, abs=0.005)
    assert found.p_value == pytest.approx(4.17e-5, rel=0.01)
    assert log_rank(placebo, [1] * 21, treated, relapsed).statistic == pytest.approx(found.statistic)
    with pytest.raises(ValueError, match="side by side"):
        log_rank([1, 2], [0, 0], [3], [1])
