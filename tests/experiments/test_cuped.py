import math

import numpy as np
import pytest
from builders_moments import an_arm

from shopify_upsell.experiments.cuped import (
    APPLIED,
    NO_HISTORY,
    UNBALANCED_HISTORY,
    WEAK_HISTORY,
    Cuped,
    adjust,
)
from shopify_upsell.experiments.estimators import PER_DIVISOR, PER_UNIT, Comparison, Metric, compare, estimate
from shopify_upsell.experiments.fieller import Interval
from shopify_upsell.experiments.moments import NO_UNITS, Moments, UnitTotals, of_units
from shopify_upsell.experiments.shortage import NotEnoughData


def customers(random, count, *, carry=1.0, known=0.8, shift=0.0) -> np.ndarray:
    """Units of an arm: y, d, x, w, h. `carry`: how much of a customer's habit lasts; `shift`: a past that differs."""
    habit = random.normal(size=count)
    later = carry * habit + np.sqrt(1 - carry**2) * random.normal(size=count)
    has_history = random.random(count) < known
    orders_after, orders_before = random.poisson(4 * np.exp(0.6 * later - 0.2)), random.poisson(4 * np.exp(0.6 * habit))
    y = orders_after * np.rint(2_000 * np.exp(0.3 * later) + random.normal(0, 100, count))
    x = orders_before * np.rint(2_000 * np.exp(0.3 * habit) + shift)
    rows = np.column_stack([y, orders_after, x * has_history, orders_before * has_history, has_history])
    return rows.astype(np.int64)


def arm_of(rows: np.ndarray) -> Moments:
    """The moments of raw units."""
    return of_units(UnitTotals(*map(int, row[:4]), has_history=bool(row[4]), is_converter=row[1] > 0) for row in rows)


def raw_cuped(arms: list[np.ndarray], metric: Metric) -> list[tuple[float, float]]:
    """CUPED from raw units: regress outcomes within arms, subtract; value and variance per arm."""
    past_columns = [2, 4] if metric.bottom is None else [2, 3, 4]
    outcomes, values = [], []
    for rows in arms:
        y, d = rows[:, 0].astype(float), rows[:, 1].astype(float)
        ratio = y.mean() if metric.bottom is None else y.sum() / d.sum()
        outcomes.append(y - ratio if metric.bottom is None else (y - ratio * d) / d.mean())
        values.append(ratio)
    pasts = [rows[:, past_columns].astype(float) for rows in arms]
    theta = np.linalg.lstsq(np.vstack([p - p.mean(axis=0) for p in pasts]), np.concatenate(outcomes), rcond=None)[0]
    pooled = np.vstack(pasts).mean(axis=0)
    return [
        (value - (past.mean(axis=0) - pooled) @ theta, (outcome - past @ theta).var(ddof=1) / len(past))
        for value, past, outcome in zip(values, pasts, outcomes, strict=True)
    ]


@pytest.mark.parametrize("metric", [PER_UNIT, PER_DIVISOR])
@pytest.mark.parametrize("sizes", [(300, 300), (80, 700), (200, 250, 300)])
def test_adjusted_estimates_equal_a_regression_on_raw_units(metric, sizes):
    random = np.random.default_rng(11)
    arms = [customers(random, size) for size in sizes]

    found = adjust([arm_of(rows) for rows in arms], metric)

    assert isinstance(found, Cuped)
    assert found.status == APPLIED
    for estimate_, (value, variance) in zip(found.estimates, raw_cuped(arms, metric), strict=True):
        assert estimate_.value == pytest.approx(value, rel=1e-9)
        assert estimate_.variance == pytest.approx(variance, rel=1e-9)


def test_history_that_tells_much_narrows_the_interval_by_what_it_explains():
    random = np.random.default_rng(5)
    arms = [arm_of(customers(random, 2_000, known=1.0)) for _ in range(2)]

    found = adjust(arms)

    assert isinstance(found, Cuped)
    plain = [estimate(arm) for arm in arms]
    kept = sum(it.variance for it in found.estimates) / sum(it.variance for it in plain)
    assert found.explained > 0.5
    assert kept == pytest.approx(1 - found.explained, abs=0.01)


def test_shared_error_cancels_in_the_difference_and_not_in_the_ratio():
    random = np.random.default_rng(5)
    found = adjust([arm_of(customers(random, 500)), arm_of(customers(random, 500))])
    assert isinstance(found, Cuped)

    treated, control = found.estimates
    comparison = compare(treated, control)

    assert isinstance(comparison, Comparison)
    assert treated.shared == control.shared > 0
    assert comparison.standard_error**2 == pytest.approx(treated.variance + control.variance)
    assert isinstance(comparison.relative, Interval)
    for end in (1 + comparison.relative.low, 1 + comparison.relative.high):
        error = math.sqrt(treated.variance + end**2 * control.variance + (1 - end) ** 2 * treated.shared)
        assert abs(treated.value - end * control.value) == pytest.approx(comparison.critical * error)


def test_history_that_tells_little_is_left_alone():
    random = np.random.default_rng(5)
    arms = [arm_of(customers(random, 800, carry=0.0)) for _ in range(2)]

    found = adjust(arms)

    assert isinstance(found, Cuped)
    assert found.status == WEAK_HISTORY
    assert found.explained < 0.05
    assert found.estimates == tuple(estimate(arm) for arm in arms)


def test_arms_that_differed_before_the_test_are_refused():
    random = np.random.default_rng(5)
    arms = [arm_of(customers(random, 800)), arm_of(customers(random, 800, shift=800))]

    found = adjust(arms)

    assert isinstance(found, Cuped)
    assert found.status == UNBALANCED_HISTORY
    assert found.balance_p_value < 0.001
    assert found.estimates == tuple(estimate(arm) for arm in arms)


def test_an_arm_with_more_newcomers_than_the_other_is_refused():
    random = np.random.default_rng(5)
    arms = [arm_of(customers(random, 1_000, known=0.8)), arm_of(customers(random, 1_000, known=0.6))]

    found = adjust(arms)

    assert isinstance(found, Cuped)
    assert found.status == UNBALANCED_HISTORY


def test_anonymous_visitors_have_nothing_to_adjust_by():
    arms = [an_arm([0, 5, 9, 0]), an_arm([0, 0, 7, 1])]

    found = adjust(arms)

    assert found == Cuped(tuple(estimate(arm) for arm in arms), NO_HISTORY, 0.0, 1.0)


def test_a_past_whose_columns_are_tied_is_no_obstacle():
    random = np.random.default_rng(5)
    rows = [customers(random, 400, known=1.0) for _ in range(2)]
    for arm in rows:
        arm[:, 2] = 1_500 * arm[:, 3]

    found = adjust([arm_of(arm) for arm in rows], PER_DIVISOR)

    assert isinstance(found, Cuped)
    assert all(np.isfinite(it.value) and it.variance > 0 for it in found.estimates)


def test_outcomes_that_history_foretells_to_the_cent_leave_no_error_to_judge_by():
    known = [UnitTotals(y=3 * x + 7, d=1, x=x, w=1, has_history=True) for x in (101, 203, 407, 811)]

    assert adjust([of_units(known), of_units(known[1:])]) == NotEnoughData("no_variation")


def test_an_empty_arm_is_not_enough_data():
    assert adjust([an_arm([1, 2, 3]), NO_UNITS]) == NotEnoughData("too_few_units", 0, 2)


def test_a_a_tests_of_adjusted_arms_err_one_time_in_twenty():
    random = np.random.default_rng(3)
    significant = 0
    for _ in range(400):
        rows = customers(random, 300)
        arms = []
        for half in (rows[:150], rows[150:]):
            products = half.T @ half
            crosses = tuple(int(products[a, b]) for a in range(5) for b in range(a, 5))
            arms.append(Moments(150, 150, tuple(int(total) for total in half.sum(axis=0)), crosses))
        found = adjust(arms)
        assert isinstance(found, Cuped)
        comparison = compare(*found.estimates)
        assert isinstance(comparison, Comparison)
        significant += comparison.is_measurable

    # 20 expected of 400; three standard errors are 13.
    assert 7 <= significant <= 33
