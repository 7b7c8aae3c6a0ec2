"""A broken ratio raises the alarm, a sound one does not, and an alarm stays."""

from math import inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shopify_upsell.core import InvalidInput
from shopify_upsell.experiments.srm import (
    ALARM_LOG_BAYES_FACTOR,
    add_counts,
    alarmed_platforms,
    chi_square_p,
    log_bayes_factor,
    see_totals,
    start_check,
)

HALVES = (0.5, 0.5)


def test_alarm_is_at_a_hundred_to_one():
    assert log(100) == ALARM_LOG_BAYES_FACTOR


def test_bayes_factor_of_the_first_unit_is_one():
    assert log_bayes_factor((1, 0), (0.3, 0.7)) == pytest.approx(0.0, abs=1e-9)


def test_bayes_factor_of_two_units_is_worked_out_by_hand():
    # Under Dirichlet(500, 500) the second unit joins the first with 501/1001 instead of 1/2.
    assert log_bayes_factor((2, 0), HALVES) == pytest.approx(log(501 / 1001 / 0.5), abs=1e-9)


@given(st.lists(st.integers(0, 5_000), min_size=3, max_size=3), st.lists(st.integers(0, 5_000), min_size=3, max_size=3))
def test_evidence_depends_on_the_totals_and_not_on_the_way_there(first, second):
    shares = (0.2, 0.3, 0.5)

    stepwise = add_counts(add_counts(start_check(shares), first), second)
    at_once = add_counts(start_check(shares), [a + b for a, b in zip(first, second, strict=True)])

    assert stepwise.counts == at_once.counts
    assert stepwise.peak >= at_once.peak


def test_mean_bayes_factor_of_a_sound_ratio_is_one():
    counts = np.arange(301)
    weights = np.array([float(np.exp(_log_binomial(300, int(k)))) for k in counts])

    mean = sum(
        w * np.exp(log_bayes_factor((int(k), 300 - int(k)), HALVES)) for k, w in zip(counts, weights, strict=True)
    )

    assert mean == pytest.approx(1.0, rel=1e-9)


def _log_binomial(total, hits):
    from scipy.special import gammaln

    return gammaln(total + 1) - gammaln(hits + 1) - gammaln(total - hits + 1) - total * log(2)


def test_sample_ratio_of_48_to_52_is_found():
    check = add_counts(start_check(HALVES), (9_600, 10_400))

    assert check.is_alarmed


def test_sound_ratio_is_left_alone():
    assert not add_counts(start_check(HALVES), (10_050, 9_950)).is_alarmed


def test_alarm_stays_when_later_units_hide_the_gap():
    alarmed = add_counts(start_check(HALVES), (1_000, 500))

    later = add_counts(alarmed, (100_000, 100_500))

    assert log_bayes_factor(later.counts, HALVES) < 0
    assert later.is_alarmed


def test_unit_in_an_arm_that_gets_nobody_is_an_alarm_at_once():
    check = add_counts(start_check((0.5, 0.5, 0.0)), (10, 10, 1))

    assert check.peak == inf
    assert check.is_alarmed
    assert chi_square_p((10, 10, 1), (0.5, 0.5, 0.0)) == 0.0


def test_totals_may_fall_when_two_identities_merge():
    check = see_totals(add_counts(start_check(HALVES), (60, 50)), (59, 50))

    assert check.counts == (59, 50)


def test_one_broken_platform_is_named_beside_a_sound_one():
    checks = {
        "web": add_counts(start_check(HALVES), (5_000, 5_010)),
        "checkout": add_counts(start_check(HALVES), (900, 1_500)),
    }

    assert alarmed_platforms(checks) == ("checkout",)


def test_chi_square_is_the_familiar_one():
    assert chi_square_p((48, 52), HALVES) == pytest.approx(0.689157, abs=1e-6)
    assert chi_square_p((10, 20, 30), (1 / 3, 1 / 3, 1 / 3)) == pytest.approx(0.00673795, abs=1e-8)
    assert chi_square_p((0, 0), HALVES) == 1.0
    assert chi_square_p((48, 52, 0), (0.5, 0.5, 0.0)) == pytest.approx(0.689157, abs=1e-6)


def test_daily_checks_of_sound_assignment_alarm_in_less_than_one_of_a_hundred_worlds():
    random = np.random.default_rng(9)
    worlds = random.multinomial(1_000, HALVES, size=(600, 28)).tolist()

    alarmed = 0
    for world in worlds:
        check = start_check(HALVES)
        for counts in world:
            check = add_counts(check, counts)
        alarmed += check.is_alarmed

    assert alarmed <= 6


@pytest.mark.parametrize(
    "make",
    [
        lambda: start_check((1.0,)),
        lambda: start_check((0.5, 0.6)),
        lambda: start_check((1.5, -0.5)),
        lambda: add_counts(start_check(HALVES), (1,)),
        lambda: add_counts(start_check(HALVES), (1, -1)),
        lambda: see_totals(start_check(HALVES), (1, -1)),
    ],
)
def test_ratios_that_make_no_sense_are_refused(make):
    with pytest.raises(InvalidInput):
        make()
