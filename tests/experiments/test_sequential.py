"""Looking every day costs what was planned and no more, and every boundary is the literature's."""

from datetime import UTC, date, datetime, timedelta
from math import exp, inf, log, nan, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from shopify_upsell.core import ConflictingRequest, InvalidInput
from shopify_upsell.experiments.boundaries import (
    LARGEST_CRITICAL,
    critical_values,
    crossing_probabilities,
    obrien_fleming_spending,
    smallest_alpha,
)
from shopify_upsell.experiments.sequential import (
    PLANNED_ALPHA,
    GroupSequentialTest,
    Reading,
    SequentialPlan,
    planned_critical_values,
    sequential_p,
    take_look,
    waits,
)

STARTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FIFTHS = (0.2, 0.4, 0.6, 0.8, 1.0)
POWER_TWO = (3.090232, 2.714078, 2.472737, 2.279811, 2.113968)
POCOCK = (2.438, 2.4268, 2.4101, 2.3966, 2.3859)
OBRIEN_FLEMING = (4.8769, 3.3569, 2.6803, 2.2898, 2.031)


def a_test(n_max=10_000, alpha=0.05, longest_days=90):
    return GroupSequentialTest(SequentialPlan(n_max, alpha, timedelta(days=longest_days)), STARTED)


def a_reading(day, units, converters=(100, 100)):
    return Reading(STARTED + timedelta(days=day), units, converters)


def looked(test, *readings):
    for reading in readings:
        test = take_look(test, reading)
    return test


def test_obrien_fleming_boundaries_of_five_looks_are_the_published_ones():
    assert planned_critical_values(5, alpha=0.05) == pytest.approx(OBRIEN_FLEMING, abs=1.5e-4)


@pytest.mark.parametrize(
    ("spending", "published", "tolerance"),
    [
        (lambda share: 0.05 * log(1 + (exp(1) - 1) * share), POCOCK, 1.5e-4),
        (lambda share: 0.05 * share**2, POWER_TWO, 1e-4),
    ],
)
def test_other_spending_gives_the_boundaries_of_the_literature(spending, published, tolerance):
    assert critical_values(FIFTHS, tuple(map(spending, FIFTHS))) == pytest.approx(published, abs=tolerance)


def test_second_boundary_agrees_with_an_integral_done_another_way():
    spent = tuple(obrien_fleming_spending(share, 0.05) for share in (0.4, 1.0))
    first, second = critical_values((0.4, 1.0), spent)
    sums = np.linspace(-first * sqrt(0.4), first * sqrt(0.4), 200_001)
    density = np.exp(-(sums**2) / 0.8) / sqrt(0.8 * pi)
    leaving = ndtr((sums - second) / sqrt(0.6)) + ndtr((-sums - second) / sqrt(0.6))

    joint = density * leaving
    crossing_later = float(((joint[1:] + joint[:-1]) / 2 * np.diff(sums)).sum())

    assert 2 * ndtr(-first) == pytest.approx(spent[0], rel=1e-9)
    assert crossing_later == pytest.approx(0.05 - spent[0], rel=1e-7)


def test_one_look_has_the_critical_value_of_an_ordinary_test():
    assert planned_critical_values(1, alpha=0.05) == pytest.approx((1.959964,), abs=1e-6)


def test_looks_that_may_spend_next_to_nothing_keep_a_finite_critical_value():
    assert planned_critical_values(200)[0] == LARGEST_CRITICAL


def test_spending_starts_at_nothing_and_ends_at_alpha():
    assert obrien_fleming_spending(0.0, 0.05) == 0.0
    assert obrien_fleming_spending(1.0, 0.05) == pytest.approx(0.05, rel=1e-12)
    assert obrien_fleming_spending(7.0, 0.05) == pytest.approx(0.05, rel=1e-12)


@given(st.lists(st.integers(5, 400), min_size=1, max_size=12), st.floats(0.001, 0.2))
@settings(max_examples=40, deadline=None)
def test_all_looks_together_cross_by_luck_with_probability_alpha(steps, alpha):
    information = tuple(float(count) for count in np.cumsum(steps))
    spent = tuple(obrien_fleming_spending(count / information[-1], alpha) for count in information)

    probabilities = crossing_probabilities(information, critical_values(information, spent))

    assert sum(probabilities) == pytest.approx(alpha, rel=1e-8)


def test_boundaries_depend_on_ratios_of_information_only():
    spent = tuple(obrien_fleming_spending(share, 0.05) for share in FIFTHS)

    in_units = critical_values(tuple(share * 12_345 for share in FIFTHS), spent)

    assert in_units == pytest.approx(critical_values(FIFTHS, spent), rel=1e-10)


def test_daily_looks_at_the_planned_alpha_keep_ninety_five_percent_of_the_power_of_one_look():
    drift = 1.959964 + 0.802956
    shares = tuple((day + 1) / 28 for day in range(28))

    power = sum(crossing_probabilities(shares, planned_critical_values(28), drift))

    assert power == pytest.approx(0.958 * 0.789, abs=0.001)


@pytest.mark.parametrize(
    ("information", "spent"),
    [((), ()), ((1.0,), (0.01, 0.05)), ((1.0, 1.0), (0.01, 0.05)), ((1.0, 2.0), (0.05, 0.01)), ((1.0,), (1.0,)),
     ((nan,), (0.05,)), ((1.0,), (nan,)), ((1.0, inf), (0.01, 0.05)), ((-1.0, 1.0), (0.01, 0.05))],
)  # fmt: skip
def test_boundaries_of_nonsense_are_refused(information, spent):
    with pytest.raises(InvalidInput):
        critical_values(information, spent)


@pytest.mark.parametrize(("fraction", "alpha"), [(-0.1, 0.05), (0.5, 0.0), (0.5, 1.0), (nan, 0.05)])
def test_spending_of_nonsense_is_refused(fraction, alpha):
    with pytest.raises(InvalidInput):
        obrien_fleming_spending(fraction, alpha)


def test_look_before_seven_full_days_waits():
    reading = Reading(STARTED + timedelta(days=7) - timedelta(seconds=1), 5_000, (100, 100))

    assert waits(a_test(), reading) == ("before_seven_days",)
    assert waits(a_test(), a_reading(7, 5_000)) == ()


def test_look_with_fewer_than_25_converters_in_one_arm_waits():
    assert waits(a_test(), a_reading(8, 5_000, (400, 24))) == ("too_few_converters",)
    assert waits(a_test(), a_reading(8, 5_000, (400, 25))) == ()


def test_second_look_of_a_day_waits_and_spends_nothing():
    test = looked(a_test(), a_reading(8, 4_000))

    with pytest.raises(ConflictingRequest) as refused:
        take_look(test, Reading(STARTED + timedelta(days=8, hours=3), 5_000, (100, 100)))

    assert refused.value.code == "one_look_a_day"
    assert len(test.looks) == 1


def test_look_with_hardly_any_new_unit_waits():
    test = looked(a_test(), a_reading(8, 4_000))

    assert waits(test, a_reading(9, 4_019)) == ("too_little_new",)
    assert waits(test, a_reading(9, 4_020)) == ()


def test_looks_carry_the_boundaries_of_the_plan():
    readings = [a_reading(8 + place, 2_000 * (place + 1)) for place in range(5)]

    test = looked(a_test(), *readings)

    assert [look.critical for look in test.looks] == pytest.approx(OBRIEN_FLEMING, abs=1.5e-4)
    assert test.looks[0].looked_on == date(2026, 3, 10)
    assert [look.is_final for look in test.looks] == [False] * 4 + [True]
    assert test.is_over


def test_last_look_spends_the_rest_at_what_was_counted():
    short = looked(a_test(longest_days=30), a_reading(10, 4_000), a_reading(30, 7_000))
    spent = (obrien_fleming_spending(0.4, 0.05), 0.05)

    assert short.looks[-1].is_final
    assert short.looks[-1].critical == critical_values((4_000.0, 7_000.0), spent)[-1]
    assert short.looks[-1].critical < critical_values((4_000.0, 10_000.0), spent)[-1]


def test_last_look_that_adds_nothing_is_still_taken_and_still_costs():
    test = looked(a_test(longest_days=30), a_reading(29, 4_000), a_reading(30, 4_000))

    assert test.is_over
    assert test.looks[-1].spent == 0.05
    assert test.looks[-1].critical >= 1.959963


def test_after_the_last_look_there_is_no_other():
    test = looked(a_test(), a_reading(20, 10_000))

    assert waits(test, a_reading(21, 20_000)) == ("over",)


def test_look_that_overshoots_the_plan_is_the_last():
    test = looked(a_test(), a_reading(8, 4_000), a_reading(9, 13_000))

    assert test.is_over
    assert test.looks[-1].spent == 0.05


def test_nominal_alpha_belongs_to_the_critical_value():
    look = looked(a_test(), a_reading(20, 10_000)).looks[0]

    assert look.nominal_alpha == pytest.approx(0.05, abs=1e-9)


def test_sequential_p_of_one_look_is_the_ordinary_p():
    test = looked(a_test(), a_reading(20, 10_000))

    assert sequential_p(test, [2.0]) == pytest.approx(2 * ndtr(-2.0), rel=2e-4)


def test_sequential_p_is_alpha_where_a_look_just_crosses():
    test = looked(a_test(), a_reading(8, 4_000), a_reading(9, 7_000))

    assert sequential_p(test, [0.3, test.looks[1].critical]) == pytest.approx(0.05, rel=3e-4)


@given(st.lists(st.floats(-5, 5), min_size=3, max_size=3), st.floats(1.01, 2))
@settings(max_examples=15, deadline=None)
def test_sequential_p_falls_as_evidence_grows(z_values, factor):
    test = looked(a_test(), a_reading(8, 3_000), a_reading(9, 6_000), a_reading(10, 8_000))

    weaker, stronger = sequential_p(test, z_values), sequential_p(test, [z * factor for z in z_values])

    assert stronger <= weaker * (1 + 1e-3)


def test_sequential_p_before_the_first_look_is_one_and_wants_a_z_for_each_look():
    assert sequential_p(a_test(), []) == 1.0
    with pytest.raises(InvalidInput):
        sequential_p(a_test(), [1.0])


def test_smallest_alpha_ends_at_its_limits():
    assert smallest_alpha(lambda alpha: False) == 1.0
    assert smallest_alpha(lambda alpha: True) == 1e-9


@pytest.mark.parametrize(
    "make",
    [
        lambda: SequentialPlan(1),
        lambda: SequentialPlan(1_000, alpha=0.0),
        lambda: SequentialPlan(1_000, alpha=0.5),
        lambda: SequentialPlan(1_000, longest=timedelta(days=6)),
        lambda: planned_critical_values(0),
        lambda: planned_critical_values(501),
    ],
)
def test_plans_that_make_no_sense_are_refused(make):
    with pytest.raises(InvalidInput):
        make()


def test_daily_looks_at_two_equal_arms_find_a_difference_as_often_as_planned():
    random = np.random.default_rng(11)
    steps = random.normal(size=(20_000, 28))
    z = np.cumsum(steps, axis=1) / np.sqrt(np.arange(1, 29))

    crossed = (np.abs(z) >= planned_critical_values(28)).any(axis=1).mean()

    assert crossed == pytest.approx(PLANNED_ALPHA, abs=4 * sqrt(0.045 * 0.955 / 20_000))
