"""Curves and tests as in the textbook; churn by assigned arm, whoever bought what."""

import numpy as np
import pytest

from shopify_upsell.experiments.estimators import Comparison
from shopify_upsell.experiments.shortage import NotEnoughData
from shopify_upsell.experiments.survival import (
    AssignedUnit,
    churn_by_arm,
    kaplan_meier,
    lapse_estimate,
    log_rank,
    restricted_mean,
    waits_for_lapse,
    waits_for_order,
    waits_of,
)

# Weeks of remission, Freireich et al. 1963: 21 patients on 6-MP, 0 marks the censored, and 21 on placebo.
TREATED = waits_of(
    [6, 6, 6, 6, 7, 9, 10, 10, 11, 13, 16, 17, 19, 20, 22, 23, 25, 32, 32, 34, 35],
    [1, 1, 1, 0, 1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0],
)
PLACEBO = waits_of([1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23], [1] * 21)


def test_the_curve_is_the_published_one_with_its_errors():
    curve = kaplan_meier(TREATED)

    assert curve.day.tolist() == [6, 7, 10, 13, 16, 22, 23]
    published = [0.857143, 0.806723, 0.752941, 0.690196, 0.627451, 0.537815, 0.448179]
    assert curve.survival == pytest.approx(published, abs=1e-6)
    errors = [0.07636, 0.086935, 0.09635, 0.106815, 0.114054, 0.128234, 0.134591]
    assert curve.standard_error == pytest.approx(errors, abs=1e-6)
    assert curve.at_risk.tolist() == [21, 17, 15, 12, 11, 7, 6]
    assert curve.event_count.tolist() == [3, 1, 1, 1, 1, 1, 1]
    assert (curve.median_day(), kaplan_meier(PLACEBO).median_day()) == (23, 8)
    assert (curve.at(5.9), curve.at(6), curve.at(100)) == pytest.approx((1, 6 / 7, 0.448179), abs=1e-6)
    assert (curve.low < curve.survival).all()
    assert (curve.survival < curve.high).all()


def test_the_log_rank_statistic_is_the_published_one():
    found = log_rank(TREATED, PLACEBO)

    assert found.statistic == pytest.approx(16.793, abs=0.001)
    assert found.p_value == pytest.approx(4.17e-5, rel=0.01)
    assert (found.observed, found.expected) == (9, pytest.approx(19.25, abs=0.005))
    assert log_rank(PLACEBO, TREATED).statistic == pytest.approx(found.statistic)


def test_the_restricted_mean_is_the_area_under_the_curve():
    everyone = kaplan_meier(waits_of([2, 4, 6, 8], [1, 1, 1, 1]))

    mean, short = restricted_mean(everyone, horizon=10), restricted_mean(everyone, horizon=5)

    assert mean.value == pytest.approx(5.0)
    # Without censoring Greenwood's variance is that of the mean with n in place of n - 1: 20 / 4 / 4.
    assert mean.variance == pytest.approx(1.25)
    assert short.value == pytest.approx(2 + 2 * 0.75 + 1 * 0.5)
    assert restricted_mean(kaplan_meier(TREATED), horizon=35).value == pytest.approx(23.287, abs=0.001)


def test_nothing_is_extrapolated_beyond_what_was_watched():
    assert restricted_mean(kaplan_meier(TREATED), horizon=36) == NotEnoughData("too_few_days", 35, 36)
    assert restricted_mean(kaplan_meier(waits_of([200], [1]))) == NotEnoughData("too_few_units", 1, 2)
    assert restricted_mean(kaplan_meier(waits_of([200, 200], [0, 0]))) == NotEnoughData("no_variation")
    empty = waits_of([], [])
    assert kaplan_meier(empty).at(3) == 1.0
    assert log_rank(empty, empty) == NotEnoughData("no_variation")


def test_waits_run_from_the_trigger_to_the_next_order_or_to_today():
    units = [
        AssignedUnit("a", 100, (130, 110)),
        AssignedUnit("a", 100),
        AssignedUnit("a", 100, (90,)),
        AssignedUnit("a", 190, (260,)),
    ]

    found = waits_for_order(units, today=200)

    assert found.days.tolist() == [10, 100, 100, 10]
    assert found.has_event.tolist() == [True, False, False, False]


def test_a_lapse_is_ninety_days_in_a_row_without_an_order():
    units = [
        AssignedUnit("a", 0, (90, 180)),
        AssignedUnit("a", 0, (91,)),
        AssignedUnit("a", 0, (40,)),
        AssignedUnit("a", 150, ()),
    ]

    found = waits_for_lapse(units, today=200)

    assert found.days.tolist() == [200, 90, 130, 50]
    assert found.has_event.tolist() == [False, True, True, False]


def test_young_units_do_not_count_towards_lapse_whether_they_ordered_or_not():
    old = [AssignedUnit("a", 0, (20,)), AssignedUnit("a", 0), AssignedUnit("a", 110, (200,)), AssignedUnit("a", 110)]
    young = [AssignedUnit("a", 111, (112,)) for _ in range(50)]

    found = lapse_estimate([*old, *young], today=200)

    assert (found.value, found.n) == (0.5, 4)
    assert lapse_estimate(young, today=200) == NotEnoughData("too_few_units", 0, 2)
    assert lapse_estimate(old[1:2] * 5, today=200) == NotEnoughData("no_variation")


def a_programme(seed, units, *, effect, takes_offers=True):
    """Loyal customers come back more often, and are also those who take offers."""
    rng = np.random.default_rng(seed)
    found, took = [], []
    for place in range(units):
        arm = "offers" if place % 2 else "holdout"
        is_loyal = rng.random() < 0.4
        pace = (60 if is_loyal else 200) / (1 + effect * (arm == "offers"))
        orders = np.cumsum(rng.exponential(pace, 12)).astype(int) + 1
        trigger = int(rng.integers(0, 180))
        found.append(AssignedUnit(arm, trigger, tuple(trigger + int(day) for day in orders)))
        took.append(takes_offers and arm == "offers" and bool(rng.random() < (0.8 if is_loyal else 0.05)))
    return found, took


def test_loyal_buyers_make_no_effect_where_the_holdout_shows_none():
    units, took = a_programme(1, 6000, effect=0.0)

    report = churn_by_arm(units, treated="offers", control="holdout", today=400)
    naive = [
        lapse_estimate([u for u, t in zip(units, took, strict=True) if t is want], today=400).value
        for want in (True, False)
    ]

    assert naive[0] < naive[1] - 0.15
    assert isinstance(report.lapse, Comparison)
    assert not report.has_measurable_effect
    assert report.lapse.absolute.contains(0)
    assert report.waiting.absolute.contains(0)
    assert report.log_rank.p_value > 0.05
    assert report.treated.unit_count == report.control.unit_count == 3000


def test_a_programme_that_keeps_customers_is_seen():
    units, _ = a_programme(2, 6000, effect=0.3)

    report = churn_by_arm(units, treated="offers", control="holdout", today=400)

    assert report.has_measurable_effect
    assert report.lapse.absolute.high < 0
    assert report.waiting.absolute.high < 0
    assert report.log_rank.p_value < 0.001
    assert report.treated.lapse_rate < report.control.lapse_rate


def test_units_of_other_arms_change_nothing():
    units, _ = a_programme(3, 400, effect=0.0)
    noise = [AssignedUnit("other", 0) for _ in range(300)]

    plain, noisy = (churn_by_arm(u, treated="offers", control="holdout", today=400) for u in (units, units + noise))

    assert plain.lapse == noisy.lapse
    assert plain.log_rank == noisy.log_rank


def test_a_young_programme_says_what_is_missing():
    units = [AssignedUnit(arm, 10, (15,)) for arm in ("offers", "holdout") for _ in range(20)]

    report = churn_by_arm(units, treated="offers", control="holdout", today=30)

    assert report.lapse == NotEnoughData("too_few_units", 0, 2)
    assert report.treated.lapse_rate == NotEnoughData("too_few_units", 0, 2)
    assert not report.has_measurable_effect


@pytest.mark.parametrize("rows", [([1, 2], [1]), ([-1], [1]), ([np.nan], [1]), ([np.inf], [0])])
def test_waits_that_cannot_be_are_refused(rows):
    with pytest.raises(ValueError):
        waits_of(*rows)
