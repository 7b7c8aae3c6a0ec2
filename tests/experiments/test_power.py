import math

import numpy as np
import pytest
from builders_moments import an_arm

from shopify_upsell.experiments.estimators import compare, estimate
from shopify_upsell.experiments.power import (
    ONE_LOOK,
    PLANNED_TEST,
    Design,
    days_needed,
    smallest_lift,
    units_per_arm,
    variation,
)
from shopify_upsell.experiments.shortage import NotEnoughData

SHOP = 5.9
"""Coefficient of variation of revenue per visitor in the reference shop."""


@pytest.mark.parametrize(
    ("visitors", "held_out", "even"), [(10_000, 0.55, 0.33), (100_000, 0.17, 0.10), (1_000_000, 0.055, 0.033)]
)
def test_smallest_lift_of_the_reference_shop(visitors, held_out, even):
    tenth = visitors // 10
    of_holdout = smallest_lift(SHOP, treated_units=visitors - tenth, control_units=tenth, design=ONE_LOOK)
    of_halves = smallest_lift(SHOP, treated_units=visitors // 2, control_units=visitors // 2, design=ONE_LOOK)

    assert of_holdout == pytest.approx(held_out, rel=0.03)
    assert of_halves == pytest.approx(even, rel=0.05)


def test_units_for_a_lift_follow_the_formula_with_the_cost_of_daily_looks():
    assert units_per_arm(SHOP, 0.10) == math.ceil(2 * (2.004654 + 0.841621) ** 2 * SHOP**2 / 0.01 * 1.05)
    assert units_per_arm(SHOP, 0.10, design=ONE_LOOK) == math.ceil(2 * (1.959964 + 0.841621) ** 2 * SHOP**2 / 0.01)


@pytest.mark.parametrize("design", [PLANNED_TEST, ONE_LOOK, Design(alpha=0.01, power=0.9)])
def test_units_for_a_lift_and_the_smallest_lift_are_inverse(design):
    units = units_per_arm(SHOP, 0.08, design=design)

    found = smallest_lift(SHOP, treated_units=units, control_units=units, design=design)

    assert found == pytest.approx(0.08, rel=1e-4)


def test_days_are_rounded_up_and_count_every_arm():
    units = units_per_arm(SHOP, 0.2)

    assert days_needed(SHOP, 0.2, units_per_day=1_000) == math.ceil(2 * units / 1_000)
    assert days_needed(SHOP, 0.2, units_per_day=1_000, arms=3) == math.ceil(3 * units / 1_000)


def test_variation_is_standard_deviation_over_mean():
    assert variation(an_arm([0, 0, 10, 20])) == pytest.approx(math.sqrt(275 / 3) / 7.5)
    assert variation(an_arm([5])) == NotEnoughData("too_few_units", 1, 2)
    assert variation(an_arm([-5, -7])) == NotEnoughData("no_denominator")


def test_an_arm_without_units_can_find_nothing():
    assert smallest_lift(SHOP, treated_units=900, control_units=1) == NotEnoughData("too_few_units", 1, 2)
    assert smallest_lift(SHOP, treated_units=-3, control_units=9) == NotEnoughData("too_few_units", 0, 2)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: units_per_arm(0.0, 0.1),
        lambda: units_per_arm(SHOP, 0.0),
        lambda: units_per_arm(SHOP, math.inf),
        lambda: days_needed(SHOP, 0.1, units_per_day=0),
        lambda: days_needed(SHOP, 0.1, units_per_day=10, arms=1),
        lambda: smallest_lift(-1.0, treated_units=9, control_units=9),
        lambda: units_per_arm(SHOP, 0.1, design=Design(power=1.0)),
        lambda: units_per_arm(SHOP, 0.1, design=Design(inflation=0.9)),
    ],
)
def test_numbers_that_make_no_plan_are_refused(ask):
    with pytest.raises(ValueError):
        ask()


def test_a_planned_test_finds_the_lift_it_was_planned_for_four_times_in_five():
    random = np.random.default_rng(2)
    units = units_per_arm(1.0, 0.2, design=ONE_LOOK)
    found = 0
    for _ in range(300):
        arms = [np.rint(random.exponential(mean, units)).astype(int).tolist() for mean in (12_000, 10_000)]
        found += compare(*(estimate(an_arm(arm)) for arm in arms)).is_measurable

    # 240 expected of 300; three standard errors are 21.
    assert 219 <= found <= 261
