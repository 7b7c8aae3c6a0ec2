import math

import numpy as np
import pytest
from builders_moments import an_arm
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from shopify_upsell.experiments.estimators import (
    DIVISORS_PER_UNIT,
    PER_DIVISOR,
    PER_UNIT,
    Comparison,
    Estimate,
    compare,
    estimate,
)
from shopify_upsell.experiments.fieller import Interval, Unbounded
from shopify_upsell.experiments.moments import NO_UNITS
from shopify_upsell.experiments.shortage import SHORTAGES, NotEnoughData, shortage_for_decision

MONEY = st.lists(st.integers(0, 100_000), min_size=2, max_size=30)


def compared(treated, control, **options) -> Comparison:
    """Compare two arms that have enough data."""
    found = compare(estimate(an_arm(treated)), estimate(an_arm(control)), **options)
    assert isinstance(found, Comparison)
    return found


def test_worked_example_of_a_mean():
    found = compared([0, 10, 20, 30], [0, 0, 10, 20])

    assert (found.treated.value, found.control.value, found.difference) == (15.0, 7.5, 7.5)
    assert found.treated.variance == pytest.approx(500 / 3 / 4)
    assert found.control.variance == pytest.approx(275 / 3 / 4)
    assert found.standard_error == pytest.approx(math.sqrt(775 / 12))
    assert found.degrees == pytest.approx(5.5335, abs=1e-4)
    assert found.lift == 1.0


@given(MONEY, MONEY)
def test_the_mean_test_is_welchs_on_raw_data(treated, control):
    assume(len(set(treated)) > 1 and len(set(control)) > 1)
    found = compared(treated, control)

    theirs = stats.ttest_ind(treated, control, equal_var=False)
    interval = theirs.confidence_interval(0.95)
    assert found.p_value == pytest.approx(theirs.pvalue, rel=1e-9, abs=1e-12)
    assert found.degrees == pytest.approx(theirs.df, rel=1e-9)
    assert found.absolute.low == pytest.approx(interval.low, rel=1e-7, abs=1e-6)
    assert found.absolute.high == pytest.approx(interval.high, rel=1e-7, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 50_000), st.integers(0, 6)), min_size=3, max_size=30))
def test_the_ratio_is_the_delta_method_on_raw_data(rows):
    y, d = np.array(rows, dtype=np.float64).T
    assume(d.sum() > 1)
    found = estimate(an_arm([a for a, _ in rows], [b for _, b in rows]), PER_DIVISOR)

    ratio = y.sum() / d.sum()
    variance = (y - ratio * d).var(ddof=1) / len(y) / d.mean() ** 2
    assume(variance > 1e-6)
    assert isinstance(found, Estimate)
    assert found.value == pytest.approx(ratio, rel=1e-12)
    assert found.variance == pytest.approx(variance, rel=1e-9)
    assert found.degrees == min(len(y), d.sum()) - 1


def test_value_per_order_ignores_how_many_came_without_ordering():
    few = estimate(an_arm([40, 60, 0], [1, 1, 0]), PER_DIVISOR)
    many = estimate(an_arm([40, 60, *[0] * 98], [1, 1, *[0] * 98]), PER_DIVISOR)

    assert isinstance(few, Estimate)
    assert isinstance(many, Estimate)
    assert few.value == many.value == 50.0
    assert few.degrees == many.degrees == 1


def test_one_record_serves_several_metrics():
    arm = an_arm([100, 200, 0, 0], [1, 3, 0, 0])

    values = [estimate(arm, metric).value for metric in (PER_UNIT, DIVISORS_PER_UNIT, PER_DIVISOR)]

    assert values == [75.0, 1.0, 75.0]


def test_the_relative_interval_does_not_drift_when_all_money_is_rescaled():
    small, large = compared([5, 9, 30, 2], [4, 7, 9, 8]), compared([500, 900, 3_000, 200], [400, 700, 900, 800])

    assert isinstance(small.relative, Interval)
    assert isinstance(large.relative, Interval)
    assert (large.relative.low, large.relative.high) == pytest.approx((small.relative.low, small.relative.high))


@given(MONEY, MONEY, st.sampled_from([0.001, 0.05, 0.2]))
def test_p_below_alpha_says_the_same_as_both_intervals(treated, control, alpha):
    assume(len(set(treated)) > 1 and len(set(control)) > 1)
    found = compared(treated, control, alpha=alpha)
    assume(abs(abs(found.statistic) - found.critical) > 1e-9)

    assert (found.p_value < alpha) == found.is_measurable == (not found.absolute.contains(0))
    if isinstance(found.relative, Interval):
        assert (not found.relative.contains(0)) == found.is_measurable


@given(MONEY, MONEY, st.floats(1.5, 5))
def test_a_sequential_rules_critical_value_rules_all_three_answers(treated, control, critical):
    assume(len(set(treated)) > 1 and len(set(control)) > 1)
    found = compared(treated, control, critical=critical)
    assume(abs(abs(found.statistic) - critical) > 1e-9)

    assert (found.critical, found.p_value) == (critical, None)
    assert found.absolute.width == pytest.approx(2 * critical * found.standard_error)
    assert found.is_measurable == (not found.absolute.contains(0))
    if isinstance(found.relative, Interval):
        assert (not found.relative.contains(0)) == found.is_measurable


def test_a_baseline_near_zero_has_a_difference_and_no_relative_interval():
    found = compared([0, 0, 100, 900], [0, 0, 0, 1])

    assert isinstance(found.relative, Unbounded)
    assert found.lift == pytest.approx(999)
    assert found.absolute.contains(found.difference)


def test_lift_over_a_loss_is_not_shown():
    found = compared([100, 200, 300], [-110, -100, -90])

    assert isinstance(found.relative, Unbounded)
    assert isinstance(found.lift, Unbounded)
    assert found.is_measurable


@pytest.mark.parametrize(
    ("arm", "metric", "shortage"),
    [
        (NO_UNITS, PER_UNIT, NotEnoughData("too_few_units", 0, 2)),
        (an_arm([5]), PER_UNIT, NotEnoughData("too_few_units", 1, 2)),
        (an_arm([5, 5, 5]), PER_UNIT, NotEnoughData("no_variation")),
        (an_arm([0, 0]), PER_DIVISOR, NotEnoughData("no_denominator")),
        (an_arm([10, 30], [1, 3]), PER_DIVISOR, NotEnoughData("no_variation")),
    ],
)
def test_too_little_data_is_an_answer_of_its_own(arm, metric, shortage):
    enough = estimate(an_arm([1, 5, 9], [1, 2, 1]), metric)

    assert estimate(arm, metric) == shortage
    assert compare(estimate(arm, metric), enough) == shortage
    assert compare(enough, estimate(arm, metric)) == shortage
    assert shortage.code in SHORTAGES


def test_one_order_has_a_value_and_no_error():
    assert compare(
        estimate(an_arm([50, 0], [1, 0]), PER_DIVISOR), estimate(an_arm([1, 5, 9], [1, 2, 1]), PER_DIVISOR)
    ) == NotEnoughData("no_variation")


@pytest.mark.parametrize("options", [{"alpha": 0.0}, {"alpha": 1.0}, {"critical": 0.0}, {"critical": math.nan}])
def test_impossible_levels_are_refused(options):
    with pytest.raises(ValueError):
        compared([1, 2], [3, 5], **options)


def test_nothing_is_decided_before_seven_days_and_25_converters_in_every_arm():
    enough, few = an_arm([1] * 25), an_arm([1] * 24 + [0] * 99)

    assert shortage_for_decision([enough, enough], days=7) is None
    assert shortage_for_decision([enough, enough], days=6) == NotEnoughData("too_few_days", 6, 7)
    assert shortage_for_decision([enough, few], days=30) == NotEnoughData("too_few_converters", 24, 25)
    assert shortage_for_decision([], days=30) == NotEnoughData("too_few_converters", 0, 25)


def test_a_a_tests_err_one_time_in_twenty_and_alike_on_both_sides():
    random = np.random.default_rng(7)
    above = below = 0
    for _ in range(600):
        y = np.rint(random.lognormal(8, 0.8, 1_200) * (random.random(1_200) < 0.3)).astype(int).tolist()
        found = compared(y[:600], y[600:])
        assert isinstance(found.relative, Interval)
        above += found.relative.low > 0
        below += found.relative.high < 0

    # 600 worlds: 30 expected together, 15 on each side; three standard errors are 16 and 11.
    assert 14 <= above + below <= 46
    assert 4 <= above <= 26
    assert 4 <= below <= 26
